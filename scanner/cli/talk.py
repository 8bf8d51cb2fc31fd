"""How the program talks while it works: log lines and progress on stderr, never on stdout."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType
from typing import Any

from loguru import logger
from tqdm import tqdm

from scanner.errors import Interrupted
from scanner.formats.text import printable
from scanner.model import Note, Shard, Unit
from scanner.pipeline import Hooks

_HEARTBEAT_S = 30.0


def set_up_log(level: str) -> None:
    """Log lines to stderr, through tqdm so that they do not tear its bar; colours in a terminal without NO_COLOR."""
    colorize = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    logger.remove()
    logger.add(
        lambda text: tqdm.write(str(text), file=sys.stderr, end=""),
        level=level,
        format="<green>{time:YYYY-MM-DDTHH:mm:ss!UTC}Z</green> <level>{level:<7}</level> {message}",
        colorize=colorize,
        diagnose=False,
        backtrace=False,
    )


class Progress:
    """One step per unit: a bar in a terminal, a log line every 30 s elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._counts = {"resources": 0, "calls": 0, "throttles": 0, "gaps": 0}
        self._total = self._done = 0
        self._started = self._spoke = time.monotonic()
        self._bar: Any = None

    def hooks(self) -> Hooks:
        """The pipeline's hooks that feed this."""
        return Hooks(self._plan, self._shard, self._note)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()

    def _plan(self, units: tuple[Unit, ...]) -> None:
        self._total = len(units)
        places = {(unit.account.id, unit.scope_region) for unit in units}
        logger.info("scanning {} units in {} accounts and regions", len(units), len(places))
        self._bar = tqdm(total=self._total, unit="unit", disable=True if self._quiet else None, leave=False)

    def _shard(self, shard: Shard) -> None:
        self._done += 1
        self._counts["resources"] += shard.resources
        self._counts["calls"] += sum(one.calls for one in shard.stats)
        self._counts["throttles"] += sum(one.throttles for one in shard.stats)
        self._counts["gaps"] += sum(cell.is_gap for cell in shard.cells)
        self._bar.set_postfix(self._counts, refresh=False)
        self._bar.update()
        for cell in shard.cells:
            if cell.is_gap:
                place = f"{cell.account_id} {cell.region} {cell.resource_type} {cell.call}"
                logger.warning("{}", printable(f"{place}: {cell.outcome} {cell.code} {cell.message}"))
        if self._bar.disable and time.monotonic() - self._spoke > _HEARTBEAT_S:
            self._spoke = time.monotonic()
            elapsed_s = self._spoke - self._started
            said = " ".join(f"{name}={count}" for name, count in self._counts.items())
            logger.info("{}", tqdm.format_meter(self._done, self._total, elapsed_s, unit="unit", postfix=said))

    def _note(self, note: Note) -> None:
        logger.log(note.level, "{}", printable(note.message))


def on_signals() -> None:
    """Make SIGINT and SIGTERM raise Interrupted once; the second one ends the program at once."""

    def stop(signum: int, _: FrameType | None) -> None:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, lambda number, _: os._exit(128 + number))
        raise Interrupted(signum)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
