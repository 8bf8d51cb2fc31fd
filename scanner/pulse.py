"""The signs of life of a job under way: what came of it so far, and the call that it waits for, twice a second."""

from __future__ import annotations

import time
from typing import Protocol

from scanner.aws.calls import Lane
from scanner.aws.traces import Tell
from scanner.model import Beat, Job, Unit
from scanner.store.shards import ShardWriter

BEAT_S = 0.5


class Pulsing(Protocol):
    """A unit that is being scanned: its calls, its records, and how many cells it has filled."""

    unit: Unit
    lane: Lane
    writer: ShardWriter
    cells: int


class Pulse:
    """The signs of life of a job: the first at once, then two a second. `due`: when the first may be (never: inf)."""

    def __init__(self, job: Job, tell: Tell, due: float) -> None:
        self._unit, self._tell, self._due = job.units[0], tell, due
        self.runs: list[Pulsing] = []
        self.beat()

    def beat(self) -> None:
        """Tell what came of the job so far, if it is time."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + BEAT_S
        stats = [one for run in self.runs for one in run.lane.stats]
        open_calls = [(*oldest, run.unit.service) for run in self.runs if (oldest := run.lane.oldest)]
        since, operation, service = min(open_calls, default=(now, "", ""))
        beat = Beat(
            account_id=self._unit.account.id,
            region=self._unit.scope_region,
            cells=sum(run.cells for run in self.runs),
            resources=sum(run.writer.count for run in self.runs),
            calls=sum(one.calls for one in stats),
            throttles=sum(one.throttles for one in stats),
            doing=f"{service} {operation}".strip(),
            doing_s=now - since,
        )
        self._tell(beat)
