"""The scanner as a library: `from scanner import scan`. A thin layer over the same engine that the program has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scanner.errors import (
    CatalogError,
    Interrupted,
    NoCredentialsError,
    ProfileError,
    ScannerError,
    SnapshotError,
)
from scanner.model import LedgerLine, Outcome, TagFilter
from scanner.pipeline import Hooks
from scanner.pipeline import scan as _scan
from scanner.profile import Flags, LoadedProfile, Profile, load_profile, loaded_from
from scanner.retention import keep_newest
from scanner.share import Part, share_of
from scanner.store.snapshots import Snapshot, load_snapshot

__all__ = [
    "CatalogError",
    "Hooks",
    "Interrupted",
    "LedgerLine",
    "NoCredentialsError",
    "Outcome",
    "Profile",
    "ProfileError",
    "ScannerError",
    "Snapshot",
    "SnapshotError",
    "TagFilter",
    "load_snapshot",
    "scan",
]


def scan(
    profile: str | Path | Profile | None = None,
    /,
    *,
    hooks: Hooks | None = None,
    resume: bool = False,
    shard: str | None = None,
    **settings: Any,
) -> Snapshot:
    """Scan, write the snapshot under `reports.dir`, and return it.

    `profile` is a name (config/NAME.yaml), a path, a Profile made in code, or None: the ambient account. `settings` are
    keys of a profile and win over it: `regions=["eu-west-1"]`, `cache={"enabled": False}`. `hooks` hear of the plan,
    of each finished unit and of warnings; nothing is printed, and signals stay the caller's. `resume` goes on with the
    newest scan that was killed or left gaps; `shard` ("3/10") scans that part of the plan.

    Raises ProfileError and CatalogError before anything is asked, NoCredentialsError where no account answers,
    SnapshotError where the disk refuses. What AWS does not answer is no error: see `Snapshot.gaps`.
    """
    loaded, hooks = _loaded(profile, settings), hooks or Hooks()
    snapshot = _scan(loaded, hooks, Part(share_of(shard) if shard is not None else None, resume))
    keep_newest(loaded, snapshot, hooks.warn)
    return snapshot


def _loaded(profile: str | Path | Profile | None, settings: Mapping[str, Any]) -> LoadedProfile:
    if isinstance(profile, Profile):
        return loaded_from(profile, settings)
    return load_profile(profile, settings, Flags(layer="argument"))
