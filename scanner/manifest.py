"""What a scan says of itself: ledger, calls, versions, files. The only file with a clock in it."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from scanner.model import SCHEMA_VERSION, CallStats, Cell, Shard
from scanner.reduce import Counts
from scanner.store.files import atomic_write, sha256_of
from scanner.store.snapshots import MANIFEST

EXIT_COMPLETE, EXIT_GATE, EXIT_INCOMPLETE = 0, 1, 3


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account of the profile and what became of it. `outcome`: "ok" or why it could not be scanned."""

    id: str | None
    name: str | None
    partition: str | None
    caller_arn: str | None
    outcome: str
    message: str
    regions: tuple[str, ...]
    regions_source: str


def versions(catalog_version: str) -> dict[str, str]:
    """The versions that a scan's result depends on."""
    names = {name: version(name) for name in ("aws-scanner", "boto3", "botocore")}
    return {**names, "python": platform.python_version(), "catalog": catalog_version}


def ledger_of(
    shards: Iterable[Shard], other_cells: Sequence[Cell], is_expected: Callable[[Cell], bool]
) -> list[dict[str, Any]]:
    """The completeness ledger: one line per cell, sorted."""
    rows = [(cell, shard.seen_at, shard.cached) for shard in shards for cell in shard.cells]
    rows += [(cell, "", False) for cell in other_cells]
    lines = [_line(cell, seen_at, cached, is_expected(cell)) for cell, seen_at, cached in rows]
    return sorted(lines, key=lambda line: tuple(str(line[key]) for key in _LEDGER_ORDER))


_LEDGER_ORDER = ("account_id", "region", "service", "resource_type", "call")


def _line(cell: Cell, seen_at: str, cached: bool, expected: bool) -> dict[str, Any]:
    return {
        "account_id": cell.account_id,
        "region": cell.region,
        "service": cell.service,
        "resource_type": cell.resource_type,
        "call": cell.call,
        "outcome": str(cell.outcome),
        "gap": cell.is_gap and not expected,
        "expected": expected,
        "resources": cell.resources,
        "calls": cell.calls,
        "code": cell.code,
        "message": cell.message,
        "affected": cell.affected,
        "seen_at": seen_at,
        "cached": cached,
    }


def totals(counts: Counts, ledger: list[dict[str, Any]], operations: list[dict[str, Any]]) -> dict[str, int]:
    """The sums of a scan."""
    gaps = sum(line["gap"] for line in ledger)
    return {
        "resources": counts.resources,
        "cells": len(ledger),
        "answered": len(ledger) - gaps - sum(line["expected"] for line in ledger),
        "gaps": gaps,
        "expected_gaps": sum(line["expected"] for line in ledger),
        "calls": sum(one["calls"] for one in operations),
        "retries": sum(one["retries"] for one in operations),
        "throttles": sum(one["throttles"] for one in operations),
        "duplicates": counts.duplicates,
        "cached_cells": sum(line["cached"] for line in ledger),
    }


def gated_exit_code(manifest: Mapping[str, Any]) -> int:
    """The scan's exit code: a complete scan that found too little fails its gate; what is incomplete stays that."""
    fails = manifest["exit_code"] == EXIT_COMPLETE and manifest["totals"]["resources"] < manifest["min_resources"]
    return EXIT_GATE if fails else int(manifest["exit_code"])


def gate_lines(manifest: Mapping[str, Any]) -> list[str]:
    """What to say of a gate that failed."""
    if manifest["exit_code"] != EXIT_GATE:
        return []
    found, wanted = manifest["totals"]["resources"], manifest["min_resources"]
    return [f"min_resources: the scan is complete and found {found:,} resources; at least {wanted:,} were wanted"]


def operations_of(stats: Iterable[CallStats]) -> list[dict[str, Any]]:
    """Requests by operation over all units."""
    sums: dict[tuple[str, str], Counter[str]] = {}
    for one in stats:
        counted = {"calls": one.calls, "retries": one.retries, "throttles": one.throttles}
        sums.setdefault((one.service, one.operation), Counter()).update(counted)
    return [
        {"service": service, "operation": operation, **{k: found[k] for k in ("calls", "retries", "throttles")}}
        for (service, operation), found in sorted(sums.items())
    ]


def counted(counts: Counts) -> dict[str, dict[str, Any]]:
    """The counts by account, region, service and type, and by type in each region, sorted by name."""
    kinds = ("by_account", "by_region", "by_service", "by_type")
    of_region = {region: dict(sorted(types.items())) for region, types in sorted(counts.by_region_type.items())}
    return {**{kind: dict(sorted(getattr(counts, kind).items())) for kind in kinds}, "by_region_type": of_region}


def write_manifest(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Write manifest.json, with size and checksum of every other file of the folder, and return it."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    listed = {path.name: {"sha256": sha256_of(path), "size_bytes": path.stat().st_size} for path in files}
    whole = {"schema_version": SCHEMA_VERSION, **manifest, "files": listed}
    with atomic_write(folder / MANIFEST) as out:
        out.write(orjson.dumps(whole, option=orjson.OPT_INDENT_2))
    return whole
