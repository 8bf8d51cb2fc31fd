"""One job in, its shards out: the units of one account and region, their types side by side in threads."""

from __future__ import annotations

import gc
import math
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from scanner.aws.addresses import adopt
from scanner.aws.calls import Lane
from scanner.aws.clients import Clients
from scanner.aws.guard import take_refused
from scanner.aws.outcomes import one_line
from scanner.aws.renewal import KeyRing
from scanner.aws.settings import DoorSettings
from scanner.aws.traces import Wanted, listen
from scanner.catalog import Catalog, load_catalog
from scanner.catalog.arns import ArnParser
from scanner.catalog.spec import ResourceType
from scanner.collectors.ledger import Ledger
from scanner.collectors.services import Pools, TypeScan
from scanner.collectors.tagging import GET_RESOURCES, TaggingScan
from scanner.errors import GapError, SnapshotError
from scanner.filters import sift
from scanner.model import Beat, Job, Note, Outcome, Shard, Unit
from scanner.pulse import BEAT_S, Pulse
from scanner.store.cache import unit_key
from scanner.store.shards import ShardWriter

_JOBS_A_COLLECTION = 8  # 20 ms each


@dataclass(frozen=True, slots=True)
class WorkSpec:
    """What every worker of a scan is told once; called, it makes one. `scratch`: the folder of the scan's shards."""

    door: DoorSettings
    scratch: str
    threads: int
    key_parts: tuple[tuple[str, str], ...]  # what else the cache key is made of: versions, endpoint, redaction
    catalog_dirs: tuple[Path, ...] = ()
    wanted: Wanted = field(default_factory=Wanted)  # what is told while it works
    environment: tuple[tuple[str, str], ...] = ()  # of the scan, where it decides on the way to AWS
    include_sensitive: bool = False
    memory_mb: int = 1024  # what a worker may take

    def __call__(self) -> Worker:
        """A worker, in this process."""
        return Worker(self)

    def key(self, unit: Unit) -> str:
        """The unit's cache key under this scan's circumstances."""
        return unit_key(unit, **dict(self.key_parts))

    def shard_path(self, unit: Unit) -> Path:
        """Where the unit's shard goes."""
        return Path(self.scratch) / f"{unit.name}.jsonl.zst"


class _UnitRun:
    """A unit while it is being scanned: its ledger, its writer, and the types still running."""

    def __init__(self, unit: Unit, lane: Lane, spec: WorkSpec, pools: Pools) -> None:
        self.unit, self.lane, self.pools = unit, lane, pools
        self.ledger = Ledger(unit)
        self.writer = ShardWriter(spec.shard_path(unit), unit.name, spec.key(unit))
        self.running = self.cells = 0
        self.catalog_dirs, self.include_sensitive = spec.catalog_dirs, spec.include_sensitive
        catalog = load_catalog(spec.catalog_dirs)
        self.kinds = {kind: catalog.type_of(unit.service, kind) for kind in _with_parents(unit, catalog)}

    def first_steps(self) -> list[_Step]:
        """What can start at once: types without a parent, or the tagging API."""
        if self.unit.collector == "tagging":
            return [_Step(self, None)]
        return [_Step(self, kind) for kind in self.kinds.values() if not kind.of_parent]

    def finish(self) -> Shard:
        """The unit's shard; where the disk refuses it, all that was asked is a gap that says so."""
        stats = (*self.lane.stats, *take_refused())
        cells = self.ledger.cells({one.operation: one.calls for one in stats})
        try:
            return self.writer.finish(cells, stats, self._lists())
        except SnapshotError as error:
            self.writer.discard()
            why = one_line(str(error))
            gaps = (replace(one, outcome=Outcome.ERROR, resources=0, code="NotWritten", message=why) for one in cells)
            return Shard(self.unit.name, None, 0, tuple(gaps), stats)

    def _lists(self) -> frozenset[tuple[str, str]]:
        """The cells that records come from."""
        lists = {(kind.resource_type, kind.list.operation) for kind in self.kinds.values()}
        return frozenset(lists | {("*", GET_RESOURCES.operation)})


