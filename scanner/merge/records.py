"""The records of merged snapshots: each follows its cell, and what different snapshots saw of a resource is united.

A record that is made of several keeps them beside it, in parts.jsonl.zst: merged again with a snapshot that knows
better of one of them, it must be as if all had been merged at once.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
import zstandard

from scanner.collectors.records import unite
from scanner.collectors.tagging import SERVICE as TAGGING
from scanner.diff.sources import Key
from scanner.merge.cells import Contest, Place
from scanner.model import GLOBAL
from scanner.reduce import Counts
from scanner.store.files import atomic_write
from scanner.store.shards import sort_key
from scanner.store.snapshots import RECORDS, Snapshot
from scanner.store.streams import stream_records

PARTS = "parts.jsonl.zst"

Record = dict[str, Any]


def merge_records(snapshots: list[Snapshot], contest: Contest, folder: Path) -> Counts:
    """Write the merged records, and their parts where there are any. Raises SnapshotError for damage and full disks."""
    counts, parted = Counts(), 0
    with atomic_write(folder / RECORDS) as out, atomic_write(folder / PARTS) as beside:
        whole, parts = _packed(out), _packed(beside)
        with whole, parts:
            for found in _resources(snapshots, contest):
                record = _folded(found)
                counts.add(record)
                whole.write(orjson.dumps(record) + b"\n")
                if len(found) > 1:
                    parted += 1
                    parts.write(b"".join(orjson.dumps(one) + b"\n" for one in found))
    if not parted:
        (folder / PARTS).unlink()
    return counts


def _packed(out: Any) -> Any:
    return zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(out, closefd=False)


def _resources(snapshots: list[Snapshot], contest: Contest) -> Iterator[list[Record]]:
    """For each resource the records of it that hold, sorted, none twice."""
    streams = [_numbered(at, snapshot) for at, snapshot in enumerate(snapshots)]
    for _, group in groupby(heapq.merge(*streams, key=lambda one: one[0]), key=lambda one: one[0]):
        held = [part for _, at, parts in group for part in parts if _holds(contest, part, at)]
        by_text = {orjson.dumps([sort_key(one), one["sources"], one]): one for one in held}
        if by_text:
            yield [by_text[text] for text in sorted(by_text)]


def _holds(contest: Contest, record: Record, at: int) -> bool:
    place = _place(record)
    return place is None or contest.holds(place, at)


def _place(record: Record) -> Place | None:
    """The cell that a record follows; None: which region's tagging API told of a global resource is not known."""
    if "services" in record["sources"]:
        return record["account_id"], record["region"], record["service"], record["resource_type"]
    return None if record["region"] == GLOBAL else (record["account_id"], record["region"], TAGGING, "*")


def _folded(parts: list[Record]) -> Record:
    """One record of all parts, as a scan unites what its collectors saw."""
    held = parts[0]
    for one in parts[1:]:
        if not set(held["sources"]) >= set(one["sources"]):
            held = unite(held, one)
    return held


def _numbered(at: int, snapshot: Snapshot) -> Iterator[tuple[Key, int, list[Record]]]:
    """Each resource of a snapshot with its parts: of one that was never merged, the record itself."""
    path = snapshot.path / PARTS
    parted = groupby(stream_records(path) if PARTS in snapshot.manifest["files"] else (), key=_identity)
    key, parts = _next(parted)
    for record in snapshot.records():
        own = _identity(record)
        if own == key:
            yield own, at, parts
            key, parts = _next(parted)
        else:
            yield own, at, [record]


def _next(groups: Any) -> tuple[Key | None, list[Record]]:
    key, group = next(groups, (None, ()))
    return key, list(group)


def _identity(record: Record) -> Key:
    partition, account_id, resource_type, identity, region = sort_key(record)
    return partition, account_id, resource_type, identity, "" if record["resource_arn"] else region
