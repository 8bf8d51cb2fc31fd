"""One-worker slots: each slot is one process with one pipe. A dead worker costs its units one retry each, alone."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from types import ModuleType

from scanner import stopping
from scanner.executors.serial import Doer
from scanner.model import Beat, Job, Note, Shard, Unit
from scanner.outbox import Outbox

NAME = "processes"
_GRACE_S = 2.0
_CHECK_S = 1.0
# What each worker would import for itself, its first connection to a host by name too, before all is frozen.
_OF_WORKERS = ["scanner.executors.processes", "multiprocessing.popen_forkserver", "encodings.idna"]
_PRELOAD = [*_OF_WORKERS, "scanner.worker", "scanner.aws.preload"]

MakeWorker = Callable[[], Doer]
Tell = Callable[[Note | Beat], None]


@dataclass(frozen=True, slots=True)
class Lost:
    """A unit whose worker died twice, the second time with nothing else to do."""

    unit: Unit
    reason: str


@dataclass(slots=True)
class _Slot:
    process: BaseProcess
    pipe: Connection
    job: Job | None = None
    open_units: dict[str, Unit] = field(default_factory=dict)


def run(jobs: Iterable[Job], make_worker: MakeWorker, *, slots: int, tell: Tell) -> Iterator[Shard | Lost]:
    """Yield shards as they are finished, and units that were lost; what workers tell meanwhile goes to `tell`.

    Leaving the iterator early, by an exception too, ends all workers within seconds.
    """
    pool = _Pool(make_worker, slots, tell)
    try:
        yield from pool.run(iter(jobs))
    finally:
        pool.stop()


class _Pool:
    def __init__(self, make_worker: MakeWorker, slots: int, tell: Tell) -> None:
        self._context = _context()
        self._make_worker, self._tell = make_worker, tell
        self._wanted = slots
        self._slots: list[_Slot] = []
        self._again: deque[Job] = deque()
        self._retried: set[str] = set()

    def run(self, jobs: Iterator[Job]) -> Iterator[Shard | Lost]:
        while self._give_work(jobs):
            stopping.check()
            for ready in wait([slot.pipe for slot in self._slots], _CHECK_S):
                slot = next(one for one in self._slots if one.pipe is ready)
                yield from self._hear(slot)

    def _give_work(self, jobs: Iterator[Job]) -> bool:
        """Fill idle slots, open new ones up to the limit; whether anybody is still working."""
        while True:
            idle = next((slot for slot in self._slots if slot.job is None), None)
            if idle is None and len(self._slots) >= self._wanted:
                return True
            job = next(jobs, None) or (self._again.popleft() if self._again else None)
            if job is None:
                return any(slot.job for slot in self._slots)
            self._send(idle or self._open(), job)

    def _open(self) -> _Slot:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(  # type: ignore[attr-defined]
            target=_serve, args=(theirs, self._make_worker), daemon=True
        )
        with _no_main(), _ctrl_c_held():
            process.start()
        # Without this the pipe would stay open after the worker's death, and its end would never be heard.
        theirs.close()
        slot = _Slot(process, ours)
        self._slots.append(slot)
        return slot

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
        reason = _reason(slot.process.exitcode)
        self._tell(Note("WARNING", f"a worker died ({reason}) with {len(slot.open_units)} units unfinished"))
        if slot.job is None:
            return
        for name, unit in slot.open_units.items():
            if name in self._retried:
                yield Lost(unit, reason)
            else:
                self._retried.add(name)
                self._again.append(replace(slot.job, units=(unit,)))

    def stop(self) -> None:
        """End every worker: asked at first, then killed."""
        for slot in self._slots:
            slot.process.terminate()
        for slot in self._slots:
            slot.process.join(_GRACE_S)
            if slot.process.is_alive():
                slot.process.kill()
                slot.process.join(_GRACE_S)
            slot.pipe.close()
        self._slots.clear()


def warm_up() -> None:
    """Start the fork server now: it loads its models while the caller does something else."""
    if start_method() == "forkserver":
        _context()
        # First, because its start would let SIGINT through again, to a fork server that is still importing.
        resource_tracker.ensure_running()
        with _ctrl_c_held():
            forkserver.ensure_running()


def start_method() -> str:
    """forkserver where there is one, else spawn; never fork, which deadlocks when a lock is held."""
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def _context() -> BaseContext:
    method = start_method()
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(_PRELOAD)
    # `python -m pdb` runs programs in a __main__ without __spec__, which multiprocessing asks for.
    vars(sys.modules["__main__"]).setdefault("__spec__", None)
    return context


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Let no worker import the caller's main module: a script that calls `scan` unguarded would run in each again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _ctrl_c_held() -> Iterator[None]:
    """SIGINT is held back for a moment, and for good in a process that is started meanwhile.

    The terminal sends Ctrl-C to all of them; one that is still importing would die of it with a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _reason(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"killed by {signal.Signals(-exitcode).name}"
    return f"exit code {exitcode}"


def _serve(pipe: Connection, make_worker: MakeWorker) -> None:
    """The worker process: jobs come, shards go, until the pipe or the parent is gone."""
    # The terminal sends Ctrl-C to the whole group: the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    leave_no_core()
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    outbox = Outbox(pipe.send)
    worker = make_worker()
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        worker.do(job, outbox.put)
        outbox.put(None)


def leave_no_core() -> None:
    """Let no crash write this process's memory, with keys in it, to a disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _leave_with_parent() -> None:
    """Under forkserver the kernel's parent is the fork server, so the death of the real parent must be watched."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