@dataclass(frozen=True, slots=True)
class _Step:
    """One resource type of a unit, ready to be scanned; None: the tagging API."""

    run: _UnitRun
    kind: ResourceType | None
    above: TypeScan | None = None

    @property
    def cells(self) -> int:
        """How many lines of the ledger it fills."""
        if self.kind is None:
            return 1
        return len({call.operation for call in self.kind.calls}) if self.kind.kind in self.run.unit.types else 0

    def __call__(self) -> list[_Step]:
        """Scan it into the writer; the steps that this made possible."""
        run, kind = self.run, self.kind
        below = [one for one in run.kinds.values() if kind and one.of_parent == kind.kind]
        types = None if kind is None else self._type_scan(kind, keep_parents=bool(below))
        try:
            if types is None:
                self._write(TaggingScan(run.unit, run.lane, run.ledger, *_arns_of(run.catalog_dirs)).run())
            else:
                self._scan(types)
        except MemoryError:
            raise  # no answer of AWS's: the executor knows what a process without memory is worth
        except Exception as error:
            gap = self._note_defect(error)
            if types is not None and kind is not None:
                types.gap = types.gap or gap
                if kind.kind in run.unit.types:
                    types.close()
        return [_Step(run, one, types) for one in below]

    def _type_scan(self, kind: ResourceType, *, keep_parents: bool) -> TypeScan:
        run = self.run
        return TypeScan(
            run.unit, kind, run.lane, run.ledger, run.pools, keep_parents=keep_parents,
            include_sensitive=run.include_sensitive,
        )  # fmt: skip

    def _scan(self, types: TypeScan) -> None:
        if self.kind and self.kind.kind in self.run.unit.types:
            self._write(types.run(*((self.above.parents, self.above.gap) if self.above else ())))
        else:
            types.list_only(self.above.parents if self.above else ())

    def _write(self, records: Iterator[dict[str, object]]) -> None:
        for record in sift(records, self.run.unit.filters, self._note_unjudged):
            self.run.writer.add(record)

    def _note_unjudged(self, name: str) -> None:
        """A resource that a filter could not judge is not in the inventory, and that is a gap."""
        message = f"AWS did not say what filter {name} asks for"
        self._note_gap(GapError(Outcome.TRUNCATED, "NotJudged", message))

    def _note_defect(self, error: Exception) -> GapError:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        message = one_line(f"{error} ({Path(frame.filename).name}:{frame.lineno})")
        gap = GapError(Outcome.ERROR, type(error).__name__, message)
        self._note_gap(gap)
        return gap

    def _note_gap(self, gap: GapError) -> None:
        name, operation = ("*", "get_resources")
        if self.kind:
            name, operation = self.kind.resource_type, self.kind.list.operation
        self.run.ledger.gap(name, operation, gap)


class Worker:
    """Does jobs, one after another, in one process; models and threads stay warm between them."""

    def __init__(self, spec: WorkSpec) -> None:
        self._spec = spec
        adopt(spec.environment)
        self._clients = Clients(spec.door, load_catalog(spec.catalog_dirs).operations())
        self._jobs = 0
        self._types = ThreadPoolExecutor(spec.threads)
        self._pools = Pools(ThreadPoolExecutor(spec.threads), ThreadPoolExecutor(spec.threads))
        # Cyclic garbage is rare here and its collector costs a quarter of the time that large pages need.
        gc.freeze()
        gc.set_threshold(200_000, 20, 20)

    def do(self, job: Job, emit: Callable[[Shard | Note | Beat], None]) -> None:
        """Scan the units of a job and emit each one's shard as soon as it is whole."""
        with ExitStack() as unless_done:
            # What is left of the job is no longer wanted: threads that nobody waits for must find nothing to do.
            for pool in (self._types, self._pools.parents, self._pools.items):
                unless_done.callback(pool.shutdown, wait=False, cancel_futures=True)
            self._do(job, emit)
            unless_done.pop_all()

    def _do(self, job: Job, emit: Callable[[Shard | Note | Beat], None]) -> None:
        wanted, waiting = self._spec.wanted, dict[Future[list[_Step]], _Step]()
        listen(wanted, emit)
        pulse = Pulse(job, emit, due=0.0 if wanted.beats else math.inf)
        self._clients.route({unit.service: unit.endpoint for unit in job.units})
        ring = KeyRing(job, self._clients, self._spec.door)
        for unit in job.units:
            hold = ring.hold(unit.region, unit.service)
            lane = Lane(hold.client(), self._spec.door, unit, hold)
            pulse.runs.append(run := _UnitRun(unit, lane, self._spec, self._pools))
            for step in run.first_steps():
                _start(self._types, step, waiting)
        while waiting:
            for future in wait(waiting, BEAT_S if wanted.beats else None, FIRST_COMPLETED).done:
                step = waiting.pop(future)
                step.run.running -= 1
                step.run.cells += step.cells
                for next_step in future.result():
                    _start(self._types, next_step, waiting)
                if step.run.running == 0:
                    emit(step.run.finish())
            pulse.beat()
        # The next job is another region or account: its calls would never use these connections.
        self._clients.close()
        self._jobs += 1
        if self._jobs % _JOBS_A_COLLECTION == 0:
            # What is left of clients are cycles: the collector, told to wait, would let those of a hundred jobs add up.
            gc.collect()


def _start(pool: ThreadPoolExecutor, step: _Step, waiting: dict[Future[list[_Step]], _Step]) -> None:
    step.run.running += 1
    waiting[pool.submit(step)] = step


def _with_parents(unit: Unit, catalog: Catalog) -> list[str]:
    """The kinds of a unit and, above them, the kinds that must be listed to ask for them."""
    if unit.collector == "tagging":
        return []
    kinds = list(unit.types)
    for kind in kinds:
        parent = catalog.type_of(unit.service, kind).of_parent
        if parent and parent not in kinds:
            kinds.append(parent)
    return kinds


@lru_cache(maxsize=1)
def _arns_of(catalog_dirs: tuple[Path, ...]) -> tuple[ArnParser, dict[str, str]]:
    """What reads ARNs, and the CloudFormation names of the types that they are of."""
    types = load_catalog(catalog_dirs).types
    return ArnParser(types), {f"{kind.service}:{kind.kind}": kind.cfn for kind in types if kind.cfn}
