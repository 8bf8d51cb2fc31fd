"""From shards to a snapshot: reduced, reported, the manifest last; at once, or later for a scan that was stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from scanner import manifest as manifests
from scanner.aws.guard import take_refused
from scanner.errors import Interrupted, SnapshotError, Stopped
from scanner.formats import get as get_format
from scanner.formats.iam_missing import NAMES as IAM_MISSING
from scanner.model import CallStats, Cell, Outcome, Shard
from scanner.permissions import Refusals, permissions_of
from scanner.profile import Expectation
from scanner.reduce import Counts, reduce
from scanner.store.files import atomic_write, remove_folder
from scanner.store.journal import PLAN, SHARDS, Journal, Plan
from scanner.store.ledger import LedgerWriter, Manifest
from scanner.store.locks import lock_folder
from scanner.store.shards import ShardHead, cached
from scanner.store.snapshots import MANIFEST, Snapshot, load_snapshot, point_latest, started_second

KILLED = "killed"  # in the manifest's `interrupted`, beside the names of signals


def finish(
    folder: Path, journal: Journal, signum: int | None, finish_at_once_mb: int, entering: Iterable[CallStats]
) -> Snapshot:
    """Write what was found; where that must wait or fails, `finish_stopped` has all it needs to do so later."""
    journal.end({"signum": signum, "finished_at": now(), "operations": [asdict(one) for one in entering]})
    shards_bytes = sum(path.stat().st_size for path in journal.folder.glob("[!.]*.zst")) if signum else 0
    if signum and shards_bytes > finish_at_once_mb << 20:
        raise Stopped(folder, signum)
    try:
        return _write_all(folder, journal)
    except Interrupted as stop:
        raise Stopped(folder, stop.signum) from None
    except SnapshotError as error:
        raise SnapshotError(f"{error}; what was found is kept: aws-scanner report {folder}") from None


def is_stopped(folder: Path) -> bool:
    """Whether a folder holds a scan that ended, in any way, before its reports were written."""
    return (folder / SHARDS / PLAN).is_file() and not (folder / MANIFEST).exists()


def finish_stopped(folder: Path) -> Snapshot:
    """Make the snapshot of a scan that was stopped or killed: what it did not come to is `interrupted`.

    Raises SnapshotError where a shard is damaged or gone, and where the scan is still under way.
    """
    lock = lock_folder(folder)
    if lock is None:
        raise SnapshotError(f"{folder}: this scan is still under way, in another process")
    try:
        return _write_all(folder, Journal(folder), is_newest=is_newest(folder))
    finally:
        lock.release()


def is_newest(folder: Path) -> bool:
    """Whether no later scan of the profile has ended meanwhile."""
    try:
        return started_second(load_snapshot(folder.parent).path) <= started_second(folder)
    except SnapshotError:
        return True


def _write_all(folder: Path, journal: Journal, *, is_newest: bool = True) -> Snapshot:
    """Reduce the shards and write everything, the manifest last but for `latest`."""
    plan = journal.plan()
    found = _reduced(folder, journal, plan)
    said = _manifest(plan, journal, found)
    ledger = found.ledger.sorted()
    snapshot = Snapshot(folder, Manifest(said, ledger))
    # Records before reports: a report points to the files that are there.
    rows = plan.said["rows"]
    missing = IAM_MISSING if said["permissions"]["missing"] else ()
    for name in sorted({*plan.said["formats"], *missing}, key=lambda one: one in rows):
        write_report(snapshot, name, rows.get(name))
    written = manifests.write_manifest(folder, said, ledger)
    if is_newest:
        point_latest(folder)
    found.ledger.discard()
    if not (found.ledger.sums.gaps or said["interrupted"]):
        # First the word that something can be resumed here: killed half-way, it must not be from half its shards.
        (journal.folder / PLAN).unlink(missing_ok=True)
        remove_folder(journal.folder)
    return Snapshot(folder, written)


def write_report(snapshot: Snapshot, name: str, limit: int | None = None) -> Path:
    """Write one format into the snapshot's folder: resources.json, report.md ..."""
    module = get_format(name)
    path = snapshot.path / module.FILE
    with atomic_write(path) as out:
        module.write(snapshot, out, limit=limit)
    return path


@dataclass(slots=True)
class _Found:
    """What the shards came to: counts of records, the ledger, requests, and how many units have no answer."""

    ledger: LedgerWriter
    operations: manifests.Operations
    counts: Counts = field(default_factory=Counts)
    left: int = 0


def _reduced(folder: Path, journal: Journal, plan: Plan) -> _Found:
    """Reduce the shards into records and ledger; each is read once, and none is held."""
    expectations = [Expectation.model_validate(one) for one in plan.said["expect"]]
    refusals = Refusals(plan.said["actions"])
    ledger = LedgerWriter(journal.folder, lambda cell: any(one.matches(cell) for one in expectations), refusals.of)
    # STS may have been asked for new keys since the plan was written.
    entering = (journal.ending() or {}).get("operations") or plan.said["operations"]
    found = _Found(ledger, manifests.Operations(CallStats(**one) for one in entering))
    shards = journal.shards(plan)

    def on_foot(head: ShardHead, shard: Shard) -> None:
        _take(found, cached(shard) if shards[head.unit] else shard)

    found.counts = reduce([journal.shard_path(name) for name in sorted(shards)], folder, on_foot)
    told = set(shards)
    for shard in journal.without_shard():
        if shard.unit not in told:
            told.add(shard.unit)
            _take(found, shard)
    for cell in chain(journal.others(), _interrupted(plan, told, found)):
        found.ledger.add(cell)
    found.operations.add(take_refused())
    found.ledger.sums.denied.update((one, action, by) for one, action, by in plan.said["manifest"]["asides"])
    return found


def _take(found: _Found, shard: Shard) -> None:
    for cell in shard.cells:
        found.ledger.add(cell, shard.seen_at, cached=shard.cached)
    found.operations.add(shard.stats)


def _interrupted(plan: Plan, told: set[str], found: _Found) -> Iterator[Cell]:
    for unit in plan.units:
        if unit.name not in told:
            found.left += 1
            yield from unit.cells(Outcome.INTERRUPTED, "the scan was stopped before")


def _manifest(plan: Plan, journal: Journal, found: _Found) -> dict[str, Any]:
    """All of the manifest but the files."""
    ending = journal.ending()
    signum = ending.get("signum") if ending else None
    by_signal = {1: "SIGHUP", 2: "SIGINT", 15: "SIGTERM"}.get(signum or 0)
    last_sign = datetime.fromtimestamp(journal.last_sign_s(), UTC)
    interrupted = by_signal or (KILLED if ending is None and found.left else None)
    incomplete = manifests.EXIT_INCOMPLETE if found.ledger.sums.gaps else manifests.EXIT_COMPLETE
    said = {
        **plan.said["manifest"],
        "finished_at": ending["finished_at"] if ending else iso(last_sign),
        "exit_code": 128 + signum if signum else incomplete,
        "interrupted": interrupted,
        "operations": found.operations.rows(),
        "refused_calls": found.operations.refused(),
        "permissions": permissions_of(found.ledger.sums.denied),
    }
    said["totals"] = manifests.totals(found.counts, found.ledger.sums, said["operations"])
    said["exit_code"] = manifests.gated_exit_code(said)
    return said | manifests.counted(found.counts)


def now() -> str:
    """This moment, ISO 8601 UTC, to the second."""
    return iso(datetime.now(UTC))


def iso(moment: datetime) -> str:
    """A moment in UTC as manifests write it."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
