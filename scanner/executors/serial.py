"""Jobs one after another in this process: for debugging, tiny scans and machines without processes to spare."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace

from scanner.executors import Doer, MakeWorker
from scanner.model import Beat, Job, Lost, Note, Shard, Unit

__all__ = ["NAME", "Doer", "run"]

Said = Shard | Note | Beat

NAME = "serial"
_NO_MEMORY = "this process was refused memory: raise `ulimit -v`, or lower execution.service_workers"


def run(
    jobs: Iterable[Job], make_worker: MakeWorker, *, slots: int, tell: Callable[[Note | Beat], None]
) -> Iterator[Shard | Lost]:
    """Yield the shards of all jobs; what is told meanwhile goes straight to `tell`.

    `slots` is for executors that have several workers.
    """
    del slots
    worker = make_worker()
    for job in jobs:
        left = yield from _done(worker, job, tell)
        if left is None:
            continue
        for unit in left:
            # As where workers are processes: once more, alone, so that only the unit that needs too much is lost.
            again = yield from _done(make_worker(), replace(job, units=(unit,)), tell)
            if again:
                yield Lost(unit, _NO_MEMORY)
        worker = make_worker()


def _done(
    worker: Doer, job: Job, tell: Callable[[Note | Beat], None]
) -> Generator[Shard, None, tuple[Unit, ...] | None]:
    """Do a job; its shards, and the units that are not done if the worker was refused memory, and is of no more use."""
    done: list[Shard] = []

    def emit(said: Said) -> None:
        if isinstance(said, Shard):
            done.append(said)
        else:
            tell(said)

    left: tuple[Unit, ...] | None = None
    try:
        worker.do(job, emit)
    except MemoryError:
        finished = {shard.unit for shard in done}
        left = tuple(unit for unit in job.units if unit.name not in finished)
    yield from done
    return left
