"""The scan: Profile -> accounts -> Units -> Shards -> Snapshot. Read `scan` first, it is the whole program."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain

from scanner import manifest as ledgers
from scanner import means
from scanner.access import Access, reach_accounts
from scanner.ahead import warm_up
from scanner.aws.renewal import KeyDesk
from scanner.aws.traces import Wanted, listen
from scanner.begin import plan_of, shard_of
from scanner.catalog import Catalog
from scanner.errors import GapError, Interrupted, NoCredentialsError, ProfileError
from scanner.executors import get as get_executor
from scanner.finish import finish, now
from scanner.model import Beat, Desk, Job, Lost, Note, Outcome, Shard, Unit
from scanner.plan import jobs_of, left_out, plan, planned_cells
from scanner.profile import LoadedProfile
from scanner.resume import Earlier, drop, find_earlier, refuse_lost_accounts, take_over
from scanner.routes import Told, manifest_of, routed
from scanner.share import Part
from scanner.store.cache import Cache
from scanner.store.journal import Journal
from scanner.store.snapshots import Snapshot
from scanner.worker import WorkSpec

ALL = Part()


@dataclass(slots=True)
class Run:
    """A scan under way: what it does, and the journal of what has come of it. Nothing here grows with its results."""

    catalog: Catalog
    access: Access
    units: tuple[Unit, ...]
    endpoints: Told  # where others than AWS are asked
    journal: Journal
    done: set[str] = field(default_factory=set)
    signum: int | None = None

    def take(self, shard: Shard) -> None:
        """A unit is finished."""
        self.done.add(shard.unit)
        self.journal.add(shard)


@dataclass(frozen=True, slots=True)
class Hooks:
    """How a scan talks while it runs: the plan, every shard as it comes, lines for the log, signs of life.

    `wanted` switches traces on. Notes and beats may come from any thread.
    """

    on_plan: Callable[[tuple[Unit, ...]], None] = lambda _: None
    on_shard: Callable[[Shard], None] = lambda _: None
    on_note: Callable[[Note], None] = lambda _: None
    on_beat: Callable[[Beat], None] = lambda _: None
    wanted: Wanted = field(default_factory=Wanted)

    def warn(self, text: str) -> None:
        """Log a warning."""
        self.on_note(Note("WARNING", text))

    def hear(self, said: Note | Beat) -> None:
        """Pass on what a worker, or the door to AWS in this process, tells."""
        if isinstance(said, Note):
            self.on_note(said)
        else:
            self.on_beat(said)


def scan(loaded: LoadedProfile, hooks: Hooks | None = None, part: Part = ALL) -> Snapshot:
    """Scan what a profile names and write a snapshot.

    Raises NoCredentialsError where no account is usable, SnapshotError where the disk refuses, ProfileError for an
    earlier scan that cannot be resumed. SIGINT and SIGTERM, raised as Interrupted by the caller's handlers, end the
    workers and still give a snapshot of what was finished.
    """
    hooks = hooks or Hooks()
    listen(hooks.wanted, hooks.hear)
    profile, catalog = loaded.profile, loaded.catalog
    door = means.door_settings(loaded, lambda text: hooks.on_note(Note("INFO", text)))
    means.check_reports_folder(loaded)
    cache = means.open_cache(loaded, hooks.warn)
    earlier = find_earlier(means.reports_folder(loaded), loaded, part.share, hooks.warn) if part.resume else None
    warm_up(loaded)
    access = reach_accounts(profile, door, catalog, cache)
    if not access.reached:
        raise NoCredentialsError(no_credentials_message(access, loaded))
    if earlier:
        refuse_lost_accounts(earlier, access)
    planned = _planned(loaded, access, part)
    with means.new_folder(loaded) as folder:
        units, endpoints = routed(planned, access.configurations, door)
        spec = means.work_spec(loaded, door, folder, hooks.wanted)
        run = Run(catalog, access, units, endpoints, Journal(folder))
        hooks.on_plan(units)
        _begin(loaded, run, spec, earlier, hooks, part)
        try:
            for shard in _shards(loaded, spec, cache, run, hooks):
                run.take(shard)
                hooks.on_shard(shard)
        except Interrupted as stop:
            run.signum = stop.signum
            hooks.warn("stopping; what was finished is being written (once more: leave at once)")
        snapshot = finish(folder, run.journal, run.signum, profile.reports.finish_at_once_mb, access.stats)
    if earlier:
        drop(earlier.line, folder.parent)
    for line in ledgers.gate_lines(snapshot.manifest):
        hooks.on_note(Note("ERROR", line))
    return snapshot


def _planned(loaded: LoadedProfile, access: Access, part: Part) -> tuple[Unit, ...]:
    """The units of the scan. Raises ProfileError where filters leave nothing to ask: that would look like nothing."""
    units = plan(loaded.profile, loaded.catalog, access.reached, part.share)
    if not units and part.share is None:
        left = left_out(loaded.profile, loaded.catalog, access.reached)
        reasons = {one.message: one.resource_type for one in left if one.outcome is Outcome.SKIPPED}
        if reasons:
            raise ProfileError([f"nothing is left to ask: {kind}: {why}" for why, kind in sorted(reasons.items())])
    return units


def no_credentials_message(access: Access, loaded: LoadedProfile) -> str:
    """One line that names each account, its place in the profile, and what to do."""
    places = [loaded.account_places[at] if loaded.account_places else None for at in access.entries]
    said = zip(access.lines, places, strict=True)
    lines = [": ".join(filter(None, [place, line.name or line.id, line.message])) for line, place in said]
    return "no account has usable credentials: " + " | ".join(lines)


def _begin(loaded: LoadedProfile, run: Run, spec: WorkSpec, earlier: Earlier | None, hooks: Hooks, part: Part) -> None:
    """Write down what is going to be done; of an earlier scan, first what it knows and so need not be asked."""
    said = {"scan_id": run.journal.folder.parent.name, "started_at": earlier.started_at if earlier else now()}
    more = {"shard": shard_of(part.share), "resumed": earlier.line if earlier else [], **manifest_of(run.endpoints)}
    intent = plan_of(loaded, run.access, run.units, spec.key, said | more)
    if earlier:
        for shard in take_over(earlier, intent, run.journal, hooks.warn):
            run.done.add(shard.unit)
            hooks.on_shard(shard)
        kept = f"{len(run.done):,} of {len(run.units):,} units are known from it"
        hooks.on_note(Note("INFO", f"resuming {earlier.folder.name}, begun {earlier.started_at}: {kept}"))
    skipped = left_out(loaded.profile, run.catalog, run.access.reached, part.share)
    run.journal.begin(intent, chain(run.access.cells, skipped))


def _shards(loaded: LoadedProfile, spec: WorkSpec, cache: Cache | None, run: Run, hooks: Hooks) -> Iterator[Shard]:
    """Every open unit's shard: from the cache where it is young and whole, else from a worker."""
    waiting: list[Unit] = []
    for unit in run.units:
        if unit.name in run.done:
            continue
        shard = cache.get(spec.key(unit), spec.shard_path(unit)) if cache else None
        if shard:
            yield shard
        else:
            waiting.append(unit)
    by_name = {unit.name: unit for unit in waiting}
    with closing(_execute(loaded, spec, waiting, run, hooks)) as made:
        for one in made:
            if isinstance(one, Lost):
                yield _lost(one, run.catalog)
            else:
                if cache:
                    cache.put(spec.key(by_name[one.unit]), one)
                yield one


def _execute(
    loaded: LoadedProfile, spec: WorkSpec, units: list[Unit], run: Run, hooks: Hooks
) -> Generator[Shard | Lost, None, None]:
    execution = loaded.profile.execution
    slots = means.slots_for(execution, len(list(jobs_of(units))))
    spread = get_executor(execution.executor).run
    if units:
        with KeyDesk(run.access.other_keys) as desk:
            jobs = _jobs(units, run, desk)
            yield from spread(jobs, spec, slots=slots, tell=hooks.hear)


def _jobs(units: list[Unit], run: Run, desk: Desk) -> Iterator[Job]:
    """One job per account and region, with keys that are fresh when it starts, and where to get others."""
    for group in jobs_of(units):
        try:
            yield Job(group, run.access.keys(group[0].account), desk)
        except GapError as gap:
            for unit in group:
                cells = planned_cells(run.catalog, unit, Outcome.CREDENTIALS, gap.message)
                run.take(Shard(unit.name, None, 0, cells))


def _lost(lost: Lost, catalog: Catalog) -> Shard:
    return Shard(lost.unit.name, None, 0, planned_cells(catalog, lost.unit, Outcome.LOST, lost.reason))
