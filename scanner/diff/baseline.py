"""What a new snapshot is compared with: the newest earlier one of its profile that was asked for the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scanner.diff.result import unlike_filters
from scanner.diff.sources import Source, open_source
from scanner.errors import SnapshotError
from scanner.store.snapshots import MANIFEST, Snapshot, load_snapshot, scan_folders, started_second

# Of these is a selection made; what the one has and the other has not is unknown in a diff.
_WORDS = ("services", "regions", "collector", "all_services", "enrich")
_LOOKS = 100  # for a better one than that which was found


def previous_of(snapshot: Snapshot) -> tuple[Source | None, Counter[str]]:
    """The baseline beside a snapshot, or None; and why newer ones were passed over.

    Somebody's scan of one service between two nightly ones must not be what the second is compared with. Where nothing
    was asked for the same (the profile has changed), the newest with the same filters is.
    """
    passed: Counter[str] = Counter()
    second: tuple[Path, Counter[str]] | None = None
    for looks, folder in enumerate(_earlier(snapshot.path)):
        if second and looks > _LOOKS:
            break
        reason, is_alike = _look_at(folder, snapshot.manifest)
        if is_alike:
            return open_source(folder), passed
        if not reason:
            second = second or (folder, passed.copy())
        passed[reason or "of another selection"] += 1
    return (open_source(second[0]), second[1]) if second else (None, passed)


def _alike(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the same was asked of the accounts that both reached: one that failed for a night changes nothing."""
    olds, news = ({one["id"]: one for one in side["accounts"]} for side in (old, new))
    pairs = [(old, new), *((olds[one], news[one]) for one in olds.keys() & news.keys())]
    return all(_said(one.get(word)) == _said(other.get(word)) for one, other in pairs for word in _WORDS)


def _said(words: Any) -> Any:
    return sorted(words) if isinstance(words, list) else words


def _earlier(own: Path) -> list[Path]:
    """The other snapshots of the profile, newest first; what was begun later is none of ours."""
    others = (one for one in scan_folders(own.parent) if one.name != own.name)
    return [one for one in others if started_second(one) <= started_second(own) and (one / MANIFEST).is_file()]


def _look_at(folder: Path, own: Mapping[str, Any]) -> tuple[str, bool]:
    """Why a snapshot is no baseline ("" where it may be one), and whether the same was asked for it."""
    try:
        manifest = load_snapshot(folder).manifest
    except SnapshotError:
        return "damaged", False
    reason = _unfit(manifest, own)
    return reason, not reason and _alike(manifest["selection"], own["selection"])


def _unfit(manifest: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    if "selection" not in manifest:
        return "of an older version"
    if manifest["interrupted"]:
        return "interrupted"
    if manifest.get("shard") != own.get("shard"):
        return "of another part of the plan"
    if _accounts(manifest).isdisjoint(_accounts(own)):
        return "of other accounts"
    if _hosts(manifest) != _hosts(own):
        return "of another endpoint"
    return "with other filters" if unlike_filters(manifest["selection"], own["selection"]) else ""


def _accounts(manifest: Mapping[str, Any]) -> set[str]:
    return {one["id"] for one in manifest["accounts"]}


def _hosts(manifest: Mapping[str, Any]) -> set[str]:
    """Who answered instead of AWS; a test server has another port each time."""
    return {one["host"].partition(":")[0] for one in manifest.get("endpoints", ())}
