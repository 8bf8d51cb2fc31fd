"""The calls of a lane that are under way: since when, until when they may go on, and what their last attempt met."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass

from scanner.aws.settings import DoorSettings
from scanner.catalog.spec import Call
from scanner.errors import GapError
from scanner.model import Outcome


@dataclass(slots=True)
class Asked:
    """A call. `due`: when it must be done (None: its first attempt has no turn yet); `last`: what failed."""

    since: float
    operation: str
    cell_due: float
    due: float | None = None
    last: GapError | None = None

    @property
    def until(self) -> float:
        """When it must be done, as far as that is known."""
        return self.cell_due if self.due is None else self.due


class Underway:
    """Each thread makes one call at a time. `has_cells`: a cell's calls end together, whoever makes them."""

    def __init__(self, settings: DoorSettings, *, has_cells: bool) -> None:
        self._call_s, self._cell_s = settings.call_deadline_s, settings.cell_deadline_s
        self._has_cells = has_cells
        self._open: dict[int, Asked] = {}  # by thread
        self._cells: dict[int, float] = {}  # until when a cell's calls may be made

    @property
    def oldest(self) -> tuple[float, str] | None:
        """The call that has waited for its answer longest: since when (monotonic seconds), and its operation."""
        return min(((one.since, one.operation) for one in self._open.copy().values()), default=None)

    @property
    def mine(self) -> Asked:
        """This thread's call."""
        return self._open[threading.get_ident()]

    def begin(self, call: Call) -> Asked:
        """A call of this thread begins. Raises GapError where its cell's time is over."""
        now = time.monotonic()
        # Outside of a scan's units, where credentials are renewed for as long as it takes, there are no cells.
        cell_due = now + self._cell_s if self._has_cells else math.inf
        asked = Asked(now, call.operation, self._cells.setdefault(id(call), cell_due))
        if now >= asked.cell_due:
            raise self.cell_is_over(asked)
        self._open[threading.get_ident()] = asked
        return asked

    def end(self) -> None:
        """This thread's call has an answer, or none."""
        del self._open[threading.get_ident()]

    def has_turn(self, asked: Asked) -> None:
        """It may be sent. From here on its time runs: what a pace of our own costs is no fault of the server's."""
        if asked.due is None:
            asked.due = min(asked.cell_due, time.monotonic() + self._call_s)

    def is_over(self, wait_s: float) -> bool:
        """Whether this thread's call would be overdue after a pause."""
        due = self.mine.due
        return due is not None and time.monotonic() + wait_s >= due

    def cell_is_over(self, asked: Asked) -> GapError:
        """What is said of a call whose cell took too long."""
        message = f"{asked.operation} was not done after {self._cell_s:g} s; what came is kept"
        return GapError(Outcome.TIMEOUT, "CellDeadline", message)

    def call_is_over(self, asked: Asked) -> tuple[Outcome, str, str]:
        """What is said of a call that took too long by itself."""
        return Outcome.TIMEOUT, "CallDeadline", f"no whole answer of {asked.operation} after {self._call_s:g} s"
