"""`scan --compare`: finds the snapshot to compare with, writes diff.json, shows the changes, decides the exit code."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scanner.cli.diff import FAIL_ON_CHANGE, print_text, say_without_ledger

if TYPE_CHECKING:
    from scanner.cli.delivery import Target
    from scanner.diff.result import Diff
    from scanner.diff.sources import Source
    from scanner.profile import LoadedProfile
    from scanner.store.snapshots import Snapshot

COMPARE = Annotated[
    bool, typer.Option("--compare", "-c", help="Compare with the profile's previous snapshot of the same filters.")
]
COMPARE_WITH = Annotated[
    Path | None, typer.Option("--compare-with", metavar="PATH", help="Compare with this snapshot or file of records.")
]
_ROWS = 20


@dataclass(frozen=True, slots=True)
class Comparing:
    """The options of a comparison."""

    compare: COMPARE = False
    compare_with: COMPARE_WITH = None
    fail_on_change: FAIL_ON_CHANGE = False

    @property
    def wanted(self) -> bool:
        """Whether anything is to be compared. Raises ProfileError for a gate without a comparison."""
        if self.fail_on_change and not (self.compare or self.compare_with):
            from scanner.errors import ProfileError

            raise ProfileError(["command line: --fail-on-change means nothing without --compare or --compare-with"])
        return self.compare or self.compare_with is not None


def comparison_of(comparing: Comparing, loaded: LoadedProfile, target: Target) -> Comparison | None:
    """The comparison that the options ask for, None where they ask for none. Raises ProfileError and SnapshotError."""
    return Comparison(comparing, loaded, target) if comparing.wanted else None


class Comparison:
    """One scan's comparison: made before the scan, so that a bad baseline costs no scan; concluded after it."""

    def __init__(self, comparing: Comparing, loaded: LoadedProfile, target: Target) -> None:
        self._comparing, self._target = comparing, target
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        path = comparing.compare_with
        self._given = _given(path, loaded) if path else None
        self._kept = None if path else self._keep_output(loaded)

    def conclude(self, snapshot: Snapshot, *, quiet: bool) -> int:
        """Compare, write diff.json into the snapshot, show the changes, and return the exit code of all."""
        code = int(snapshot.manifest["exit_code"])
        try:
            if snapshot.manifest["interrupted"]:
                _say("not compared: the scan was stopped")
                return code
            baseline = self._given or _previous(snapshot, quiet=quiet) or self._kept
            if baseline is None:
                name = snapshot.manifest["profile"]["name"]
                _say(f"not compared: {name} has no earlier snapshot of these accounts with the same filters")
                return code
            return self._compare(baseline, snapshot, quiet=quiet)
        finally:
            if self._scratch:
                self._scratch.cleanup()

    def _compare(self, baseline: Source, snapshot: Snapshot, *, quiet: bool) -> int:
        from scanner.diff.result import diff
        from scanner.diff.sources import open_source

        if not quiet:
            _say(f"comparing with {baseline.label}")
        say_without_ledger(baseline.ledger_missing)
        with diff(baseline, open_source(snapshot.path)) as found:
            gate = found.exit_code(fail_on_change=self._comparing.fail_on_change)
            code = worst_of(int(snapshot.manifest["exit_code"]), gate)
            path = write_diff(found, snapshot, code)
            if not quiet:
                print_text(found, _ROWS, str(path), err=self._target.takes_stdout)
                _say(str(path))
        return code

    def _keep_output(self, loaded: LoadedProfile) -> Source | None:
        """A copy of the file that --output is about to replace, if no snapshot could be the baseline."""
        from scanner.diff.sources import open_source
        from scanner.errors import SnapshotError
        from scanner.means import reports_folder

        output = self._target.path
        folder = reports_folder(loaded)
        if output is None or not output.is_file() or any(folder.glob("*/manifest.json")):
            return None
        self._scratch = tempfile.TemporaryDirectory(prefix="aws-scanner-compare-")
        try:
            kept = open_source(shutil.copyfile(output, Path(self._scratch.name) / output.name))
            next(kept.keyed(), None)
        except SnapshotError as error:
            _say(f"{output}: is no report to compare with: {str(error).removeprefix(f'{self._scratch.name}/')}")
            return None
        return replace(kept, label=str(output))


def write_diff(found: Diff, snapshot: Snapshot, exit_code: int) -> Path:
    """Write diff.json into a snapshot, and into its manifest's files, with the exit code of both."""
    from scanner.diff.json import FILE, write_json
    from scanner.manifest import write_manifest
    from scanner.store.files import atomic_write

    path = snapshot.path / FILE
    with atomic_write(path) as out:
        write_json(found, out)
    write_manifest(snapshot.path, {**snapshot.manifest, "exit_code": exit_code})
    return path


def worst_of(scan: int, gate: int) -> int:
    """The exit code of a scan and of what follows it: interrupted beats incomplete, which beats a gate."""
    return scan if scan > 3 else max(scan, gate)


def _given(path: Path, loaded: LoadedProfile) -> Source:
    from scanner.diff.result import unlike_filters
    from scanner.diff.sources import open_source
    from scanner.errors import ProfileError
    from scanner.selection import words_of

    source = open_source(path)
    old: Mapping[str, object] | None = (source.manifest or {}).get("selection")
    problems = unlike_filters(old, words_of(loaded.profile)) if old else []
    if problems:
        raise ProfileError([f"command line: --compare-with {path}: {problem}" for problem in problems])
    return source


def _previous(snapshot: Snapshot, *, quiet: bool) -> Source | None:
    from scanner.diff.baseline import previous_of

    found, passed = previous_of(snapshot)
    for reason, count in () if quiet else sorted(passed.items()):
        _say(f"passed over {count} newer {'snapshot' if count == 1 else 'snapshots'} {reason}")
    return found


def _say(text: str) -> None:
    from scanner.formats.text import printable

    typer.echo(printable(text), err=True)
