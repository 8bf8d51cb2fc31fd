"""The journal of a scan: beside its shards stand its plan and what has become of each unit, whatever kills the scan.

A unit is finished once its shard is there under its name. The entries say what a shard cannot: that it came from the
cache, and how units ended that left none. They are appended without waiting for the disk: a kill loses none of them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from scanner.errors import SnapshotError
from scanner.model import CallStats, Cell, Outcome, Shard
from scanner.store.files import FILE_MODE, atomic_write
from scanner.store.shards import cell_of, read_head

SHARDS = "shards"
PLAN = "plan.json"
_FORMAT, _ENTRIES, _OTHERS, _END = 1, "journal.jsonl", "cells.jsonl", "end.json"
_SUFFIX = ".jsonl.zst"

Calls = tuple[tuple[str, str], ...]  # resource type and call


@dataclass(frozen=True, slots=True)
class PlannedUnit:
    """A unit as the journal knows it. `key` is that of its cache entry: the same key asks the same of the same."""

    name: str
    key: str
    account_id: str
    region: str
    service: str
    named_region: bool
    calls: Calls

    def cells(self, outcome: Outcome, message: str) -> Iterator[Cell]:
        """Its cells, each with this outcome."""
        for resource_type, call in self.calls:
            place = (self.account_id, self.region, self.service, resource_type, call)
            yield Cell(*place, outcome, message=message, named_region=self.named_region)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scan set out to do. `said`: what whoever ends it must know (finish.py)."""

    said: Mapping[str, Any]
    units: tuple[PlannedUnit, ...]


