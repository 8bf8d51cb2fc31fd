"""One JSON array of all records, a record on each line (docs/record.schema.json)."""

from __future__ import annotations

from itertools import islice
from typing import BinaryIO

import orjson

from scanner.formats.text import harmless_json
from scanner.store.snapshots import Snapshot

NAMES = ("json",)
SUFFIX = ".json"
FILE = "resources.json"


def write(snapshot: Snapshot, out: BinaryIO, *, limit: int | None = None) -> None:
    """Write the array: all records in their order, or the first `limit`."""
    separator = b"[\n"
    for record in islice(snapshot.records(), limit):
        out.write(separator + harmless_json(orjson.dumps(record)))
        separator = b",\n"
    out.write(b"[]\n" if separator == b"[\n" else b"\n]\n")
