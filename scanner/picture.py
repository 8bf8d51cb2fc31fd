"""Draws docs/demo.svg: `python -m scanner.picture` runs the demo on a real terminal and keeps what a person sees."""

from __future__ import annotations

import fcntl
import io
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURE = Path("docs/demo.svg")
SESSION = (
    "aws-scanner demo > inventory.txt",
    "aws-scanner report reports/demo -f csv | grep ec2:instance, | cut -d, -f 1-5 | head -4",
)
_COLUMNS, _ROWS = 120, 50
_PROMPT = "\x1b[1;32m$\x1b[0m "
# Whatever differs from run to run: moments, the folder named after one, the server's port, how long it took.
_PASSING = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "2026-03-01T10:00:00.000Z"),
    (re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}"), "20260301T100000Z-0a1b2c3d"),
    (re.compile(r"127\.0\.0\.1:\d{5}"), "127.0.0.1:50000"),
    (re.compile(r", in [\d.]+ (s|min)$"), ", in … s"),
)
_FOREIGN = re.compile(r"\s*(@font-face \{.*?\}|<!--.*?-->)", re.DOTALL)  # addresses of elsewhere


def draw() -> str:
    """The picture: the commands of SESSION, run one after another in a folder of their own, as SVG."""
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        shutil.copytree("config", folder / "config")
        for command in SESSION:
            lines += [_PROMPT + command, *seen(run(command, folder))]
    return svg(lines)


def run(command: str, folder: Path) -> str:
    """All that a shell command writes to a terminal of its own. Raises CalledProcessError."""
    master, slave = os.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    child = subprocess.Popen(  # noqa: S602 - the commands above, pipes and all
        command, shell=True, cwd=folder, env=_environment(folder), stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    written = b"".join(_read(master))
    os.close(master)
    if child.wait():
        raise subprocess.CalledProcessError(child.returncode, command, written)
    return written.decode()


def _read(master: int) -> Iterator[bytes]:
    try:
        while data := os.read(master, 65536):
            yield data
    except OSError:
        return  # the last process on it has gone


def _environment(folder: Path) -> dict[str, str]:
    home = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "TERM": "xterm-256color"}
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {"PATH": programs, "LANG": "C.UTF-8", **home}


def seen(written: str) -> Iterator[str]:
    """The lines that remain on the terminal, without what passes."""
    for line in written.rstrip().split("\n"):
        # A progress bar is drawn and blanked within its line.
        text = line.rstrip("\r").rpartition("\r")[2]
        for pattern, instead in _PASSING:
            text = pattern.sub(instead, text)
        yield text


def svg(lines: list[str]) -> str:
    """Lines with colours as a picture that loads nothing from elsewhere."""
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in lines:
        text = Text.from_ansi(line)
        text.rstrip()
        # As a terminal breaks it: anywhere.
        for piece in text.divide(range(_COLUMNS, len(text), _COLUMNS)):
            console.print(piece, no_wrap=True, highlight=False)
    drawn = console.export_svg(title="aws-scanner", unique_id="demo")
    return _FOREIGN.sub("", drawn)


def main() -> int:
    """Write the picture."""
    PICTURE.write_text(draw(), encoding="utf-8")
    sys.stderr.write(f"wrote {PICTURE}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
