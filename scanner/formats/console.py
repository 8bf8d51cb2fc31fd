"""Where text for people goes: colours and boxes in a terminal; plain text elsewhere, with NO_COLOR and in CI."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

FILE_WIDTH = 160  # a file must not depend on the terminal it was written from


def is_plain(stream: TextIO) -> bool:
    """Whether a stream wants no colours, boxes or escape sequences."""
    asked = any(os.environ.get(name) for name in ("NO_COLOR", "CI"))
    return asked or os.environ.get("TERM") == "dumb" or not stream.isatty()


def let_go(stream: TextIO) -> None:
    """Write no more to a stream that nobody reads: `| head` has seen enough, and Python would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Nobody:
    """The console of a quiet run, for which Rich need not be imported: a twentieth of a scan's own process."""

    quiet, is_terminal = True, False

    def print(self, *_: object, **__: object) -> None:
        """Say nothing."""


def console_for(stream: TextIO, *, quiet: bool = False) -> Console:
    """A Rich console for a stream, as plain as it wants it. A closed pipe is a BrokenPipeError, but for stderr."""
    if quiet:
        return cast("Console", _Nobody())

    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            if stream is not sys.stderr:
                raise BrokenPipeError
            # Nobody listens to the talk; what was asked for goes on.
            let_go(stream)

    settings: dict[str, Any] = {"file": stream}
    if is_plain(stream):
        # Rich asks the environment for colours too (FORCE_COLOR, TTY_COMPATIBLE); here the answer is no.
        settings |= {"force_terminal": False, "color_system": None}
    if not stream.isatty():
        settings |= {"width": FILE_WIDTH}
    return Piped(**settings)
