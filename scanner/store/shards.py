"""Shards on disk: one sorted file per unit. A header, the records, a footer with the ledger; damage is noticed."""

from __future__ import annotations

import heapq
import io
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import zstandard

from scanner.errors import SnapshotError
from scanner.model import CallStats, Cell, Outcome, Shard
from scanner.store.files import atomic_write

SHARD_FORMAT = 1
_SPILL_BYTES = 8 << 20  # what a unit may hold in memory before it writes a sorted run
_FAN_IN = 64  # files merged at once: more would cost memory (a window each) and file handles

SortKey = tuple[str, str, str, str, str]


def sort_key(record: dict[str, Any]) -> SortKey:
    """The order of records everywhere: partition, account, resource type, ARN (or id), region."""
    identity = record["resource_arn"] or record["resource_id"] or ""
    return record["partition"], record["account_id"], record["resource_type"], identity, record["region"]


@dataclass(frozen=True, slots=True)
class ShardHead:
    """What a shard says of itself: the unit, its cache key and when AWS answered (ISO 8601 UTC)."""

    unit: str
    key: str
    written_at: str


class ShardWriter:
    """Collects one unit's records, from several threads, in bounded memory."""

    def __init__(self, path: Path, unit: str, key: str) -> None:
        self._path = path
        self._head = ShardHead(unit, key, datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))
        self._rows: list[tuple[SortKey, bytes]] = []
        self._held_bytes = 0
        self._count = 0
        self._runs: list[Path] = []
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Records so far."""
        return self._count

    def add(self, record: dict[str, Any]) -> None:
        """Take one record."""
        row = (sort_key(record), orjson.dumps(record))
        with self._lock:
            self._rows.append(row)
            self._count += 1
            self._held_bytes += len(row[1])
            if self._held_bytes > _SPILL_BYTES:
                self._spill()

    def finish(self, cells: tuple[Cell, ...], stats: tuple[CallStats, ...]) -> Shard:
        """Write the sorted shard atomically. Raises SnapshotError where the disk refuses."""
        self._rows.sort(key=lambda row: row[0])
        rows: Iterator[bytes] = (row[1] for row in self._rows)
        if self._runs:
            self._spill()
            rows = merge_sorted([_lines(run) for run in self._runs])
        with atomic_write(self._path) as out:
            _write(out, self._head, rows, cells, stats)
        self.discard()
        return Shard(self._head.unit, str(self._path), self._count, cells, stats, seen_at=self._head.written_at)

    def discard(self) -> None:
        """Forget the records and remove what was spilled."""
        for run in self._runs:
            run.unlink(missing_ok=True)
        self._runs, self._rows = [], []

    def _spill(self) -> None:
        self._rows.sort(key=lambda row: row[0])
        descriptor, name = tempfile.mkstemp(prefix=".run.", suffix=".tmp", dir=self._path.parent)
        with os.fdopen(descriptor, "wb") as raw, zstandard.ZstdCompressor(level=1).stream_writer(raw) as out:
            for _, row in self._rows:
                out.write(row + b"\n")
        self._runs.append(Path(name))
        self._rows, self._held_bytes = [], 0


def _write(
    out: BinaryIO, head: ShardHead, rows: Iterator[bytes], cells: tuple[Cell, ...], stats: tuple[CallStats, ...]
) -> None:
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
    with compressor.stream_writer(out, closefd=False) as packed:
        packed.write(orjson.dumps({"shard": SHARD_FORMAT, **asdict(head)}) + b"\n")
        count = 0
        for row in rows:
            packed.write(row + b"\n")
            count += 1
        foot = {"footer": count, "cells": [asdict(cell) for cell in cells], "stats": [asdict(one) for one in stats]}
        packed.write(orjson.dumps(foot) + b"\n")


def read_head(path: Path) -> ShardHead:
    """The header of a shard. Raises SnapshotError if this is no shard of this version."""
    first = next(_lines(path), b"")
    return _head(path, first)


def read_shard(path: Path) -> Iterator[bytes]:
    """The records of a shard as JSON lines, in order. Raises SnapshotError where the file is damaged or cut off."""
    lines = _lines(path)
    _head(path, next(lines, b""))
    count, last = 0, b""
    for line in lines:
        if last:
            count += 1
            yield last
        last = line
    if _foot(path, last)["footer"] != count:
        raise SnapshotError(f"{path}: damaged shard: {count} records do not match its footer")


def open_shard(path: Path) -> tuple[ShardHead, Shard]:
    """Read a whole shard once and return what it says. Raises SnapshotError where it is damaged."""
    lines = _lines(path)
    head = _head(path, next(lines, b""))
    count, last = -1, b""
    for line in lines:
        count, last = count + 1, line
    foot = _foot(path, last)
    if foot["footer"] != count:
        raise SnapshotError(f"{path}: damaged shard: {count} records do not match its footer")
    try:
        cells = tuple(Cell(**{**cell, "outcome": Outcome(cell["outcome"])}) for cell in foot["cells"])
        stats = tuple(CallStats(**one) for one in foot["stats"])
    except (TypeError, ValueError, KeyError) as error:
        raise SnapshotError(f"{path}: damaged shard: {error}") from None
    return head, Shard(head.unit, str(path), count, cells, stats, seen_at=head.written_at)


def merge_shards(paths: list[Path], scratch: Path) -> Iterator[bytes]:
    """All records of many shards in order, as JSON lines, with at most 64 files open. Raises SnapshotError."""
    level = 0
    while len(paths) > _FAN_IN:
        parts = [paths[at : at + _FAN_IN] for at in range(0, len(paths), _FAN_IN)]
        paths = [_merged(part, scratch / f".merge.{level}.{at}") for at, part in enumerate(parts)]
        level += 1
    return merge_sorted([_records(path) for path in paths])


def merge_sorted(sources: list[Iterator[bytes]]) -> Iterator[bytes]:
    """Merge sorted iterators of JSON records into one sorted iterator."""
    if len(sources) == 1:
        return sources[0]
    keyed = [((sort_key(orjson.loads(line)), line) for line in source) for source in sources]
    return (line for _, line in heapq.merge(*keyed, key=lambda row: row[0]))


def _merged(paths: list[Path], target: Path) -> Path:
    with target.open("wb") as raw, zstandard.ZstdCompressor(level=1).stream_writer(raw) as out:
        for line in merge_sorted([_records(path) for path in paths]):
            out.write(line + b"\n")
    return target


def _records(path: Path) -> Iterator[bytes]:
    return _lines(path) if path.name.startswith(".merge.") else read_shard(path)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as packed:
            for line in io.BufferedReader(packed, 1 << 16):
                yield line.rstrip(b"\n")
    except (OSError, zstandard.ZstdError) as error:
        raise SnapshotError(f"{path}: cannot be read: {error}") from None


def _head(path: Path, line: bytes) -> ShardHead:
    said = _json(path, line)
    if said.get("shard") != SHARD_FORMAT:
        raise SnapshotError(f"{path}: not a shard of this version of aws-scanner")
    return ShardHead(str(said.get("unit")), str(said.get("key")), str(said.get("written_at")))


def _foot(path: Path, line: bytes) -> dict[str, Any]:
    said = _json(path, line)
    if "footer" not in said:
        raise SnapshotError(f"{path}: damaged shard: it ends before its footer")
    return said


def _json(path: Path, line: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise SnapshotError(f"{path}: damaged shard: a line is no JSON") from None
    if not isinstance(said, dict):
        raise SnapshotError(f"{path}: damaged shard: a line is no JSON object")
    return said
