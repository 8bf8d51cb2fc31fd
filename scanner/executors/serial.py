"""Jobs one after another in this process: for debugging, tiny scans and machines without processes to spare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from scanner.model import Beat, Job, Note, Shard

Said = Shard | Note | Beat

NAME = "serial"


class Doer(Protocol):
    """What a worker is to an executor."""

    def do(self, job: Job, emit: Callable[[Said], None]) -> None:
        """Do a job, emitting shards and, from any thread, what is told meanwhile."""


def run(
    jobs: Iterable[Job], make_worker: Callable[[], Doer], *, slots: int, tell: Callable[[Note | Beat], None]
) -> Iterator[Shard]:
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

        worker.do(job, emit)
        yield from done
