"""Jobs one after another in this process: for debugging, tiny scans and machines without processes to spare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from scanner.executors import Doer, MakeWorker
from scanner.model import Beat, Job, Lost, Note, Shard

__all__ = ["NAME", "Doer", "run"]

Said = Shard | Note | Beat

NAME = "serial"
_NO_MEMORY = "this process was refused memory: raise `ulimit -v`, or lower execution.service_workers"


def run(
    jobs: Iterable[Job], make_worker: MakeWorker, *, slots: int, tell: Callable[[Note | Beat], None]
) -> Iterator[Shard | Lost]:
    """Yield the shards of all jobs; what is told meanwhile goes straight to `tell`.

    `make_worker` is called once; `slots` is for executors that have several.
    """
    del slots
    worker = make_worker()
    for job in jobs:
        done: list[Shard] = []

        def emit(said: Said, done: list[Shard] = done) -> None:
            if isinstance(said, Shard):
                done.append(said)
            else:
                tell(said)

        try:
            worker.do(job, emit)
        except MemoryError:
            finished = {shard.unit for shard in done}
            yield from (Lost(unit, _NO_MEMORY) for unit in job.units if unit.name not in finished)
            worker = make_worker()
        yield from done
