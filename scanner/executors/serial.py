"""Jobs one after another in this process: for debugging, tiny scans and machines without processes to spare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from scanner.model import Job, Shard

NAME = "serial"


class Doer(Protocol):
    """What a worker is to an executor."""

    def do(self, job: Job, emit: Callable[[Shard], None]) -> None:
        """Do a job, emitting shards."""


def run(jobs: Iterable[Job], make_worker: Callable[[], Doer], *, slots: int = 1) -> Iterator[Shard]:  # noqa: ARG001
    """Yield the shards of all jobs. `make_worker` is called once; `slots` is for executors that have several."""
    worker = make_worker()
    for job in jobs:
        done: list[Shard] = []
        worker.do(job, done.append)
        yield from done
