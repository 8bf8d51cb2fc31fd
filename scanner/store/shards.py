"""Shards on disk: one sorted file per unit. A header, the records, a footer with the ledger; damage is noticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import zstandard

from scanner.errors import SnapshotError
from scanner.model import CallStats, Cell, Outcome, Shard
from scanner.store.files import atomic_write, private
from scanner.store.sorter import FAN_IN, Keyed, Sorter, lines_of, merge_sorted, packer

SHARD_FORMAT = 1
_FRAME_HEAD_BYTES = 18

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


OnFoot = Callable[[ShardHead, Shard], None]


class ShardWriter:
    """Collects one unit's records, from several threads, in bounded memory."""

    def __init__(self, path: Path, unit: str, key: str) -> None:
        self._path = path
        self._head = ShardHead(unit, key, datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))
        self._sorter = Sorter(sort_key, path.parent)

    @property
    def count(self) -> int:
        """Records so far."""
        return self._sorter.count

    def add(self, record: dict[str, Any]) -> None:
        """Take one record."""
        self._sorter.add(record)

    def finish(
        self, cells: tuple[Cell, ...], stats: tuple[CallStats, ...], lists: frozenset[tuple[str, str]] = frozenset()
    ) -> Shard:
        """Write the sorted shard atomically; the cells of `lists` (type, call) are told of what came twice.

        Raises SnapshotError where the disk refuses.
        """
        with atomic_write(self._path) as out:
            cells = _write(out, self._head, self._sorter.rows(), _Foot(cells, stats, lists))
        self.discard()
        return Shard(self._head.unit, str(self._path), self.count, cells, stats, seen_at=self._head.written_at)

    def discard(self) -> None:
        """Forget the records and remove what was spilled."""
        self._sorter.discard()


@dataclass(frozen=True, slots=True)
class _Foot:
    """What is told after the records."""

    cells: tuple[Cell, ...]
    stats: tuple[CallStats, ...]
    lists: frozenset[tuple[str, str]]

    def counted(self, twice: Counter[str]) -> tuple[Cell, ...]:
        """The cells, with the number of records that came more than once (by type; "*": the tagging API's)."""
        if not twice:
            return self.cells
        found = {**twice, "*": twice.total()}
        return tuple(
            replace(one, duplicates=found.get(one.resource_type, 0))
            if (one.resource_type, one.call) in self.lists
            else one
            for one in self.cells
        )


def _write(out: BinaryIO, head: ShardHead, rows: Iterator[Keyed], foot: _Foot) -> tuple[Cell, ...]:
    twice: Counter[str] = Counter()
    with packer(level=3).stream_writer(out, closefd=False) as packed:
        said = {"shard": SHARD_FORMAT, "unit": head.unit, "key": head.key, "written_at": head.written_at}
        packed.write(orjson.dumps(said) + b"\n")
        count, before = 0, None
        for key, row in rows:
            packed.write(row + b"\n")
            count += 1
            if before == key:
                twice[key[2]] += 1
            before = key
        cells = foot.counted(twice)
        packed.write(orjson.dumps({"footer": count, "cells": cells, "stats": foot.stats}) + b"\n")
    return cells


def read_head(path: Path) -> ShardHead:
    """The header of a shard. Raises SnapshotError if this is no shard of this version."""
    first = next(lines_of(path), b"")
    return _head(path, first)


def read_shard(path: Path, on_foot: OnFoot | None = None) -> Iterator[bytes]:
    """The records of a shard as JSON lines, in order; in the end `on_foot` hears the shard's cells and calls.

    Raises SnapshotError where the file is damaged or cut off.
    """
    _refuse_unchecked(path)
    lines = lines_of(path)
    head = _head(path, next(lines, b""))
    count, last = 0, b""
    for line in lines:
        if last:
            count += 1
            yield last
        last = line
    foot = _foot(path, last)
    if foot["footer"] != count:
        raise SnapshotError(f"{path}: damaged shard: {count} records do not match its footer")
    if on_foot:
        on_foot(head, _shard(path, head, foot))


def open_shard(path: Path) -> tuple[ShardHead, Shard]:
    """Read a whole shard once and return what it says. Raises SnapshotError where it is damaged."""
    said: list[tuple[ShardHead, Shard]] = []
    for _ in read_shard(path, lambda head, shard: said.append((head, shard))):
        pass
    return said[0]


def _shard(path: Path, head: ShardHead, foot: dict[str, Any]) -> Shard:
    try:
        cells = tuple(cell_of(cell) for cell in foot["cells"])
        stats = tuple(CallStats(**one) for one in foot["stats"])
    except (TypeError, ValueError, KeyError) as error:
        raise SnapshotError(f"{path}: damaged shard: {error}") from None
    return Shard(head.unit, str(path), int(foot["footer"]), cells, stats, seen_at=head.written_at)


def cell_of(said: dict[str, Any]) -> Cell:
    """A cell as it was written. Raises TypeError and ValueError for anything else."""
    refusals = tuple((str(action), str(by)) for action, by in said.get("refusals", ()))
    return Cell(**{**said, "outcome": Outcome(said["outcome"]), "refusals": refusals})


def cached(shard: Shard) -> Shard:
    """A shard as one that came from the cache: nothing was asked for it in this scan."""
    return replace(shard, cells=tuple(_cached(cell) for cell in shard.cells), stats=(), cached=True)


def _cached(cell: Cell) -> Cell:
    asked = cell.outcome in (Outcome.OK, Outcome.EMPTY)
    return replace(cell, outcome=Outcome.CACHED, calls=0) if asked else replace(cell, calls=0)


def merge_shards(paths: list[Path], scratch: Path, on_foot: OnFoot | None = None) -> Iterator[bytes]:
    """All records of many shards in order, as JSON lines, with at most 64 files open. Raises SnapshotError.

    `on_foot` has heard of every shard once the last record is given.
    """
    level = 0
    while len(paths) > FAN_IN:
        parts = [paths[at : at + FAN_IN] for at in range(0, len(paths), FAN_IN)]
        paths = [_merged(part, scratch / f".merge.{level}.{at}", on_foot) for at, part in enumerate(parts)]
        level += 1
    return merge_sorted([_records(path, on_foot) for path in paths], sort_key)


def _merged(paths: list[Path], target: Path, on_foot: OnFoot | None) -> Path:
    with open(target, "wb", opener=private) as raw, packer(level=1).stream_writer(raw) as out:
        for line in merge_sorted([_records(path, on_foot) for path in paths], sort_key):
            out.write(line + b"\n")
    return target


def _records(path: Path, on_foot: OnFoot | None) -> Iterator[bytes]:
    return lines_of(path) if path.name.startswith(".merge.") else read_shard(path, on_foot)


def _refuse_unchecked(path: Path) -> None:
    """A flipped bit in a frame's head can switch its checksum off: then nothing in it could be trusted."""
    try:
        with path.open("rb") as raw:
            is_checked = zstandard.get_frame_parameters(raw.read(_FRAME_HEAD_BYTES)).has_checksum
    except (OSError, zstandard.ZstdError) as error:
        raise SnapshotError(f"{path}: cannot be read: {error}") from None
    if not is_checked:
        raise SnapshotError(f"{path}: damaged shard: it has no checksum")


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
