"""From shards to a snapshot: reduced, reported, the manifest last; at once, or later for a scan that was stopped."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from scanner import manifest as ledgers
from scanner.access import Access
from scanner.catalog import Catalog
from scanner.errors import Interrupted, SnapshotError, Stopped
from scanner.formats import get as get_format
from scanner.model import Cell, Shard, Unit
from scanner.profile import LoadedProfile
from scanner.reduce import reduce
from scanner.selection import selection_of
from scanner.store.files import atomic_write
from scanner.store.snapshots import Snapshot, load_snapshot, point_latest

_STOPPED = "stopped.json"  # in the folder of shards: what `finish_stopped` must know, until the manifest has it


@dataclass(slots=True)
class Run:
    """A scan under way: where it writes and what has come of it so far."""

    folder: Path
    started_at: str
    catalog: Catalog
    units: tuple[Unit, ...] = ()
    shards: list[Shard] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)  # of accounts and units that left no shard
    signum: int | None = None


def finish(loaded: LoadedProfile, access: Access, run: Run) -> Snapshot:
    """Write what was found; where that must wait or fails, `finish_stopped` has all it needs to do so later."""
    reports = loaded.profile.reports
    paths = sorted(Path(shard.path) for shard in run.shards if shard.path)
    stopped = {
        "manifest": _manifest(loaded, access, run),
        # By name: one that is gone is missed, and one whose worker died before it could tell is not in the ledger.
        "shards": [path.name for path in paths],
        "formats": reports.formats,
        "rows": {"markdown": reports.markdown_rows, "table": reports.table_rows},
    }
    with atomic_write(run.folder / "shards" / _STOPPED) as out:
        out.write(orjson.dumps(stopped))
    if run.signum and sum(path.stat().st_size for path in paths) > reports.finish_at_once_mb << 20:
        raise Stopped(run.folder, run.signum)
    try:
        return _write_all(run.folder, stopped)
    except Interrupted as stop:
        raise Stopped(run.folder, stop.signum) from None
    except SnapshotError as error:
        raise SnapshotError(f"{error}; what was found is kept: aws-scanner report {run.folder}") from None


def is_stopped(folder: Path) -> bool:
    """Whether a folder holds a scan that was stopped before its shards were reduced."""
    return (folder / "shards" / _STOPPED).is_file()


def finish_stopped(folder: Path) -> Snapshot:
    """Make the snapshot of a scan that was stopped. Raises SnapshotError where a shard is damaged or gone."""
    return _write_all(folder, _read_stopped(folder / "shards" / _STOPPED), is_newest=_is_newest(folder))


def _read_stopped(path: Path) -> dict[str, Any]:
    try:
        stopped = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise SnapshotError(f"{path}: cannot be read: {error}") from None
    shapes = {"manifest": dict, "shards": list, "formats": list, "rows": dict}
    if not isinstance(stopped, dict) or any(not isinstance(stopped.get(key), kind) for key, kind in shapes.items()):
        raise SnapshotError(f"{path}: is damaged: it has not what a stopped scan leaves")
    if any(Path(str(name)).name != name for name in stopped["shards"]):
        raise SnapshotError(f"{path}: is damaged: a shard's name leads elsewhere")
    return stopped


def _is_newest(folder: Path) -> bool:
    """Whether no later scan of the profile has ended meanwhile."""
    try:
        return load_snapshot(folder.parent).path.name <= folder.name
    except SnapshotError:
        return True


def _write_all(folder: Path, stopped: dict[str, Any], *, is_newest: bool = True) -> Snapshot:
    """Reduce the shards and write everything, the manifest last but for `latest`."""
    counts = reduce([folder / "shards" / name for name in stopped["shards"]], folder)
    said = stopped["manifest"]
    said["totals"] = ledgers.totals(counts, said["ledger"], said["operations"])
    said["exit_code"] = ledgers.gated_exit_code(said)
    snapshot = Snapshot(folder, said | ledgers.counted(counts))
    # Records before reports: a report points to the files that are there.
    for name in sorted(stopped["formats"], key=lambda one: one in stopped["rows"]):
        write_report(snapshot, name, stopped["rows"].get(name))
    written = ledgers.write_manifest(folder, snapshot.manifest)
    if is_newest:
        point_latest(folder)
    # First the word that this scan is unfinished: killed half-way, it must not be made again from half its shards.
    (folder / "shards" / _STOPPED).unlink(missing_ok=True)
    shutil.rmtree(folder / "shards")
    return Snapshot(folder, written)


def write_report(snapshot: Snapshot, name: str, limit: int | None = None) -> Path:
    """Write one format into the snapshot's folder: resources.json, report.md ..."""
    module = get_format(name)
    path = snapshot.path / module.FILE
    with atomic_write(path) as out:
        module.write(snapshot, out, limit=limit)
    return path


def _manifest(loaded: LoadedProfile, access: Access, run: Run) -> dict[str, Any]:
    """All of the manifest but what only the reduced records tell."""
    expectations = loaded.profile.expect
    ledger = ledgers.ledger_of(
        run.shards, run.cells, lambda cell: cell.is_gap and any(one.matches(cell) for one in expectations)
    )
    stats = [one for shard in run.shards for one in shard.stats] + list(access.stats)
    operations = ledgers.operations_of(stats)
    incomplete = ledgers.EXIT_INCOMPLETE if any(line["gap"] for line in ledger) else ledgers.EXIT_COMPLETE
    return {
        "scan_id": run.folder.name,
        "profile": {
            "name": loaded.profile.name,
            "digest": loaded.digest,
            "path": str(loaded.path) if loaded.path else None,
        },
        "min_resources": loaded.profile.min_resources,
        "started_at": run.started_at,
        "finished_at": now(),
        "exit_code": 128 + run.signum if run.signum else incomplete,
        "interrupted": {2: "SIGINT", 15: "SIGTERM"}.get(run.signum or 0),
        "versions": ledgers.versions(run.catalog.version),
        "endpoint_url": loaded.profile.endpoint_url or os.environ.get("AWS_ENDPOINT_URL"),
        "selection": selection_of(loaded.profile, access.reached, run.units, run.catalog),
        "accounts": [
            {**{name: getattr(line, name) for name in line.__slots__}, "regions": list(line.regions)}
            for line in access.lines
        ],
        "ledger": ledger,
        "operations": operations,
    }


def now() -> str:
    """This moment, ISO 8601 UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
