"""List regions: those that the program knows, by partition; with a PROFILE, those of its accounts.

Nothing is asked of AWS, unless --enabled: then each account of the profile says which regions it has enabled, and
their opt-in status. Columns are separated by tabs; where the answer came from is said on stderr.

Exit code with --enabled as of whoami: 3 where an account is not usable, 4 where none is.

Examples: aws-scanner regions; aws-scanner regions prod; aws-scanner regions prod --enabled --json
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scanner.cli.options import AWS_PROFILE
from scanner.cli.voice import say
from scanner.cli.whoami import PROFILE

_COLUMNS = ("account_id", "account_name", "partition", "region", "status", "source")
Row = dict[str, Any]


def run(
    profile: PROFILE = None,
    aws_profile: AWS_PROFILE = None,
    enabled: Annotated[bool, typer.Option("--enabled", help="Ask each account which are enabled.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Entry of `aws-scanner regions`."""
    from scanner.errors import ProfileError
    from scanner.formats.text import printable

    if aws_profile is not None and not enabled:
        raise ProfileError(["command line: --profile: would be ignored: nothing is asked of AWS without --enabled"])
    rows, code = _enabled(profile, aws_profile) if enabled else (_of_profile(profile) if profile else _known(), 0)
    if json:
        import orjson

        say(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
    else:
        for row in rows:
            shown = [row[name] for name in _COLUMNS[:-1] if row[name] is not None]
            typer.echo("\t".join(map(printable, shown)))
    raise typer.Exit(code)


def _row(*values: str | None) -> Row:
    return dict(zip(_COLUMNS, values, strict=True))


def _known() -> list[Row]:
    from scanner.catalog import load_catalog

    catalog = load_catalog()
    say("as botocore knows them; --enabled asks an account", err=True)
    return [
        _row(None, None, partition, name, None, "botocore")
        for partition, names in catalog.regions.items()
        for name in names
    ]


def _of_profile(profile: str) -> list[Row]:
    """The regions of the profile's words, as far as they are known without asking."""
    from scanner.access import offline_accounts
    from scanner.profile import load_profile

    loaded = load_profile(profile)
    reached = offline_accounts(loaded.profile, loaded.catalog)
    say("as the profile names them, of all that botocore knows; --enabled asks the accounts", err=True)
    return [
        _row(one.account.id, one.account.name, one.account.partition, name, _word(name in one.named), "botocore")
        for one in reached
        for name in one.regions
    ]


def _word(is_named: bool) -> str:
    return "named" if is_named else "matched"


def _enabled(profile: str | None, aws_profile: str | None) -> tuple[list[Row], int]:
    from scanner.cli.whoami import exit_code, label, regions_text, standings_of
    from scanner.formats.text import printable

    standings = standings_of(profile, aws_profile)
    rows = []
    for one in standings:
        if not one.usable:
            say(printable(f"{label(one)}: {one.code}: {one.message}"), err=True)
            continue
        refused = "".join(f" ({asked.code}: {asked.message})" for asked in one.asked if asked.code)
        say(printable(f"{label(one)}: {regions_text(one)}{refused}"), err=True)
        rows += [
            _row(one.account_id, one.name, one.partition, name, status or "unknown", one.regions_source)
            for name, status in one.statuses
        ]
    return rows, exit_code(standings)
