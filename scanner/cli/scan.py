"""Scan what a profile or the options name, write a snapshot, and show what was found and what is missing.

Without PROFILE the account of the ambient credentials is scanned; options stand above the environment
(AWS_SCANNER__...), that above the profile. Resources go to stdout or --output, everything else to stderr. Every scan
also leaves its reports in reports/<profile>/.

\b
Examples:
  aws-scanner scan                            the ambient account, all regions
  aws-scanner scan prod                       what config/prod.yaml names
  aws-scanner scan prod -r 'eu-*' -s ec2,s3   of that, two services in Europe
  aws-scanner scan -p production -r us-east-1 --dry-run
  aws-scanner scan --tag-key Environment --tag-value Production --all-services
  aws-scanner scan -s ec2 -f jsonl | jq .resource_arn
  aws-scanner scan prod -q -o inventory.csv   for cron: the exit code speaks
  aws-scanner scan prod --compare --fail-on-change
  aws-scanner scan prod --refresh -i 30       again and again: what changed
  aws-scanner scan prod --resume              what a killed scan left open
  aws-scanner scan prod --shard 3/10          the third tenth, for `merge`

\b
Exit codes:
  0  complete              1        --min-resources or --fail-on-change
  2  bad profile or command line
  3  something is unknown  4        no usable credentials, nothing was scanned
  129, 130, 143            stopped by HUP, INT, TERM; what was done is kept
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING

import typer

from scanner.cli.compare import Comparing
from scanner.cli.groups import spread
from scanner.cli.options import DRY_RUN, PROFILE, QUIET, Delivery, Extent, Selection
from scanner.cli.refresh import Refreshing
from scanner.cli.voice import complain, voice

if TYPE_CHECKING:
    from rich.console import Console

    from scanner.cli.delivery import Target
    from scanner.model import Unit
    from scanner.pipeline import Hooks
    from scanner.profile import LoadedProfile
    from scanner.share import Part
    from scanner.store.snapshots import Snapshot


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of `scan`."""

    profile: str | None = None
    selection: Selection = field(default_factory=Selection)
    delivery: Delivery = field(default_factory=Delivery)
    comparing: Comparing = field(default_factory=Comparing)
    extent: Extent = field(default_factory=Extent)
    dry_run: bool = False
    quiet: bool = False


@spread
def run(  # noqa: PLR0913 - groups of options, spread into one option each
    selection: Selection,
    delivery: Delivery,
    comparing: Comparing,
    refreshing: Refreshing,
    extent: Extent,
    profile: PROFILE = None,
    dry_run: DRY_RUN = False,
    quiet: QUIET = False,
) -> None:
    """Entry of `aws-scanner scan`."""
    asked = Asked(profile, selection, delivery, comparing, extent, dry_run, quiet)
    if refreshing.refresh_interval and not refreshing.refresh:
        from scanner.errors import ProfileError

        raise ProfileError(["command line: --refresh-interval: would be ignored: it goes with --refresh"])
    if refreshing.refresh and not dry_run:
        from scanner.cli.refresh import INTERVAL_S, refresh_and_show

        raise typer.Exit(refresh_and_show(asked, refreshing.refresh_interval or INTERVAL_S))
    raise typer.Exit(scan_and_show(asked))


def scan_and_show(asked: Asked) -> int:
    """Scan, deliver the resources, say what is missing, was found and has changed, and return the exit code."""
    from scanner.cli.compare import comparison_of
    from scanner.cli.delivery import make_ready
    from scanner.executors.starting import held
    from scanner.store.locks import kept

    loaded, target = read(asked)
    part = _part(asked)
    if asked.dry_run:
        return _dry_run(loaded, _talk(asked, loaded, target), part)
    make_ready(target)
    comparison = comparison_of(asked.comparing, loaded, target)
    with held():  # Ctrl-C waits until there is somebody who hears it: an import would swallow it, or die of it
        _warm_up(loaded)
        talk = _talk(asked, loaded, target)
        import_module("scanner.pipeline")
        import_module("scanner.cli.talk").on_signals()
    snapshot = _scan(loaded, talk, part, quiet=asked.quiet)
    with kept(snapshot.path):
        _show(snapshot, target, loaded, talk, quiet=asked.quiet)
        code = comparison.conclude(snapshot, quiet=asked.quiet) if comparison else int(snapshot.manifest["exit_code"])
    _tidy(loaded, snapshot)
    return code


