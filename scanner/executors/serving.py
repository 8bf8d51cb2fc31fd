"""The worker's side of a slot: jobs come, shards go, until the pipe or the parent is gone."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import forkserver
from multiprocessing.connection import Connection

from scanner.executors import MakeWorker
from scanner.executors.starting import FROM_TERMINAL
from scanner.model import Beat, Note, Shard
from scanner.outbox import Outbox
from scanner.stopping import leave_no_core

_PR_SET_PDEATHSIG = 1
OUT_OF_MEMORY = 77  # exit code: what was allocated was refused (a `ulimit -v`, a machine that overcommits nothing)


def serve(pipe: Connection, make_worker: MakeWorker) -> None:
    """The worker process."""
    for one in FROM_TERMINAL:
        signal.signal(one, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    leave_no_core()
    _die_with_parent()
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        _do_jobs(pipe, make_worker)
    except MemoryError:
        # At once and without a word, which would need memory: the parent knows what the code means.
        os._exit(OUT_OF_MEMORY)


def _do_jobs(pipe: Connection, make_worker: MakeWorker) -> None:
    def send(said: Shard | Note | Beat | None) -> None:
        try:
            pipe.send(said)
        except MemoryError:
            os._exit(OUT_OF_MEMORY)  # in the outbox's own thread, nobody would hear of it

    outbox = Outbox(send)
    worker = make_worker()
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        worker.do(job, outbox.put)
        outbox.put(None)


def _die_with_parent() -> None:
    """Have the kernel kill this process with the one that it was forked from, which goes as soon as its parent is gone.

    A thread cannot see to that while another one is in a long call that keeps Python's lock.
    """
    server: object = getattr(forkserver, "_forkserver", None)
    lifeline = getattr(server, "_forkserver_alive_fd", None)
    if lifeline is not None:
        # Workers are given it so that they may start processes, and it keeps the fork server: these start none.
        os.close(lifeline)
        vars(server)["_forkserver_alive_fd"] = None
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):  # libraries of C differ; the thread is there too
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _leave_with_parent() -> None:
    """Under forkserver the kernel's parent is the fork server, so the death of the real parent must be watched."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
