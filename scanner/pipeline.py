"""The scan: Profile -> accounts -> Units -> Shards -> Snapshot. Read `scan` first, it is the whole program."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from scanner import manifest as ledgers
from scanner.access import Access, reach_accounts
from scanner.aws.preload import SERVICES_VARIABLE
from scanner.aws.settings import DoorSettings
from scanner.catalog import Catalog
from scanner.errors import GapError, Interrupted, NoCredentialsError, SnapshotError, Stopped
from scanner.executors import get as get_executor
from scanner.executors.processes import Lost
from scanner.filters import digest
from scanner.formats import get as get_format
from scanner.model import Cell, Job, Note, Outcome, Shard, Unit
from scanner.plan import jobs_of, left_out, plan, planned_cells, select_types
from scanner.profile import LoadedProfile
from scanner.reduce import reduce
from scanner.selection import selection_of
from scanner.store.cache import Cache, cache_folder, default_cache_dir
from scanner.store.files import atomic_write, check_writable, make_private_dir
from scanner.store.snapshots import Snapshot, load_snapshot, point_latest
from scanner.worker import Worker, WorkSpec

_STOPPED = "stopped.json"  # in the folder of shards: what `finish_stopped` must know, until the manifest has it


@dataclass(frozen=True, slots=True)
class Hooks:
    """How a scan talks while it runs: the plan, every shard as it comes, and lines for the log."""

    on_plan: Callable[[tuple[Unit, ...]], None] = lambda _: None
    on_shard: Callable[[Shard], None] = lambda _: None
    on_note: Callable[[Note], None] = lambda _: None


@dataclass(slots=True)
class _Run:
    """A scan under way: where it writes and what has come of it so far."""

    folder: Path
    started_at: str
    catalog: Catalog
    units: tuple[Unit, ...] = ()
    shards: list[Shard] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)  # of accounts and units that left no shard
    signum: int | None = None


def scan(loaded: LoadedProfile, hooks: Hooks | None = None) -> Snapshot:
    """Scan what a profile names and write a snapshot.

    Raises NoCredentialsError where no account is usable, SnapshotError where the disk refuses. SIGINT and SIGTERM,
    raised as Interrupted by the caller's handlers, end the workers and still give a snapshot of what was finished.
    """
    hooks = hooks or Hooks()
    profile, catalog = loaded.profile, loaded.catalog
    door = door_settings(loaded)
    with _blaming_reports_dir():
        check_writable(_reports_folder(loaded))
    cache = open_cache(loaded, hooks)
    warm_up(loaded, catalog)
    access = reach_accounts(profile, door, catalog, cache)
    if not access.reached:
        raise NoCredentialsError(no_credentials_message(access))
    run = _Run(_new_folder(loaded), _now(), catalog, plan(profile, catalog, access.reached), cells=list(access.cells))
    run.cells.extend(left_out(profile, catalog, access.reached))
    spec = _work_spec(loaded, door, catalog, run)
    hooks.on_plan(run.units)
    try:
        for shard in _shards(loaded, access, spec, cache, run, hooks):
            run.shards.append(shard)
            hooks.on_shard(shard)
    except Interrupted as stop:
        run.signum = stop.signum
    finished = {shard.unit for shard in run.shards}
    for unit in run.units:
        if unit.name not in finished:
            run.cells.extend(planned_cells(catalog, unit, Outcome.INTERRUPTED, "the scan was stopped before"))
    snapshot = _snapshot(loaded, access, catalog, run)
    for line in ledgers.gate_lines(snapshot.manifest):
        hooks.on_note(Note("ERROR", line))
    return snapshot


def warm_up(loaded: LoadedProfile, catalog: Catalog) -> None:
    """Let the fork server load its models while STS is asked."""
    start = getattr(get_executor(loaded.profile.execution.executor), "warm_up", None)
    if start is None:
        return
    words = [loaded.profile.services, *(one.services for one in loaded.profile.accounts if one.services)]
    services = {kind.service for some in words for kind in select_types(catalog, some)}
    # Read by the fork server's preload; the variable is for our own children only.
    os.environ[SERVICES_VARIABLE] = ",".join(sorted(services))
    start()


def door_settings(loaded: LoadedProfile) -> DoorSettings:
    """The profile's patience and pace, as the door to AWS takes them."""
    retry, limits = loaded.profile.retry, loaded.profile.limits
    return DoorSettings(
        endpoint_url=loaded.profile.endpoint_url,
        max_attempts=retry.max_attempts,
        initial_wait_s=retry.initial_wait_s,
        max_wait_s=retry.max_wait_s,
        connect_timeout_s=retry.connect_timeout_s,
        read_timeout_s=retry.read_timeout_s,
        call_deadline_s=retry.call_deadline_s,
        rate_per_s=limits.rate_per_s,
        burst=limits.burst,
        connections=3 * loaded.profile.execution.service_workers,
    )


def open_cache(loaded: LoadedProfile, hooks: Hooks) -> Cache | None:
    """The cache of the profile; None where it is switched off or (with a warning) where it cannot be kept."""
    settings = loaded.profile.cache
    if not settings.enabled:
        return None

    def warn(text: str) -> None:
        hooks.on_note(Note("WARNING", text))

    try:
        cache = Cache(cache_folder(settings.dir or default_cache_dir()), settings.ttl_s, warn)
    except SnapshotError as error:
        warn(f"cache: {error}; scanning without it")
        return None
    cache.sweep()
    return cache


def no_credentials_message(access: Access) -> str:
    """One line that names each account and what to do."""
    lines = [f"{line.name or line.id or 'ambient credentials'}: {line.message}" for line in access.lines]
    return "no account has usable credentials: " + " | ".join(lines)


