"""How far a scan is: a bar over cells in a terminal; elsewhere a log line every 30 s, even if nothing happens."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import Any

from loguru import logger

from scanner.aws.traces import Wanted
from scanner.catalog import Catalog
from scanner.cli.bar import Bar, is_lively
from scanner.cli.log import tell
from scanner.cli.tally import Counts, Tally
from scanner.cli.voice import Voice, voice
from scanner.formats.console import let_go
from scanner.model import Shard, Unit
from scanner.pipeline import Hooks
from scanner.store.coverage import counted

_LINE_S, _DRAW_S = 30.0, 0.25


class Progress:
    """Shows how far a scan is, from a thread of its own: a region that hangs must not silence it."""

    def __init__(self, catalog: Catalog, *, quiet: bool, every_s: float = _LINE_S) -> None:
        self._tally = Tally(catalog)
        self._quiet, self._started = quiet, time.monotonic()
        self._bar: Bar | None = None
        self._over = threading.Event()
        lively = not voice().json_on_stderr and is_lively(sys.stderr)
        self._speak, self._every_s = (self._draw, _DRAW_S) if lively else (self._say, every_s)
        self._is_lively = lively
        self._thread = threading.Thread(target=self._tick, daemon=True)
        if not quiet:
            self._thread.start()

    def hooks(self) -> Hooks:
        """The pipeline's hooks that feed this."""
        wanted = Wanted(calls=voice().debug, http=voice().verbose, beats=not self._quiet)
        return Hooks(self._plan, self._shard, tell, self._tally.beat, wanted)

    def close(self) -> None:
        """Take the bar away."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(1.0)
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.close()

    def _plan(self, units: tuple[Unit, ...]) -> None:
        places = self._tally.plan(units)
        fields = {"event": "plan", "units": len(units), "cells": self._tally.total}
        # Where nobody asked for a log, the start message has said so.
        level = "DEBUG" if voice() == Voice() else "INFO"
        said = f"scanning {counted(self._tally.total, 'cell')} in {counted(places, 'pair')} of account and region"
        logger.bind(**fields).log(level, "{}", said)
        if self._is_lively and not self._quiet:
            self._bar = Bar(self._tally)

    def _shard(self, shard: Shard) -> None:
        self._tally.shard(shard)
        for cell in shard.cells:
            if cell.is_gap:
                fields = {
                    "event": "gap",
                    "account": cell.account_id,
                    "region": cell.region,
                    "service": cell.service,
                    "resource_type": cell.resource_type,
                    "operation": cell.call,
                    "outcome": str(cell.outcome),
                    "code": cell.code,
                }
                logger.bind(**fields).warning("{} {} {}", cell.outcome, cell.code, cell.message)

    def _tick(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                self._speak()
            except OSError:
                let_go(sys.stderr)
                return

    def _draw(self) -> None:
        if self._bar is not None:
            self._bar.draw()

    def _say(self) -> None:
        elapsed_s = time.monotonic() - self._started
        counts, total, slowest = self._tally.counts(), self._tally.total, self._tally.slowest()
        fields: dict[str, Any] = {"event": "progress", "elapsed_s": round(elapsed_s), "cells_total": total}
        fields |= {name: getattr(counts, name) for name in Counts.__slots__}
        said = f"{counts.cells:,} of {total:,} cells, {counts.in_words()}, {elapsed_s:.0f} s so far"
        if not total:
            said = f"finding accounts and regions, {elapsed_s:.0f} s so far"
        elif counts.cells >= total:
            said += ", writing the reports"
        elif counts.cells:
            left_s = elapsed_s * (total - counts.cells) / counts.cells
            fields["left_s"] = round(left_s)
            said += f", about {left_s:.0f} s left"
        if slowest:
            fields |= {"slowest_account": slowest.account, "slowest_region": slowest.region}
            fields |= {"slowest_doing": slowest.doing}
            said += f"; slowest: {slowest}"
        logger.bind(**fields).info("{}", said)
