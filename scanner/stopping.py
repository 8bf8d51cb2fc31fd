"""Whether a signal has asked to stop: the exception that its handler raises can be lost, in a finalizer for one."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from typing import TYPE_CHECKING

from scanner.errors import Interrupted

if TYPE_CHECKING:
    from concurrent.futures import Executor

_asked: list[int] = []


def ask(signum: int) -> None:
    """Remember the signal, for whoever checks next."""
    _asked.append(signum)


def forget() -> None:
    """Nobody has asked, from here on."""
    _asked.clear()


def check() -> None:
    """Raise Interrupted where a signal has asked to stop. Loops that wait long call it every second."""
    if _asked:
        raise Interrupted(_asked[0])


def leave_no_core() -> None:
    """Let no crash write this process's memory, with keys in it, to a disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def is_asked() -> bool:
    """Whether a signal has asked to stop."""
    return bool(_asked)


@contextlib.contextmanager
def threads(count: int) -> Iterator[Executor]:
    """Threads that are waited for, unless this is left by an exception: one may wait for a server that hangs."""
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(count)
    with contextlib.ExitStack() as unless_done:
        unless_done.callback(pool.shutdown, wait=False, cancel_futures=True)
        yield pool
        unless_done.pop_all()
    pool.shutdown()
