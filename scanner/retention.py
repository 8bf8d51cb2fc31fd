"""What a scan leaves of earlier ones: the newest snapshots that the profile wants kept, and nothing of killed runs."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from scanner.errors import SnapshotError
from scanner.manifest import EXIT_COMPLETE, EXIT_GATE
from scanner.means import reports_folder
from scanner.profile import LoadedProfile
from scanner.store.files import remove_folder
from scanner.store.journal import PLAN, SHARDS
from scanner.store.locks import is_busy
from scanner.store.snapshots import LATEST, MANIFEST, Snapshot, load_snapshot, scan_folders, started_second

_TEMPORARY = re.compile(r"\.[\w.-]+\.[0-9]+\.\w+\.tmp")
_OLD_S = 3600
_UNFINISHED_S = 7 * 24 * 3600

Warn = Callable[[str], None]


def keep_newest(loaded: LoadedProfile, newest: Snapshot, warn: Warn) -> None:
    """After a scan, remove the profile's snapshots beyond `reports.keep`, shards that nothing can be resumed from
    any more, and temporary files of runs that were killed. A scan that was stopped removes nothing.

    Kept in any case: `latest`, the newest complete snapshot, what another process works in, scans of the last week
    that can be resumed, and everything that is not surely ours.
    """
    if newest.manifest["interrupted"]:
        return
    folder = reports_folder(loaded)
    try:
        for one in _superfluous(folder, loaded, newest):
            if not is_busy(one):
                _remove(one)
        _sweep(folder, newest)
    except OSError as error:
        warn(f"reports: {error.filename or folder}: {error.strerror}; older ones are not all removed")


def _superfluous(folder: Path, loaded: LoadedProfile, newest: Snapshot) -> Iterator[Path]:
    keep = loaded.profile.reports.keep
    if keep is None:
        return
    kept, spared, complete = 0, {newest.path.name, _latest(folder)}, False
    for one in scan_folders(folder):
        snapshot = _snapshot_of(one, loaded.profile.name)
        if snapshot is None:
            if _is_forgotten(one):
                yield one
            continue
        is_first_complete = not complete and snapshot.exit_code in (EXIT_COMPLETE, EXIT_GATE)
        complete = complete or is_first_complete
        if kept < keep or one.name in spared or is_first_complete:
            kept += 1
        else:
            yield one


def _latest(folder: Path) -> str:
    try:
        return load_snapshot(folder / LATEST).path.name
    except SnapshotError:
        return ""


def _snapshot_of(folder: Path, profile: str) -> Snapshot | None:
    """A folder that is surely a snapshot of this profile, and our own."""
    try:
        if not _is_ours(folder) or (folder / MANIFEST).is_symlink():
            return None
        snapshot = load_snapshot(folder)
    except SnapshotError:
        return None
    is_its = snapshot.manifest["profile"].get("name") == profile and snapshot.manifest.get("scan_id") == folder.name
    return snapshot if is_its else None


def _is_forgotten(folder: Path) -> bool:
    """Whether a folder is an unfinished scan of ours that nobody has resumed for a week."""
    plan = folder / SHARDS / PLAN
    return (
        plan.is_file()
        and not (folder / MANIFEST).exists()
        and _is_ours(folder)
        and _age_s(folder / SHARDS) > _UNFINISHED_S
    )


def _remove(folder: Path) -> None:
    """The manifest goes first: what is half removed must not look like a snapshot."""
    (folder / MANIFEST).unlink(missing_ok=True)
    remove_folder(folder)


def _sweep(folder: Path, newest: Snapshot) -> None:
    _sweep_temporary(folder)
    for one in scan_folders(folder):
        if one.name == newest.path.name or not _is_ours(one) or is_busy(one):
            continue
        _sweep_temporary(one)
        _sweep_shards(one, newest)


def _sweep_shards(folder: Path, newest: Snapshot) -> None:
    """Remove the shards of an older snapshot of the same share: only the newest scan is ever resumed."""
    shards = folder / SHARDS
    if not shards.is_dir() or shards.is_symlink():
        return
    try:
        said = load_snapshot(folder).manifest
    except SnapshotError:
        # Killed before it had a plan: nothing is known of what it wanted.
        if not (shards / PLAN).exists() and not (folder / MANIFEST).exists() and _age_s(shards) > _OLD_S:
            remove_folder(folder)
        return
    is_its = started_second(folder) <= started_second(newest.path) and said.get("scan_id") == folder.name
    if is_its and said.get("shard") == newest.manifest.get("shard"):
        (shards / PLAN).unlink(missing_ok=True)
        remove_folder(shards)


def _sweep_temporary(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # another scan has removed the folder
        found = [Path(one.path) for one in os.scandir(folder) if _TEMPORARY.fullmatch(one.name)]
        for one in found:
            if _is_ours(one) and one.is_file() and not one.is_symlink() and _age_s(one) > _OLD_S:
                one.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    """Whether a file or folder is our user's; nobody's is what another scan has just removed."""
    with contextlib.suppress(FileNotFoundError):
        return path.lstat().st_uid == os.geteuid()
    return False


def _age_s(path: Path) -> float:
    """The seconds since something was changed; none for what another scan has just removed: it is left alone."""
    with contextlib.suppress(FileNotFoundError):
        return time.time() - path.lstat().st_mtime
    return 0.0
