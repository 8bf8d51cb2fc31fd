"""What a scan says of itself: ledger, calls, versions, files. The only file with a clock in it."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scanner.model import SCHEMA_VERSION, CallStats
from scanner.reduce import Counts
from scanner.store.files import sha256_of
from scanner.store.ledger import Line, Manifest, Sums, write_manifest_file
from scanner.store.snapshots import MANIFEST, load_snapshot

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
    return {**_packages(), "python": platform.python_version(), "catalog": catalog_version}


@cache
def _packages() -> dict[str, str]:
    return {name: version(name) for name in ("aws-scanner", "boto3", "botocore")}


def totals(counts: Counts, ledger: Sums, operations: list[dict[str, Any]]) -> dict[str, int]:
    """The sums of a scan."""
    return {
        "resources": counts.resources,
        "cells": ledger.cells,
        "answered": ledger.cells - ledger.gaps - ledger.expected - ledger.unasked,
        "gaps": ledger.gaps,
        "expected_gaps": ledger.expected,
        "calls": sum(one["calls"] for one in operations),
        "retries": sum(one["retries"] for one in operations),
        "throttles": sum(one["throttles"] for one in operations),
        "duplicates": counts.duplicates,
        "cached_cells": ledger.cached,
    }


def gated_exit_code(manifest: Mapping[str, Any]) -> int:
    """The scan's exit code: a complete scan that found too little fails its gate; what is incomplete stays that."""
    is_whole = manifest["exit_code"] == EXIT_COMPLETE and not manifest.get("shard")
    fails = is_whole and manifest["totals"]["resources"] < manifest["min_resources"]
    return EXIT_GATE if fails else int(manifest["exit_code"])


def gate_lines(manifest: Mapping[str, Any]) -> list[str]:
    """What to say of a gate that failed."""
    if manifest["exit_code"] != EXIT_GATE:
        return []
    found, wanted = manifest["totals"]["resources"], manifest["min_resources"]
    return [f"min_resources: the scan is complete and found {found:,} resources; at least {wanted:,} were wanted"]


class Operations:
    """Requests by operation over all units."""

    def __init__(self, stats: Iterable[CallStats] = ()) -> None:
        self._sums: dict[tuple[str, str], Counter[str]] = {}
        self._refused: Counter[str] = Counter()
        self.add(stats)

    def add(self, stats: Iterable[CallStats]) -> None:
        """Count those of one unit."""
        for one in stats:
            if one.refused:
                self._refused[f"{one.service}:{one.operation}"] += one.refused
                continue
            said = {"calls": one.calls, "retries": one.retries, "throttles": one.throttles}
            self._sums.setdefault((one.service, one.operation), Counter()).update(said)

    def rows(self) -> list[dict[str, Any]]:
        """One for each operation, sorted."""
        return [
            {"service": service, "operation": operation, **{k: found[k] for k in ("calls", "retries", "throttles")}}
            for (service, operation), found in sorted(self._sums.items())
        ]

    def refused(self) -> dict[str, int]:
        """Calls that the read-only guard refused, as client:operation; empty, as it should be, or a defect."""
        return dict(sorted(self._refused.items()))


def counted(counts: Counts) -> dict[str, dict[str, Any]]:
    """The counts by account, region, service and type, and by type in each region, sorted by name."""
    kinds = ("by_account", "by_region", "by_service", "by_type")
    of_region = {region: dict(sorted(types.items())) for region, types in sorted(counts.by_region_type.items())}
    return {**{kind: dict(sorted(getattr(counts, kind).items())) for kind in kinds}, "by_region_type": of_region}


def write_manifest(folder: Path, manifest: Mapping[str, Any], ledger: Iterable[Line] | None = None) -> Manifest:
    """Write manifest.json, with size and checksum of every other file of the folder, and return it.

    `ledger`: its lines in order (None: those that manifest.json has already).
    """
    files = sorted(path for path in folder.glob("[!.]*") if path.is_file() and path.name != MANIFEST)
    listed = {path.name: {"sha256": sha256_of(path), "size_bytes": path.stat().st_size} for path in files}
    lines = load_snapshot(folder).manifest["ledger"] if ledger is None else ledger
    return write_manifest_file(
        folder / MANIFEST, {"schema_version": SCHEMA_VERSION, **manifest, "files": listed}, lines
    )
