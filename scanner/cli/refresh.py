"""`scan --refresh`: scans again and again and shows what changed since the last pass, in place on a terminal."""

from __future__ import annotations

import gc
import shutil
import time
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scanner import stopping

if TYPE_CHECKING:
    from scanner.cli.scan import Asked
    from scanner.cli.watch import View
    from scanner.profile import LoadedProfile
    from scanner.store.snapshots import Snapshot

REFRESH = Annotated[bool, typer.Option("--refresh", help="Scan again and again; show what changed. Ctrl-C ends it.")]
INTERVAL_S, SHORTEST_S, LONGEST_S = 10, 5, 300


def _in_range(interval_s: int | None) -> int | None:
    if interval_s is not None and not SHORTEST_S <= interval_s <= LONGEST_S:
        raise typer.BadParameter(f"{interval_s} is not allowed; {SHORTEST_S} to {LONGEST_S} seconds are")
    return interval_s


REFRESH_INTERVAL = Annotated[
    int | None,
    typer.Option(
        "--refresh-interval",
        "-i",
        metavar="SECONDS",
        callback=_in_range,
        help=f"With --refresh: the pause between two passes, 5 to 300.  [default: {INTERVAL_S}]",
    ),
]


@dataclass(frozen=True, slots=True)
class Refreshing:
    """The options of scanning again and again."""

    refresh: REFRESH = False
    refresh_interval: REFRESH_INTERVAL = None


_KEPT = 2  # passes on disk: the last and the one it was compared with
_TICK_S = 1.0


@dataclass(slots=True)
class _Session:
    """The passes of this session that are on disk, the oldest first."""

    passes: list[Snapshot] = field(default_factory=list)

    @property
    def last(self) -> Snapshot | None:
        return self.passes[-1] if self.passes else None

    def keep(self, snapshot: Snapshot) -> None:
        """Add a whole pass, and remove what is older than the one before it."""
        self.passes.append(snapshot)
        while len(self.passes) > _KEPT:
            shutil.rmtree(self.passes.pop(0).path, ignore_errors=True)

    def drop(self, folder: Path) -> None:
        """Remove a pass that was stopped, if a whole one is there for `latest` to name."""
        from scanner.store.snapshots import point_latest

        if self.last:
            point_latest(self.last.path)
            shutil.rmtree(folder, ignore_errors=True)


def refresh_and_show(asked: Asked, interval_s: float) -> int:
    """Scan until a signal comes; returns its exit code. Raises what makes the first pass fail."""
    from scanner.cli.scan import read
    from scanner.cli.talk import on_signals, set_up_log
    from scanner.cli.watch import view_of
    from scanner.errors import ProfileError

    # A cached answer would hide for minutes what this is meant to show.
    loaded, target = read(replace(asked, selection=replace(asked.selection, cache=False)))
    if asked.comparing.wanted:
        raise ProfileError(["command line: --refresh compares each pass with the last; it goes without --compare"])
    if not target.is_table:
        problem = "shows what changed, on the terminal; it goes without --output and other formats than table"
        raise ProfileError([f"command line: --refresh: {problem}"])
    if asked.extent.resume or asked.extent.shard is not None:
        raise ProfileError(["command line: --refresh: scans all again and again; it goes without --resume and --shard"])
    set_up_log("ERROR" if asked.quiet else "WARNING")
    on_signals()
    with view_of(loaded.profile.name, quiet=asked.quiet) as view:
        return watch(loaded, interval_s, view)


def watch(loaded: LoadedProfile, interval_s: float, view: View, passes: int | None = None) -> int:
    """Scan, compare with the last pass, wait, and again, until a signal or, if given, so many passes."""
    from scanner.errors import Interrupted, ScannerError, Stopped

    session = _Session()
    try:
        for number in count(1) if passes is None else range(1, passes + 1):
            try:
                stopped = _pass(loaded, session, number, view)
            except (Interrupted, Stopped):
                raise
            except ScannerError as error:
                if session.last is None:
                    raise
                view.failed(number, error)
                stopped = None
            if stopped is not None:
                return stopped
            if number != passes:
                _wait(interval_s, view)
    except Interrupted as stop:
        return stop.exit_code
    except Stopped as stop:
        session.drop(Path(str(stop.folder)))
        return stop.exit_code
    return 0


def _pass(loaded: LoadedProfile, session: _Session, number: int, view: View) -> int | None:
    """One scan, compared with the last; the exit code where a signal stopped it."""
    from scanner.pipeline import scan

    snapshot = scan(loaded, view.hooks(number))
    if snapshot.manifest["interrupted"]:
        session.drop(snapshot.path)
        return int(snapshot.manifest["exit_code"])
    last = session.last
    try:
        if last is None:
            view.first(number, snapshot)
        else:
            _show_changes(last, snapshot, number, view)
    finally:
        # The last one may have been removed by somebody; the next pass is compared with this one.
        session.keep(snapshot)
    # Workers in this process freeze what they have; without this each pass would leave its clients behind.
    gc.unfreeze()
    gc.collect()
    return None


def _show_changes(last: Snapshot, snapshot: Snapshot, number: int, view: View) -> None:
    from scanner.cli.compare import worst_of, write_diff
    from scanner.diff.result import diff
    from scanner.diff.sources import open_source

    with diff(open_source(last.path), open_source(snapshot.path)) as found:
        code = worst_of(int(snapshot.manifest["exit_code"]), found.exit_code(fail_on_change=False))
        write_diff(found, snapshot, code)
        view.changed(number, snapshot, found)


def _wait(interval_s: float, view: View) -> None:
    until = time.monotonic() + interval_s
    while (left_s := until - time.monotonic()) > 0:
        stopping.check()
        view.waiting(left_s)
        time.sleep(min(_TICK_S, left_s))
