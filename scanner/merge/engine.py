"""The merge itself: snapshots checked, ledger and records merged as streams, reports written, the manifest last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from scanner import manifest as manifests
from scanner.errors import ProfileError, SnapshotError
from scanner.finish import is_newest, write_report
from scanner.formats.iam_missing import NAMES as IAM_MISSING
from scanner.merge.cells import Contest
from scanner.merge.head import head_of, scan_id_of
from scanner.merge.leaves import doors_shut, leaves_of, refuse_conflicts
from scanner.merge.records import PARTS, merge_records
from scanner.permissions import permissions_of
from scanner.reduce import Counts
from scanner.store.files import make_private_dir
from scanner.store.ledger import LedgerFile, Manifest, write_lines
from scanner.store.snapshots import RECORDS, Snapshot, load_snapshot, point_latest
from scanner.store.streams import stream_records

MOST = 256  # files open at once; more are merged in steps, which changes nothing
_SCRATCH = ".ledger.jsonl.zst"


def merge(paths: Sequence[Path], output: Path | None, formats: Sequence[str], reports: Path) -> Snapshot:
    """One snapshot of many: in `output`, or under `reports` where its profile's snapshots are, as the latest of them.

    Raises ProfileError for what cannot stand in one snapshot, SnapshotError for damage and where the disk refuses.
    """
    snapshots = _opened(paths)
    leaves = leaves_of(snapshots)
    refuse_conflicts(leaves)
    said = head_of(leaves)
    folder = output or reports / said["profile"]["name"] / said["scan_id"]
    _make_ready(folder, scan_id_of(leaves))
    contest = Contest(doors_shut(leaves))
    scratch = folder / _SCRATCH
    try:
        lines = contest.lines([one.manifest for one in snapshots])
        write_lines(scratch, (orjson.dumps(line) for line in lines))
        counts = merge_records(snapshots, contest, folder)
        counts.duplicates = sum(leaf["duplicates"] for leaf in leaves)
        said |= _sums(said, contest, counts)
        ledger = LedgerFile(scratch, contest.sums.cells, stream_records)
        snapshot = Snapshot(folder, Manifest(said, ledger))
        missing = IAM_MISSING if said["permissions"]["missing"] else ()
        for name in sorted({*formats, *missing}, key=lambda one: one in ("markdown", "md", "table")):
            write_report(snapshot, name)
        written = manifests.write_manifest(folder, said, ledger)
    finally:
        scratch.unlink(missing_ok=True)
    if output is None and is_newest(folder):
        point_latest(folder)
    return Snapshot(folder, written)


def _opened(paths: Sequence[Path]) -> list[Snapshot]:
    if len(paths) > MOST:
        raise ProfileError([f"{len(paths)} snapshots are too many at once; merge up to {MOST}, then that with others"])
    found = {}
    for path in paths:
        snapshot = load_snapshot(path)
        if "selection" not in snapshot.manifest:
            raise SnapshotError(f"{path}: does not say its selection: it was made by an older version")
        snapshot.verify({RECORDS, PARTS})
        found[snapshot.path.resolve()] = snapshot
    return [found[path] for path in sorted(found)]


def _make_ready(folder: Path, scan_id: str) -> None:
    """Make the folder. Raises SnapshotError where something else is in it."""
    if folder.exists() and any(folder.iterdir()):
        try:
            is_same = load_snapshot(folder).manifest.get("scan_id") == scan_id
        except SnapshotError:
            is_same = False
        if not is_same:
            raise SnapshotError(f"{folder}: is not empty, and no merge of the same snapshots; name another folder")
    make_private_dir(folder)


def _sums(said: dict[str, Any], contest: Contest, counts: Counts) -> dict[str, Any]:
    denied = contest.sums.denied | {(one, action, by) for one, action, by in said["asides"]}
    found = {
        "permissions": permissions_of(denied),
        "totals": manifests.totals(counts, contest.sums, said["operations"]),
        "exit_code": manifests.EXIT_INCOMPLETE if contest.sums.gaps or said["missing"] else manifests.EXIT_COMPLETE,
    }
    return found | {"exit_code": manifests.gated_exit_code({**said, **found})} | manifests.counted(counts)
