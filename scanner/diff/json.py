"""A diff as one JSON object (docs/diff.schema.json), a change on each line, written as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, BinaryIO

import orjson

from scanner.diff.changes import Change, Kind
from scanner.diff.result import Diff
from scanner.diff.sources import Source
from scanner.formats.text import harmless_json
from scanner.model import SCHEMA_VERSION

FILE = "diff.json"


def write_json(diff: Diff, out: BinaryIO) -> None:
    """Write the whole diff: all changes, the unknown ones first."""
    head = b"\n".join(map(harmless_json, orjson.dumps(_head(diff), option=orjson.OPT_INDENT_2).split(b"\n")))
    head = head.removesuffix(b"\n}")
    out.write(head + b',\n  "changes": [')
    separator = b"\n    "
    for kind in Kind:
        for change in diff.changes(kind):
            out.write(separator + harmless_json(orjson.dumps(_change(change))))
            separator = b",\n    "
    out.write(b"]\n}\n" if separator == b"\n    " else b"\n  ]\n}\n")


def _head(diff: Diff) -> dict[str, Any]:
    counts = {str(kind): diff.totals.kinds[kind] for kind in Kind}
    return {
        "schema_version": SCHEMA_VERSION,
        "old": _source(diff.old),
        "new": _source(diff.new),
        "notes": list(diff.notes),
        "totals": {**counts, "unchanged": diff.totals.unchanged, "cells_not_compared": _cells(diff)},
        "cells_not_compared": [asdict(one) for one in diff.cells],
    }


def _cells(diff: Diff) -> int:
    return sum(one.cells for one in diff.cells)


def _source(source: Source) -> dict[str, Any]:
    manifest = source.manifest or {}
    return {
        "name": source.label,
        "scan_id": manifest.get("scan_id"),
        "started_at": manifest.get("started_at"),
        "has_ledger": not source.ledger_missing,
    }


def _change(change: Change) -> dict[str, Any]:
    return dict(_members(change))


def _members(change: Change) -> Iterator[tuple[str, Any]]:
    yield "change", change.kind
    yield "seen_in", change.seen_in
    yield from asdict(change.subject).items()
    yield "fields", change.fields
    yield "more_fields", change.more_fields
    yield "reasons", change.reasons
    yield "note", change.note
