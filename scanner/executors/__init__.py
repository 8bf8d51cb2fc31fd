"""Executors: how jobs are spread, with the same results. A module in this folder that has NAME is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, cast

from scanner.plugins import Menu

if TYPE_CHECKING:
    from scanner.model import Beat, Job, Lost, Note, Shard

MENU = Menu("executor", "scanner.executors", ("NAME", "run"))
SERVICES_VARIABLE = "_AWS_SCANNER_PRELOAD"  # environment: what is about to be scanned, for processes that load ahead


class Doer(Protocol):
    """What a worker is to an executor."""

    def do(self, job: Job, emit: Callable[[Shard | Note | Beat], None]) -> None:
        """Do a job, emitting shards and, from any thread, what is told meanwhile."""


class MakeWorker(Protocol):
    """What makes a worker, in the process in which it will work; pickled on its way there."""

    @property
    def memory_mb(self) -> int:
        """What a worker may take before it is given up, with the units that it has not finished."""

    def __call__(self) -> Doer:
        """A worker."""


class Executor(Protocol):
    """What an executor module has. It may also have `warm_up()`, called before AWS is asked for the first time."""

    NAME: str

    def run(
        self,
        jobs: Iterable[Job],
        make_worker: MakeWorker,
        *,
        slots: int,
        tell: Callable[[Note | Beat], None],
    ) -> Iterator[Shard | Lost]:
        """Yield shards as workers finish them, at most `slots` at work at once, and the units that were lost.

        What workers emit beside shards goes to `tell`, which takes it from any thread.
        `jobs` gives each job's keys when it is taken: take it late. Leaving the iterator early ends the work.
        """
        ...


def names() -> tuple[str, ...]:
    """The executors there are."""
    return MENU.names()


def get(name: str) -> Executor:
    """The executor of this name. Raises ProfileError."""
    return cast(Executor, MENU.get(name))
