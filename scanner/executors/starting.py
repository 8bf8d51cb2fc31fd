"""How worker processes begin: from a fork server that has imported everything, never by a plain fork."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from types import ModuleType

_TRIES, _PAUSE_S = 5, 0.2
# What each worker would import for itself, its first connection to a host by name too.
_OF_WORKERS = ["scanner.executors.serving", "multiprocessing.popen_forkserver", "encodings.idna", "ctypes"]
_PRELOAD = ["scanner.executors.importing", *_OF_WORKERS, "scanner.worker", "scanner.aws.preload"]
# What a terminal sends to all of its processes (Ctrl-C, and its own end): the parent decides what becomes of it.
FROM_TERMINAL = frozenset({signal.SIGINT, signal.SIGHUP})


def warm_up() -> None:
    """Start the fork server now: it loads its models while the caller does something else."""
    if start_method() == "forkserver":
        _context()
        with held():
            # First, because its start would let SIGINT through again, to a fork server that is still importing.
            resource_tracker.ensure_running()
        with held():
            forkserver.ensure_running()


def start_method() -> str:
    """forkserver where there is one, else spawn; never fork, which deadlocks when a lock is held."""
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def start(serve: Callable[..., None], *given: object) -> tuple[BaseProcess, Connection]:
    """A new process that runs `serve(pipe, *given)`, and our end of the pipe."""
    for _ in range(_TRIES - 1):
        # The fork server may have been killed just now: the next start finds it gone and begins another.
        with contextlib.suppress(OSError, EOFError):
            return _start(serve, *given)
        time.sleep(_PAUSE_S)
    return _start(serve, *given)


def _start(serve: Callable[..., None], *given: object) -> tuple[BaseProcess, Connection]:
    context = _context()
    ours, theirs = context.Pipe()
    process: BaseProcess = context.Process(  # type: ignore[attr-defined]
        target=serve, args=(theirs, *given), daemon=True
    )
    with contextlib.ExitStack() as unless_started:
        unless_started.callback(ours.close)
        # Without this the pipe would stay open after the worker's death, and its end would never be heard.
        with contextlib.closing(theirs), _no_main(), held():
            process.start()
        unless_started.pop_all()
    return process, ours


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
def held() -> Iterator[None]:
    """The terminal's signals are held back for a moment, and for good in a process that is started meanwhile.

    One that is still importing would die of Ctrl-C with a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FROM_TERMINAL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
