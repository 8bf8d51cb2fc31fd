"""How far a scan is, counted from its plan, its shards, and the signs of life of the jobs under way."""

from __future__ import annotations

import threading
import time
from dataclasses import astuple, dataclass, field

from scanner.catalog import Catalog
from scanner.model import Beat, Outcome, Shard, Unit
from scanner.plan import planned_cells

_SLOW_S = 5.0  # a call that takes longer is named with its age

Where = tuple[str, str]  # account and region


@dataclass(slots=True)
class Counts:
    """What was found and done so far."""

    cells: int = 0
    resources: int = 0
    calls: int = 0
    throttles: int = 0
    gaps: int = 0

    def add(self, other: Counts) -> None:
        """Count more."""
        self.cells += other.cells
        self.resources += other.resources
        self.calls += other.calls
        self.throttles += other.throttles
        self.gaps += other.gaps

    def in_words(self) -> str:
        """What was found; throttles and gaps only where there are any."""
        said = [_number(self.resources, "resource"), _number(self.calls, "call")]
        said += [_number(self.throttles, "throttle")] if self.throttles else []
        said += [_number(self.gaps, "gap")] if self.gaps else []
        return ", ".join(said)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


@dataclass(frozen=True, slots=True)
class Slowest:
    """Where a scan waits longest, and for what."""

    account: str
    region: str
    doing: str
    several_accounts: bool

    def __str__(self) -> str:
        place = f"{self.account} {self.region}" if self.several_accounts else self.region
        return f"{place}: {self.doing or 'between calls'}"


@dataclass(slots=True)
class _Job:
    """An account and region being scanned: what its finished units gave, and its last sign of life."""

    done: Counts
    beat: Beat
    heard: float = field(default_factory=time.monotonic)

    @property
    def age_s(self) -> float:
        """How long ago it gave a sign of life."""
        return time.monotonic() - self.heard

    @property
    def call_s(self) -> float:
        """For how long it has waited for one call."""
        return self.beat.doing_s + self.age_s if self.beat.doing else 0.0

    def unfinished(self) -> Counts:
        """What its unfinished units have given so far."""
        told = (self.beat.cells, self.beat.resources, self.beat.calls, self.beat.throttles, 0)
        return Counts(*(max(0, a - b) for a, b in zip(told, astuple(self.done), strict=True)))


class Tally:
    """Counts a scan by its plan, its shards, and the signs of life of what is under way. Safe for threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.total = 0  # cells of the plan
        self._finished = Counts()
        self._places: dict[str, Where] = {}
        self._cells: dict[str, int] = {}
        self._left: dict[Where, int] = {}
        self._done: dict[Where, Counts] = {}
        self._jobs: dict[Where, _Job] = {}
        self._lock = threading.Lock()

    def plan(self, units: tuple[Unit, ...]) -> int:
        """Take the plan; the number of accounts and regions in it."""
        sizes: dict[tuple[str, str, tuple[str, ...]], int] = {}
        with self._lock:
            for unit in units:
                alike = (unit.collector, unit.service, unit.types)
                if alike not in sizes:
                    sizes[alike] = len(planned_cells(self._catalog, unit, Outcome.OK, ""))
                where = (unit.account.id, unit.scope_region)
                self._places[unit.name], self._cells[unit.name] = where, sizes[alike]
                self._left[where] = self._left.get(where, 0) + 1
            self.total = sum(self._cells.values())
            return len(self._left)

    def shard(self, shard: Shard) -> None:
        """A unit is finished."""
        where = self._places[shard.unit]
        found = Counts(
            cells=self._cells[shard.unit],
            resources=shard.resources,
            calls=sum(one.calls for one in shard.stats),
            throttles=sum(one.throttles for one in shard.stats),
            gaps=sum(cell.is_gap for cell in shard.cells),
        )
        with self._lock:
            self._finished.add(found)
            self._done.setdefault(where, Counts()).add(found)
            self._left[where] -= 1
            if not self._left[where]:
                self._jobs.pop(where, None)

    def beat(self, beat: Beat) -> None:
        """A job lives."""
        where = (beat.account_id, beat.region)
        with self._lock:
            if where in self._jobs:
                self._jobs[where].beat, self._jobs[where].heard = beat, time.monotonic()
            elif self._left.get(where):
                self._jobs[where] = _Job(self._done.setdefault(where, Counts()), beat)

    def counts(self) -> Counts:
        """Everything so far, that of unfinished units too."""
        with self._lock:
            found = Counts(*astuple(self._finished))
            for job in self._jobs.values():
                found.add(job.unfinished())
            return found

    def slowest(self) -> Slowest | None:
        """Where the scan waits longest: for one call, or else the job that was begun first."""
        with self._lock:
            # max() takes the first of equals, and jobs are in the order of their beginning.
            waits = {where: job.call_s if job.call_s >= _SLOW_S else 0.0 for where, job in self._jobs.items()}
            where = max(waits, key=waits.__getitem__, default=None)
            if where is None:
                return None
            several = len({account for account, _ in self._left}) > 1
            return Slowest(*where, _doing(self._jobs[where]), several)


def _doing(job: _Job) -> str:
    if job.age_s >= _SLOW_S:
        return f"no sign of life for {job.age_s:.0f} s" + (f", last in {job.beat.doing}" if job.beat.doing else "")
    if job.call_s >= _SLOW_S:
        return f"{job.beat.doing} for {job.call_s:.0f} s"
    return job.beat.doing