class Journal:
    """The journal in one scan's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / SHARDS
        self._descriptor = -1

    def shard_path(self, unit_name: str) -> Path:
        """Where a unit's shard stands."""
        return self.folder / f"{unit_name}{_SUFFIX}"

    def begin(self, plan: Plan, others: Iterable[Cell]) -> None:
        """Write the plan, and the cells that belong to no unit of it. From here on the scan can be resumed.

        Raises SnapshotError.
        """
        with atomic_write(self.folder / _OTHERS) as out:
            for cell in others:
                out.write(orjson.dumps(cell, option=orjson.OPT_APPEND_NEWLINE))
        with atomic_write(self.folder / PLAN) as out:
            out.write(_plan_text(plan))

    def add(self, shard: Shard) -> None:
        """A unit is finished. A disk that refuses costs only what the shard itself does not say."""
        entry: dict[str, Any] = {"unit": shard.unit, "cached": shard.cached, "has_shard": shard.path is not None}
        if shard.path is None:
            entry |= {"cells": shard.cells, "stats": shard.stats}
        with contextlib.suppress(OSError):
            if self._descriptor < 0:
                path = self.folder / _ENTRIES
                self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
            # The line feed comes first: an entry cut off by a full disk must not spoil the next one.
            os.write(self._descriptor, b"\n" + orjson.dumps(entry))

    def end(self, said: Mapping[str, Any]) -> None:
        """The scan has ended by itself; what it says of its end. Raises SnapshotError."""
        self.close()
        with atomic_write(self.folder / _END) as out:
            out.write(orjson.dumps(said))

    def close(self) -> None:
        """Write no more entries."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def plan(self) -> Plan:
        """The plan. Raises SnapshotError where it is damaged or of another version."""
        return _plan_of(self.folder / PLAN)

    def ending(self) -> dict[str, Any] | None:
        """What the scan said of its end; None where it was killed."""
        path = self.folder / _END
        try:
            said = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, orjson.JSONDecodeError) as error:
            raise SnapshotError(f"{path}: cannot be read: {error}") from None
        if not isinstance(said, dict):
            raise SnapshotError(f"{path}: is damaged: no JSON object")
        return said

    def last_sign_s(self) -> float:
        """When the scan last wrote something, in seconds since 1970."""
        paths = [self.folder / name for name in (_ENTRIES, PLAN)]
        return max((path.stat().st_mtime for path in paths if path.exists()), default=0.0)

    def shards(self, plan: Plan, warn: Callable[[str], None] | None = None) -> dict[str, bool]:
        """The units of a plan that have a shard: name to whether it came from the cache.

        What cannot be read is told to `warn` and left out; without it, it is a SnapshotError.
        """
        units = {unit.name: unit for unit in plan.units}
        entries = (one for one in self._entries() if one.get("has_shard") and one.get("unit") in units)
        found = {str(one["unit"]): bool(one.get("cached")) for one in entries}
        # A worker may have finished units of which the parent did not hear any more.
        for path in sorted(self.folder.glob(f"[!.]*{_SUFFIX}")):
            name = path.name.removesuffix(_SUFFIX)
            if name in units and name not in found:
                try:
                    head = read_head(path)
                except SnapshotError as error:
                    if warn is None:
                        raise
                    warn(f"{error}; asking AWS again")
                    continue
                if head.key == units[name].key:
                    found[name] = head.written_at < str(plan.said["manifest"]["started_at"])
        return found

    def without_shard(self) -> Iterator[Shard]:
        """The units that ended without a shard, as their entries say."""
        for entry in self._entries():
            if not entry.get("has_shard"):
                with contextlib.suppress(KeyError, TypeError, ValueError):
                    cells = tuple(cell_of(one) for one in entry["cells"])
                    stats = tuple(CallStats(**one) for one in entry["stats"])
                    yield Shard(str(entry["unit"]), None, 0, cells, stats)

    def others(self) -> Iterator[Cell]:
        """The cells that belong to no unit. Raises SnapshotError where they are damaged or gone."""
        for line in _lines(self.folder / _OTHERS):
            try:
                yield cell_of(orjson.loads(line))
            except (TypeError, ValueError, KeyError) as error:
                raise SnapshotError(f"{self.folder / _OTHERS}: is damaged: {error}") from None

    def _entries(self) -> Iterator[dict[str, Any]]:
        path = self.folder / _ENTRIES
        for line in _lines(path) if path.exists() else ():
            # An entry that was cut off is none: its unit's shard is found by its name.
            with contextlib.suppress(orjson.JSONDecodeError):
                entry = orjson.loads(line)
                if isinstance(entry, dict):
                    yield entry


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from (line for line in file if line.strip())
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read: {error.strerror}") from None


def _plan_text(plan: Plan) -> bytes:
    """The plan as JSON; units of one service ask the same calls in every region, so these are written once."""
    kinds = {calls: at for at, calls in enumerate(dict.fromkeys(unit.calls for unit in plan.units))}
    units = [
        [unit.name, unit.key, unit.account_id, unit.region, unit.service, unit.named_region, kinds[unit.calls]]
        for unit in plan.units
    ]
    return orjson.dumps({"journal": _FORMAT, "said": plan.said, "calls": list(kinds), "units": units})


def _unit_of(said: list[Any], kinds: list[Calls]) -> PlannedUnit:
    name, key, account_id, region, service, named, at = said
    if Path(str(name)).name != name:
        raise ValueError("a unit's name leads elsewhere")
    return PlannedUnit(name, str(key), str(account_id), str(region), str(service), bool(named), kinds[at])


def _plan_of(path: Path) -> Plan:
    try:
        said = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise SnapshotError(f"{path}: cannot be read: {error}") from None
    if not isinstance(said, dict) or said.get("journal") != _FORMAT:
        raise SnapshotError(f"{path}: is damaged, or of another version of aws-scanner: no plan of a scan")
    try:
        kinds = [tuple((str(name), str(call)) for name, call in calls) for calls in said["calls"]]
        units = tuple(_unit_of(unit, kinds) for unit in said["units"])
        shapes = {
            "manifest": dict,
            "shape": dict,
            "actions": dict,
            "formats": list,
            "rows": dict,
            "expect": list,
            "operations": list,
        }
        whole = all(isinstance(said["said"][name], kind) for name, kind in shapes.items())
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise SnapshotError(f"{path}: is damaged: {error}") from None
    if not whole:
        raise SnapshotError(f"{path}: is damaged: it has not what a scan leaves")
    return Plan(said["said"], units)
