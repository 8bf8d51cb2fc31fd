"""One-worker slots: each slot is one process with one pipe. A dead worker costs its units one retry each, alone."""

from __future__ import annotations

import contextlib
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from scanner import stopping
from scanner.executors import MakeWorker
from scanner.executors.machine import Machine
from scanner.executors.serving import OUT_OF_MEMORY, serve
from scanner.executors.starting import start, start_method, warm_up
from scanner.model import Beat, Job, Lost, Note, Shard, Unit

__all__ = ["NAME", "Lost", "run", "start_method", "warm_up"]

NAME = "processes"
_GRACE_S = 2.0
_CHECK_S = 0.25  # how often signals and memory are looked at

Tell = Callable[[Note | Beat], None]


@dataclass(slots=True)
class _Slot:
    process: BaseProcess
    pipe: Connection
    job: Job | None = None
    open_units: dict[str, Unit] = field(default_factory=dict)
    why: str = ""  # we ended it ourselves, for this reason


def run(jobs: Iterable[Job], make_worker: MakeWorker, *, slots: int, tell: Tell) -> Iterator[Shard | Lost]:
    """Yield shards as they are finished, and units that were lost; what workers tell meanwhile goes to `tell`.

    Leaving the iterator early, by an exception too, ends all workers within seconds.
    """
    pool = _Pool(jobs, make_worker, slots, tell)
    try:
        yield from pool.run()
    finally:
        pool.stop()


class _Pool:
    def __init__(self, jobs: Iterable[Job], make_worker: MakeWorker, slots: int, tell: Tell) -> None:
        self._jobs = iter(jobs)
        self._make_worker, self._tell = make_worker, tell
        self._wanted = slots
        self._slots: list[_Slot] = []
        self._again: deque[Job] = deque()
        self._retried: set[str] = set()
        self._machine, self._look_at = Machine(), 0.0
        self._kernel_kills = self._machine.out_of_memory_kills

    def run(self) -> Iterator[Shard | Lost]:
        while self._give_work():
            stopping.check()
            for ready in wait([slot.pipe for slot in self._slots], _CHECK_S):
                slot = next(one for one in self._slots if one.pipe is ready)
                yield from self._hear(slot)
            self._mind_memory()

    def _give_work(self) -> bool:
        """Fill idle slots, open new ones up to the limit; whether anybody is still working."""
        while True:
            idle = next((slot for slot in self._slots if slot.job is None), None)
            if idle is None and len(self._slots) >= self._wanted:
                return True
            job = next(self._jobs, None)
            if job is None and not self._again:
                return any(slot.job for slot in self._slots)
            if job is None:
                job = self._again.popleft()
                if idle:
                    # Alone means in a process without a past: what earlier jobs left in memory is not this unit's.
                    self._retire(idle)
                    idle = None
            self._send(idle or self._open(), job)

    def _open(self) -> _Slot:
        slot = _Slot(*start(serve, self._make_worker))
        self._slots.append(slot)
        return slot

    def _retire(self, slot: _Slot) -> None:
        """Let a worker go: the end of its pipe is the end of its work."""
        self._slots.remove(slot)
        slot.pipe.close()

    def _send(self, slot: _Slot, job: Job) -> None:
        slot.job, slot.open_units = job, {unit.name: unit for unit in job.units}
        # It may have died idle: its closed pipe is heard next, and the job's units are tried again.
        with contextlib.suppress(OSError):
            slot.pipe.send(job)

    def _hear(self, slot: _Slot) -> Iterator[Shard | Lost]:
        try:
            said = slot.pipe.recv()
        except (EOFError, OSError):
            yield from self._bury(slot)
            return
        if said is None:
            slot.job = None
        elif isinstance(said, Shard):
            slot.open_units.pop(said.unit, None)
            yield said
        else:
            self._tell(said)

    def _bury(self, slot: _Slot) -> Iterator[Shard | Lost]:
        self._slots.remove(slot)
        slot.pipe.close()
        slot.process.join(_GRACE_S)
        reason = slot.why or self._reason(slot.process.exitcode)
        self._tell(Note("WARNING", f"a worker died ({reason}) with {len(slot.open_units)} units unfinished"))
        if slot.job is None:
            return
        for name, unit in slot.open_units.items():
            if name in self._retried:
                yield Lost(unit, f"its worker died twice: {reason}")
            else:
                self._retried.add(name)
                self._again.append(replace(slot.job, units=(unit,)))

    def _mind_memory(self) -> None:
        """End workers that have grown beyond the ceiling, and let those go that are idle half-way to it."""
        ceiling_mb, now = self._make_worker.memory_mb, time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _CHECK_S
        for slot in list(self._slots):
            used_mb = self._machine.memory_mb(slot.process.pid or 0) or 0
            if used_mb > ceiling_mb and not slot.why:
                slot.why = _too_big(ceiling_mb)
                slot.process.kill()
            elif slot.job is None and used_mb > ceiling_mb // 2:
                self._retire(slot)

    def _reason(self, exitcode: int | None) -> str:
        kills = self._machine.out_of_memory_kills
        if exitcode == -signal.SIGKILL and kills > self._kernel_kills:
            self._kernel_kills = kills
            return "killed by the kernel, which had no memory left: lower execution.max_workers"
        if exitcode == OUT_OF_MEMORY:
            return "memory was refused to it: raise `ulimit -v`, or lower execution.max_workers"
        if exitcode is not None and exitcode < 0:
            return f"killed by {signal.Signals(-exitcode).name}"
        return f"exit code {exitcode}"

    def stop(self) -> None:
        """End every worker: asked at first, then killed."""
        for end in (BaseProcess.terminate, BaseProcess.kill):
            for slot in self._slots:
                end(slot.process)
            deadline = time.monotonic() + _GRACE_S
            for slot in self._slots:
                slot.process.join(max(0.0, deadline - time.monotonic()))
        for slot in self._slots:
            slot.pipe.close()
        self._slots.clear()


def _too_big(ceiling_mb: int) -> str:
    ceiling = f"it took more than {ceiling_mb:,} MB, the ceiling of execution.worker_memory_mb"
    return f"{ceiling}: raise that, or lower execution.service_workers"
