"""Show who the program is in each account of a profile: identity, role chain, enabled regions, what is denied.

It asks STS and the list of regions once per account. With --probe it also makes one cheap list call for each selected
service, in one region, and names the IAM actions that are denied.

Exit code 0: all accounts are usable; 3: some are not, or a probe was denied; 4: none is.

Examples: aws-scanner whoami; aws-scanner whoami -p production; aws-scanner whoami prod --probe
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanner.cli import words
from scanner.cli.options import AWS_PROFILE, Selection
from scanner.cli.voice import say

if TYPE_CHECKING:
    from scanner.whoami import Asked, Standing


PROFILE = Annotated[
    str | None,
    typer.Argument(
        metavar="PROFILE",
        help="Profile: a name in config/ or a path; default: the ambient credentials.",
        autocompletion=words.profiles,
    ),
]


def run(
    profile: PROFILE = None,
    aws_profile: AWS_PROFILE = None,
    probe: Annotated[bool, typer.Option("--probe", help="One cheap list call for each selected service.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Entry of `aws-scanner whoami`."""
    standings = standings_of(profile, aws_profile, probe=probe)
    if json:
        import orjson

        said = {"accounts": [account_json(one) for one in standings]}
        say(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
    else:
        for at, one in enumerate(standings):
            say(("\n" if at else "") + "\n".join(account_lines(one)))
    raise typer.Exit(exit_code(standings, denials_count=probe))


def standings_of(profile: str | None, aws_profile: str | None, *, probe: bool = False) -> tuple[Standing, ...]:
    """Who we are in each account of a profile."""
    from scanner.cli.overrides import load
    from scanner.means import door_settings
    from scanner.whoami import whoami

    loaded = load(profile, Selection(aws_profile=aws_profile))
    return whoami(loaded.profile, door_settings(loaded), loaded.catalog, probe=probe)


def exit_code(standings: tuple[Standing, ...], *, denials_count: bool = False) -> int:
    """0 where all accounts are usable, 4 where none is, else 3; also 3 for a denial, where these count."""
    if not any(one.usable for one in standings):
        return 4
    denied = denials_count and any(one.denied for one in standings)
    return 0 if all(one.usable or one.is_left_out for one in standings) and not denied else 3


def label(one: Standing) -> str:
    """An account as people call it: "111122223333 (production)"."""
    account_id = one.account_id or "unknown account"
    return f"{account_id} ({one.name})" if one.name else account_id


def account_lines(one: Standing) -> Iterator[str]:
    """One account as text."""
    from scanner.formats.text import printable

    yield printable(f"{label(one)}: {'left out' if one.is_left_out else 'usable' if one.usable else 'NOT USABLE'}")
    yield from (f"  {printable(line)}" for line in _facts(one))


def _facts(one: Standing) -> Iterator[str]:
    yield f"reached by  {' -> '.join(one.way)}"
    if not one.usable:
        yield f"refused     {one.code}: {one.message}"
        return
    yield f"identity    {one.arn}  (partition {one.partition})"
    yield f"regions     {regions_text(one)}" + (f": {', '.join(one.enabled)}" if one.regions_known else "")
    yield f"scanned     {len(one.regions)} of them by this profile: {', '.join(one.regions) or 'none'}"
    probed = one.probed
    if probed:
        outcomes = Counter(asked.outcome for asked in probed)
        yield f"probed      {len(probed)} services: " + ", ".join(f"{count} {name}" for name, count in outcomes.items())
    for asked in one.asked:
        if asked.code:
            word = "denied" if asked.is_denied else asked.outcome
            yield f"{word:<10}  {', '.join(asked.actions)} in {asked.region}: {asked.code}: {asked.message}"


def regions_text(one: Standing) -> str:
    """How many regions are enabled, or that this is not known, and who says so."""
    if one.regions_known:
        return f"{len(one.enabled)} of {len(one.statuses)} enabled [{one.regions_source}]"
    return f"not known which are enabled, {one.regions_source} knows {len(one.statuses)}"


def account_json(one: Standing) -> dict[str, Any]:
    """One account as JSON."""
    return {
        "account_id": one.account_id,
        "name": one.name,
        "partition": one.partition,
        "usable": one.usable,
        "arn": one.arn,
        "reached_by": list(one.way),
        "code": one.code or None,
        "message": one.message or None,
        "regions": [{"region": name, "opt_in_status": status or None} for name, status in one.statuses],
        "regions_source": one.regions_source or None,
        "scanned_regions": list(one.regions),
        "asked": [_asked_json(asked) for asked in one.asked],
        "denied_actions": sorted({action for asked in one.denied for action in asked.actions}),
    }


def _asked_json(asked: Asked) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in asked.__slots__} | {"actions": list(asked.actions)}