def _shards(
    loaded: LoadedProfile, access: Access, spec: WorkSpec, cache: Cache | None, run: _Run, hooks: Hooks
) -> Iterator[Shard]:
    """Every unit's shard: from the cache where it is young and whole, else from a worker."""
    waiting: list[Unit] = []
    for unit in run.units:
        shard = cache.get(spec.key(unit), spec.shard_path(unit)) if cache else None
        if shard:
            yield shard
        else:
            waiting.append(unit)
    by_name = {unit.name: unit for unit in waiting}
    with closing(_execute(loaded, access, spec, waiting, run)) as said:
        for one in said:
            if isinstance(one, Note):
                hooks.on_note(one)
            elif isinstance(one, Lost):
                yield _lost(one, run.catalog)
            else:
                if cache:
                    cache.put(spec.key(by_name[one.unit]), one)
                yield one


def _execute(
    loaded: LoadedProfile, access: Access, spec: WorkSpec, units: list[Unit], run: _Run
) -> Generator[Shard | Note | Lost, None, None]:
    make_worker = partial(Worker, spec)
    execution = loaded.profile.execution
    slots = slots_for(execution.max_workers, execution.memory_limit_mb, len(list(jobs_of(units))))
    if units:
        yield from get_executor(execution.executor).run(_jobs(access, units, run), make_worker, slots=slots)


def _jobs(access: Access, units: list[Unit], run: _Run) -> Iterator[Job]:
    """One job per account and region, with keys that are fresh when it starts."""
    for group in jobs_of(units):
        try:
            yield Job(group, access.keys(group[0].account))
        except GapError as gap:
            for unit in group:
                cells = planned_cells(run.catalog, unit, Outcome.CREDENTIALS, gap.message)
                run.shards.append(Shard(unit.name, None, 0, cells))


def slots_for(max_workers: int | None, memory_limit_mb: int | None, jobs: int) -> int:
    """How many processes: bounded by the profile, by jobs, by two per core, and by memory (150 MB each)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free_mb = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    by_memory = (memory_limit_mb or free_mb // 2) // 150
    return max(1, min(max_workers or 8, 2 * cores, by_memory, jobs))


def _lost(lost: Lost, catalog: Catalog) -> Shard:
    message = f"its worker died twice: {lost.reason}"
    return Shard(lost.unit.name, None, 0, planned_cells(catalog, lost.unit, Outcome.LOST, message))


def _work_spec(loaded: LoadedProfile, door: DoorSettings, catalog: Catalog, run: _Run) -> WorkSpec:
    versions = ledgers.versions(catalog.version)
    parts = {name: versions[name] for name in ("aws-scanner", "catalog")}
    parts["endpoint"] = door.endpoint_url or os.environ.get("AWS_ENDPOINT_URL", "")
    parts["filter_code"] = digest(loaded.profile.chosen_filters)
    threads = loaded.profile.execution.service_workers
    folders = tuple(one.resolve() for one in loaded.profile.catalog_dirs)
    scratch = str(make_private_dir(run.folder / "shards"))
    return WorkSpec(door, scratch, threads, tuple(sorted(parts.items())), folders)


def _reports_folder(loaded: LoadedProfile) -> Path:
    return Path(loaded.profile.reports.dir) / loaded.profile.name


def _new_folder(loaded: LoadedProfile) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    with _blaming_reports_dir():
        return make_private_dir(_reports_folder(loaded) / f"{stamp}-{uuid4().hex[:8]}")


@contextmanager
def _blaming_reports_dir() -> Iterator[None]:
    try:
        yield
    except SnapshotError as error:
        remedy = "name another folder: `reports.dir` in the profile, or --set reports.dir=FOLDER"
        raise SnapshotError(f"reports cannot be written: {error}; {remedy}") from None


def _snapshot(loaded: LoadedProfile, access: Access, catalog: Catalog, run: _Run) -> Snapshot:
    """Write what was found; where that must wait or fails, `finish_stopped` has all it needs to do so later."""
    reports = loaded.profile.reports
    paths = sorted(Path(shard.path) for shard in run.shards if shard.path)
    stopped = {
        "manifest": _manifest(loaded, access, catalog, run),
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
        return _finish(run.folder, stopped)
    except Interrupted as stop:
        raise Stopped(run.folder, stop.signum) from None
    except SnapshotError as error:
        raise SnapshotError(f"{error}; what was found is kept: aws-scanner report {run.folder}") from None


def is_stopped(folder: Path) -> bool:
    """Whether a folder holds a scan that was stopped before its shards were reduced."""
    return (folder / "shards" / _STOPPED).is_file()


def finish_stopped(folder: Path) -> Snapshot:
    """Make the snapshot of a scan that was stopped. Raises SnapshotError where a shard is damaged or gone."""
    return _finish(folder, _read_stopped(folder / "shards" / _STOPPED), is_newest=_is_newest(folder))


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


def _finish(folder: Path, stopped: dict[str, Any], *, is_newest: bool = True) -> Snapshot:
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


def _manifest(loaded: LoadedProfile, access: Access, catalog: Catalog, run: _Run) -> dict[str, Any]:
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
        "finished_at": _now(),
        "exit_code": 128 + run.signum if run.signum else incomplete,
        "interrupted": {2: "SIGINT", 15: "SIGTERM"}.get(run.signum or 0),
        "versions": ledgers.versions(catalog.version),
        "endpoint_url": loaded.profile.endpoint_url or os.environ.get("AWS_ENDPOINT_URL"),
        "selection": selection_of(loaded.profile, access.reached, run.units, catalog),
        "accounts": [
            {**{name: getattr(line, name) for name in line.__slots__}, "regions": list(line.regions)}
            for line in access.lines
        ],
        "ledger": ledger,
        "operations": operations,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
