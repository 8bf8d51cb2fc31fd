"""Scan what a profile names and write a snapshot.

PROFILE is a name (config/NAME.yaml) or a path; without one, all enabled regions of the ambient account are scanned.

Examples: aws-scanner scan prod; aws-scanner scan prod --dry-run; aws-scanner scan prod --set retry.max_attempts=7;
aws-scanner scan prod --compare --fail-on-change; aws-scanner scan prod --refresh -i 30
"""

from __future__ import annotations

from typing import Annotated

import typer

from scanner.cli.compare import COMPARE, COMPARE_WITH, FAIL_ON_CHANGE, Wish, wish_of
from scanner.cli.refresh import INTERVAL_S, REFRESH, REFRESH_INTERVAL

NAME = "scan"

PROFILE = Annotated[str | None, typer.Argument(help="Profile: a name in config/ or a path.")]
SET = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting: --set retry.max_attempts=7.")
]


def run(  # noqa: PLR0913 - one for each option
    profile: PROFILE = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    cache: Annotated[bool | None, typer.Option("--cache/--no-cache", help="Use answers of the last minutes.")] = None,
    min_resources: Annotated[
        int | None, typer.Option("--min-resources", min=0, help="Exit 1 where a complete scan finds fewer than this.")
    ] = None,
    settings: SET = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table; the exit code speaks.")] = False,
    compare: COMPARE = False,
    compare_with: COMPARE_WITH = None,
    fail_on_change: FAIL_ON_CHANGE = False,
    refresh: REFRESH = False,
    refresh_interval: REFRESH_INTERVAL = INTERVAL_S,
) -> None:
    """Entry of `aws-scanner scan`."""
    gate = [] if min_resources is None else [f"min_resources={min_resources}"]
    overrides = overrides_of([*(settings or []), *gate])
    if cache is not None:
        overrides.setdefault("cache", {})["enabled"] = cache
    if dry_run:
        from scanner.cli.plan import show

        show(profile, overrides, offline=False)
        return
    wish = wish_of(compare, compare_with, fail_on_change)
    if refresh:
        from scanner.cli.refresh import refresh_and_show

        raise typer.Exit(refresh_and_show(profile, overrides, refresh_interval, wish, quiet=quiet))
    raise typer.Exit(scan_and_show(profile, overrides, quiet=quiet, wish=wish))


def overrides_of(settings: list[str]) -> dict[str, dict[str, object]]:
    """--set a.b=c as nested settings. Raises ProfileError for one without "="."""
    from scanner.errors import ProfileError

    found: dict[str, dict[str, object]] = {}
    for one in settings:
        path, equals, value = one.partition("=")
        if not equals or not path:
            raise ProfileError([f"command line: --set {one}: KEY=VALUE is wanted, such as retry.max_attempts=7"])
        *sections, last = path.split(".")
        target: dict[str, object] = found  # type: ignore[assignment]
        for section in sections:
            target = target.setdefault(section, {})  # type: ignore[assignment]
        target[last] = value
    return found


def scan_and_show(
    profile: str | None, overrides: dict[str, dict[str, object]], *, quiet: bool, wish: Wish | None = None
) -> int:
    """Scan, print the table and what is missing, compare if that is wished, and return the exit code."""
    from scanner.cli.compare import Comparison
    from scanner.cli.show import show_snapshot
    from scanner.cli.talk import Progress, on_signals, set_up_log
    from scanner.pipeline import scan
    from scanner.profile import load_profile

    loaded = load_profile(profile, overrides)
    comparison = Comparison(wish, loaded) if wish else None
    set_up_log("ERROR" if quiet else "INFO")
    on_signals()
    progress = Progress(quiet=quiet)
    try:
        snapshot = scan(loaded, progress.hooks())
    finally:
        progress.close()
    if not quiet:
        show_snapshot(snapshot, loaded.profile.reports.table_rows)
    return comparison.conclude(snapshot, quiet=quiet) if comparison else int(snapshot.manifest["exit_code"])
