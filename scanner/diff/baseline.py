"""What a new snapshot is compared with: the newest earlier one of its profile that was made with the same filters."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from scanner.diff.result import unlike_filters
from scanner.diff.sources import Source, open_source
from scanner.errors import SnapshotError
from scanner.store.snapshots import MANIFEST, Snapshot, load_snapshot, scan_folders, started_second


def previous_of(snapshot: Snapshot) -> tuple[Source | None, Counter[str]]:
    """The baseline beside a snapshot, or None; and why newer ones were passed over."""
    passed: Counter[str] = Counter()
    for folder in _earlier(snapshot.path):
        reason = _unfit(folder, snapshot)
        if not reason:
            return open_source(folder), passed
        passed[reason] += 1
    return None, passed


def _earlier(own: Path) -> list[Path]:
    """The other snapshots of the profile, newest first; what was begun later is none of ours."""
    others = (one for one in scan_folders(own.parent) if one.name != own.name)
    return [one for one in others if started_second(one) <= started_second(own) and (one / MANIFEST).is_file()]


def _unfit(folder: Path, snapshot: Snapshot) -> str:
    """Why a snapshot is not taken as baseline; "" where it is."""
    try:
        manifest = load_snapshot(folder).manifest
    except SnapshotError:
        return "damaged"
    if "selection" not in manifest:
        return "of an older version"
    if manifest["interrupted"]:
        return "interrupted"
    if manifest.get("shard") != snapshot.manifest.get("shard"):
        return "of another part of the plan"
    return "with other filters" if unlike_filters(manifest["selection"], snapshot.manifest["selection"]) else ""
