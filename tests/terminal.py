"""A terminal for tests: the program runs on a real pseudo-terminal, and what a person would see is worked out."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

T = TypeVar("T")

# The child makes the pseudo-terminal its own, so that Ctrl-C reaches its whole foreground group.
_TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """A program on a terminal of its own; `stdout` goes elsewhere if given."""

    def __init__(
        self, command: list[str], cwd: Path, env: dict[str, str], columns: int = 120, stdout: IO[bytes] | None = None
    ) -> None:
        self._master, slave = os.openpty()
        self.raw, self._hangs_up = b"", False
        self.resize(columns)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE, *command],
            cwd=cwd,
            env=env,
            stdin=slave,
            stdout=stdout or slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """All that was written to it."""
        return self.raw.decode(errors="replace")

    def wait_for(self, pattern: str, start: int = 0) -> re.Match[str]:
        """Wait until something is written to it."""
        return self.wait_until(lambda: re.search(pattern, self.text[start:]))

    def wait_until(self, found: Callable[[], T | None]) -> T:
        """Wait until something is so, while the program runs."""
        while True:
            ended = self.process.poll() is not None
            if answer := found():
                return answer
            assert not ended, self.text
            time.sleep(0.02)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def resize(self, columns: int, rows: int = 40) -> None:
        """Change its size; the kernel tells the foreground group (SIGWINCH)."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self) -> None:
        """Close it, as a window or a connection is closed; the kernel tells the foreground group (SIGHUP)."""
        self._hangs_up = True
        self._reader.join()
        os.close(self._master)

    def end(self) -> int:
        """Wait for the program's end, and for the last of what it wrote."""
        code = self.process.wait(120)
        self._reader.join(10)
        os.close(self._master)
        return code

    def _read(self) -> None:
        try:
            while not self._hangs_up:
                # A terminal is not closed while somebody waits for what it will show.
                if select.select([self._master], [], [], 0.05)[0]:
                    data = os.read(self._master, 65536)
                    if not data:
                        return
                    self.raw += data
        except OSError:
            return  # the last process on it has gone


def screen(text: str, columns: int) -> list[str]:
    """The rows that a person sees, scrolled back to the beginning."""
    rows, row, column = [""], 0, 0
    for character in _STYLE.sub("", text):
        if character == "\r":
            column = 0
        elif character == "\n":
            row, column = row + 1, column
        else:
            assert character >= " ", f"a control character: {character!r}"
            if column == columns:
                row, column = row + 1, 0
            rows += [""] * (row + 1 - len(rows))
            line = rows[row].ljust(column)
            rows[row], column = line[:column] + character + line[column + 1 :], column + 1
    return [line.rstrip() for line in rows]
