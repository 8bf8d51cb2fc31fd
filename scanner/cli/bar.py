"""The progress bar: one line of a terminal, never as wide as the terminal, and gone without a trace."""

from __future__ import annotations

import os
import sys
import threading
from typing import TextIO

from tqdm import tqdm

from scanner.cli.tally import Tally

_WIDE = 110  # columns from which there is room for more than figures
_FORMAT = "{percentage:3.0f}% {n:,}/{total:,} cells {elapsed}<{remaining}{postfix}"
_WIDE_FORMAT = "{percentage:3.0f}%|{bar:20}| {n:,}/{total:,} cells {elapsed}<{remaining}{postfix}"
_ROOM_FOR_CTRL_C = 3  # a terminal writes ^C behind the bar; at the edge it would begin a new line


def is_lively(stream: TextIO) -> bool:
    """Whether a stream is a terminal that a person watches, on which a bar may move."""
    return stream.isatty() and not os.environ.get("CI") and os.environ.get("TERM", "dumb") != "dumb"


class Bar(tqdm):  # type: ignore[type-arg]
    """The bar: one line, never as wide as the terminal, and gone without a trace."""

    def __init__(self, tally: Tally) -> None:
        tqdm.set_lock(threading.RLock())  # its own is for several processes
        tqdm.monitor_interval = 0  # it draws itself
        super().__init__(total=tally.total, file=sys.stderr, leave=False, ncols=_room()[0], bar_format=_FORMAT)
        self.dynamic_ncols = _room  # type: ignore[assignment]
        self._tally, self._columns = tally, _room()[0]

    def draw(self) -> None:
        """Show the state of things."""
        counts, slowest, columns = self._tally.counts(), self._tally.slowest(), _room()[0]
        self.n = counts.cells
        if columns != self._columns:
            # It fills up with blanks to the length of the last line, which may be more than there is room for now.
            self._columns, self.sp = columns, self.status_printer(self.fp)
            self._blank()
        said = counts.in_words() + (f", {slowest}" if slowest else "")
        self.set_postfix_str(said, refresh=False)
        self.bar_format = _WIDE_FORMAT if columns >= _WIDE else _FORMAT
        self.refresh()

    def clear(self, nolock: bool = False) -> None:
        """Blank the line, with what the terminal itself may have written on it (^C)."""
        super().clear(nolock=nolock)
        self._blank()

    def close(self) -> None:
        """Take the bar away."""
        is_shown = not self.disable
        super().close()
        if is_shown:
            self._blank()

    def _blank(self) -> None:
        sys.stderr.write("\r" + " " * (_room()[0] + _ROOM_FOR_CTRL_C - 1) + "\r")
        sys.stderr.flush()


def _room(_: object = None) -> tuple[int, int]:
    """Columns and rows for the bar. The terminal is asked each time: it may have been resized."""
    try:
        size = os.get_terminal_size(sys.stderr.fileno())
    except OSError:
        size = os.terminal_size((80, 24))
    return max((size.columns or 80) - _ROOM_FOR_CTRL_C, 10), size.lines or 24
