"""What a refresh shows: a picture in place on a terminal, dated lines anywhere else, nothing with --quiet."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Protocol

from rich.text import Text

from scanner.aws.traces import Wanted
from scanner.cli.log import tell
from scanner.cli.voice import say, voice
from scanner.diff.result import Diff
from scanner.diff.text import Line, text_lines, totals_line
from scanner.formats.text import printable, rich_text
from scanner.model import Shard, Unit
from scanner.pipeline import Hooks
from scanner.store.coverage import counted, coverage_of
from scanner.store.snapshots import Snapshot

_LINES = 200  # what is kept of a diff to be shown; the whole of it is in diff.json
_ROWS = 20


class View(Protocol):
    """How a refresh talks."""

    def hooks(self, number: int) -> Hooks:
        """The pipeline's hooks of a pass that begins."""

    def first(self, number: int, snapshot: Snapshot) -> None:
        """The first pass is done."""

    def changed(self, number: int, snapshot: Snapshot, diff: Diff) -> None:
        """A later pass is done and compared with the one before."""

    def failed(self, number: int, error: Exception) -> None:
        """A later pass failed; it is tried again."""

    def waiting(self, left_s: float) -> None:
        """Seconds until the next pass."""


@contextmanager
def view_of(name: str, *, quiet: bool) -> Iterator[View]:
    """The view for where stdout goes."""
    if quiet:
        yield Silent()
    elif not sys.stdout.isatty() or "CI" in os.environ or os.environ.get("TERM") == "dumb":
        yield Lines()
    else:
        with Picture(name) as picture:
            yield picture


class Silent:
    """Says nothing."""

    def hooks(self, number: int) -> Hooks:  # noqa: ARG002
        """Only what the log must have."""
        return Hooks(on_note=tell, wanted=_wanted())

    def first(self, number: int, snapshot: Snapshot) -> None:
        """Nothing."""

    def changed(self, number: int, snapshot: Snapshot, diff: Diff) -> None:
        """Nothing."""

    def failed(self, number: int, error: Exception) -> None:
        """An error is told even so."""
        say(f"pass {number} failed: {printable(str(error))}", err=True)

    def waiting(self, left_s: float) -> None:
        """Nothing."""


class Lines(Silent):
    """A dated line for each pass, and below it what changed; lines stand still, so waiting has none."""

    def first(self, number: int, snapshot: Snapshot) -> None:
        """The verdict and how much was found."""
        say(f"{_moment(snapshot)} pass {number}: {_state(snapshot)}")

    def changed(self, number: int, snapshot: Snapshot, diff: Diff) -> None:
        """The sums on the dated line; then each change, as a diff tells it."""
        say(f"{_moment(snapshot)} pass {number}: {totals_line(diff)}")
        if diff.has_unknown or diff.has_changes:
            for _, text in _told(diff, snapshot):
                say(f"  {text}")


class Picture(Silent):
    """One picture in place: the profile, the last pass, what changed in it, and when the next one comes."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self._name = name
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._state = self._progress = ""
        self._changes: list[Line] = []
        self._title = ""

    def __enter__(self) -> Picture:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress = ""
        self._draw()
        self._live.stop()

    def hooks(self, number: int) -> Hooks:
        """Count units while a pass runs."""
        done, total = 0, 0

        def plan(units: tuple[Unit, ...]) -> None:
            nonlocal total
            total = len(units)
            self._say(f"pass {number}: scanning {counted(total, 'unit')} ...")

        def shard(_: Shard) -> None:
            nonlocal done
            done += 1
            self._say(f"pass {number}: scanning, {done:,} of {counted(total, 'unit')}")

        return Hooks(plan, shard, tell, wanted=_wanted())

    def first(self, number: int, snapshot: Snapshot) -> None:
        """The verdict and how much was found."""
        self._state = f"{_moment(snapshot)} pass {number}: {_state(snapshot)}"
        self._draw()

    def changed(self, number: int, snapshot: Snapshot, diff: Diff) -> None:
        """The verdict, and what changed; without a change the last one stays, under its own date."""
        self._state = f"{_moment(snapshot)} pass {number}: {_state(snapshot)}; {totals_line(diff)}"
        if diff.has_unknown or diff.has_changes:
            self._title = f"changed in pass {number}, {_moment(snapshot)}"
            self._changes = list(islice(_told(diff, snapshot), _LINES))
        self._draw()

    def failed(self, number: int, error: Exception) -> None:
        """The error takes the place of the verdict."""
        self._state = f"pass {number} failed: {printable(str(error))}"
        self._draw()

    def waiting(self, left_s: float) -> None:
        """Count down."""
        self._say(f"next pass in {left_s:.0f} s; Ctrl-C ends")

    def _say(self, text: str) -> None:
        self._progress = text
        self._draw()

    def _draw(self) -> None:
        from rich.console import Group

        head = [("bold", f"aws-scanner: {self._name}"), ("", self._state), ("cyan", self._progress)]
        body = [("bold", self._title), *self._changes] if self._title else []
        room = max(self._console.height - len(head) - 2, 1)
        more = [("", f"… {counted(len(body) - room, 'more line')}")] if len(body) > room else []
        lines = [*head, *body[:room], *more]
        self._live.update(Group(*(_cut(style, text) for style, text in lines if text)), refresh=True)


def _cut(style: str, text: str) -> Text:
    """A line that takes one row of the terminal, whatever its width."""
    line = rich_text(text, style)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _told(diff: Diff, snapshot: Snapshot) -> Iterator[Line]:
    return text_lines(diff, _ROWS, str(snapshot.path / "diff.json"))


def _state(snapshot: Snapshot) -> str:
    found = counted(snapshot.manifest["totals"]["resources"], "resource")
    return f"{coverage_of(snapshot.manifest).verdict()}; {found}"


def _moment(snapshot: Snapshot) -> str:
    return str(snapshot.manifest["finished_at"])


def _wanted() -> Wanted:
    return Wanted(calls=voice().debug, http=voice().verbose)
