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
from scanner.formats.console import let_go
from scanner.stopping import leave_no_core

__all__ = ["Progress", "log_end", "log_error", "on_signals", "set_up_log"]


def on_signals() -> None:
    """Make SIGINT, SIGTERM and SIGHUP raise Interrupted once; the second one ends the program at once."""

    def stop(signum: int, _: FrameType | None) -> None:
        for one in heard:
            signal.signal(one, lambda number, _: os._exit(128 + number))
        if signum == signal.SIGHUP:
            for stream in shown:
                let_go(stream)
        stopping.ask(signum)
        raise Interrupted(signum)

    # What is closed is no terminal any more: whether a stream is one must be known before.
    shown = [stream for stream in (sys.stdout, sys.stderr) if stream.isatty()]
    # Under nohup the end of the terminal is no reason to stop.
    heard = [signal.SIGINT, signal.SIGTERM]
    heard += [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN else []
    stopping.forget()
    leave_no_core()
    sys.unraisablehook = _unraisable
    for one in heard:
        signal.signal(one, stop)


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    """Say nothing where a finalizer swallowed Interrupted: `stopping` has it, and the next loop that looks."""
    if args.exc_type is not Interrupted:
        sys.__unraisablehook__(args)
