"""How the program talks while it works, on stderr and never on stdout: log, progress, and an end when it is told to."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from scanner import stopping
from scanner.cli.log import log_end, log_error, set_up_log
from scanner.cli.progress import Progress
from scanner.errors import Interrupted
from scanner.stopping import leave_no_core

__all__ = ["Progress", "log_end", "log_error", "on_signals", "set_up_log"]


def on_signals() -> None:
    """Make SIGINT and SIGTERM raise Interrupted once; the second one ends the program at once."""

    def stop(signum: int, _: FrameType | None) -> None:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, lambda number, _: os._exit(128 + number))
        stopping.ask(signum)
        raise Interrupted(signum)

    stopping.forget()
    leave_no_core()
    sys.unraisablehook = _unraisable
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    """Say nothing where a finalizer swallowed Interrupted: `stopping` has it, and the next loop that looks."""
    if args.exc_type is not Interrupted:
        sys.__unraisablehook__(args)