def _talk(asked: Asked, loaded: LoadedProfile, target: Target) -> Console:
    """What speaks to people on stderr, having shown what was asked for."""
    from scanner.cli.panels import show_configuration
    from scanner.formats.console import console_for

    # Where stderr is read by a machine, nothing for people may stand between its lines.
    talk = console_for(sys.stderr, quiet=asked.quiet or voice().json_on_stderr)
    show_configuration(talk, loaded, target)
    return talk


def _tidy(loaded: LoadedProfile, snapshot: Snapshot) -> None:
    from scanner.retention import keep_newest

    keep_newest(loaded, snapshot, complain)


def _warm_up(loaded: LoadedProfile) -> None:
    """The fork server imports what it needs while this process imports the rest."""
    from scanner.ahead import warm_up
    from scanner.stopping import leave_no_core

    leave_no_core()
    warm_up(loaded)


def _part(asked: Asked) -> Part:
    """How much is scanned. Raises ProfileError."""
    from scanner.errors import ProfileError
    from scanner.share import Part, share_of

    if asked.extent.resume and asked.dry_run:
        raise ProfileError(["command line: --resume: scans; it goes without --dry-run"])
    return Part(share_of(asked.extent.shard) if asked.extent.shard is not None else None, asked.extent.resume)


def read(asked: Asked) -> tuple[LoadedProfile, Target]:
    """The settings and the target. Raises ProfileError with the problems of both."""
    from scanner.cli.delivery import target_of
    from scanner.cli.overrides import load

    problems: list[str] = []
    target = target_of(asked.delivery, problems)
    return load(asked.profile, asked.selection, problems), target


def _dry_run(loaded: LoadedProfile, talk: Console, part: Part) -> int:
    from scanner.cli.panels import show_dry_run, show_regions
    from scanner.cli.plan import planned, show

    found = planned(loaded, offline=False, share=part.share)
    show_regions(talk, found.units)
    show_dry_run(talk, found.units, loaded.catalog)
    show(loaded, found)
    return found.exit_code


def _scan(loaded: LoadedProfile, talk: Console, part: Part, *, quiet: bool) -> Snapshot:
    from scanner.cli.talk import Progress, log_end, set_up_log
    from scanner.pipeline import scan

    set_up_log("ERROR" if quiet else "INFO")
    progress = Progress(loaded.catalog, quiet=quiet)
    try:
        snapshot = scan(loaded, _with_panels(progress.hooks(), talk), part)
    finally:
        progress.close()
    log_end(snapshot)
    return snapshot


def _with_panels(hooks: Hooks, talk: Console) -> Hooks:
    from scanner.cli.panels import show_regions, show_start

    def on_plan(units: tuple[Unit, ...]) -> None:
        show_regions(talk, units)
        show_start(talk, units)
        hooks.on_plan(units)

    return replace(hooks, on_plan=on_plan)


def _show(snapshot: Snapshot, target: Target, loaded: LoadedProfile, talk: Console, *, quiet: bool) -> None:
    """The resources where they are wanted, then the end of the scan on stderr, whatever becomes of the first."""
    from scanner.cli.delivery import deliver, same_place, until_pipe_closes
    from scanner.cli.show import show_snapshot
    from scanner.formats.summary import render_summary

    written: list[str] = []
    try:
        if not target.is_table:
            written += filter(None, [deliver(snapshot, target, loaded.profile.reports)])
        elif target.asked or not quiet:
            with until_pipe_closes():
                # The verdict belongs to the table wherever that is read; on one terminal it is said once.
                show_snapshot(snapshot, loaded.profile.reports.table_rows, summary=talk.quiet or not same_place())
    finally:
        render_summary(snapshot, talk, written)
