"""Show what a scan would do: accounts, regions, types, calls, IAM actions, and where each setting came from.

It takes the options of `scan` that select. With --offline nothing is asked of AWS.

Exit codes: 0; 2 for a bad profile or command line; 3 where an account cannot be entered, 4 where none can.

\b
Examples:
  aws-scanner plan prod
  aws-scanner plan prod --offline
  aws-scanner plan -r 'eu-*' -s ec2,s3 --tag-key Environment
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanner.cli.groups import spread
from scanner.cli.options import PROFILE, Selection
from scanner.cli.voice import say

if TYPE_CHECKING:
    from scanner.catalog import Catalog
    from scanner.catalog.spec import ResourceType
    from scanner.model import Cell, Unit
    from scanner.plan import Reached
    from scanner.profile import AccountSpec, LoadedProfile
    from scanner.share import Share


@dataclass(frozen=True, slots=True)
class Planned:
    """The accounts that answer, the units of a scan of them, and what a filter leaves unasked."""

    reached: Sequence[Reached]
    units: tuple[Unit, ...]
    left_out: tuple[Cell, ...]
    is_whole: bool = True  # every account that is to be scanned answered

    @property
    def exit_code(self) -> int:
        """What `plan` and `scan --dry-run` exit with."""
        return 0 if self.is_whole else 3


@spread
def run(
    selection: Selection,
    profile: PROFILE = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask AWS nothing: no STS, no region list.")] = False,
) -> None:
    """Entry of `aws-scanner plan`."""
    from scanner.cli.overrides import load

    loaded = load(profile, selection)
    found = planned(loaded, offline=offline)
    show(loaded, found)
    raise typer.Exit(found.exit_code)


def planned(loaded: LoadedProfile, *, offline: bool, share: Share | None = None) -> Planned:
    """Ask which accounts answer and what their regions are. Raises NoCredentialsError where none does."""
    from scanner.access import offline_accounts, reach_accounts
    from scanner.cli.talk import set_up_log
    from scanner.errors import NoCredentialsError
    from scanner.means import door_settings, open_cache
    from scanner.pipeline import no_credentials_message
    from scanner.plan import left_out, plan

    set_up_log("WARNING")
    catalog, is_whole = loaded.catalog, True
    if offline:
        reached = offline_accounts(loaded.profile, catalog)
    else:
        cache = open_cache(loaded, lambda text: say(text, err=True))
        access = reach_accounts(loaded.profile, door_settings(loaded), catalog, cache)
        reached = access.reached
        if not reached:
            raise NoCredentialsError(no_credentials_message(access, loaded))
        for line in access.lines:
            if line.outcome != "ok":
                is_whole = is_whole and line.outcome == "skipped"
                named = line.id or line.name or "of unknown id"
                say(f"account {named}: {line.outcome}: {line.message}", err=True)
    left = left_out(loaded.profile, catalog, reached, share)
    return Planned(reached, plan(loaded.profile, catalog, reached, share), tuple(left), is_whole)


def show(loaded: LoadedProfile, found: Planned) -> None:
    """Print the plan on stdout."""
    from scanner.plan import actions_needed

    _accounts(found.reached)
    _types(found.units, loaded.catalog)
    _left_out(found.left_out)
    _actions(actions_needed(loaded.profile, loaded.catalog, found.units))
    _settings(loaded.origins, loaded.profile)


def _accounts(reached: Sequence[Reached]) -> None:
    say("accounts")
    for one in reached:
        name = f" ({one.account.name})" if one.account.name else ""
        say(f"  {one.account.id}{name}: {', '.join(one.regions)}  [regions: {one.regions_source}]")


def _types(units: tuple[Unit, ...], catalog: Catalog) -> None:
    from scanner.store.coverage import counted

    cells: dict[tuple[str, str], int] = {}
    tagging = 0
    for unit in units:
        tagging += unit.collector == "tagging"
        for name in unit.types:
            cells[unit.service, name] = cells.get((unit.service, name), 0) + 1
    enriched = any(unit.enrich for unit in units)
    kinds = [catalog.type_of(*key) for key in sorted(cells)]
    extent = f"{counted(len(units), 'unit')}, {counted(len(kinds), 'resource type')}"
    say(f"\n{extent}; calls at least, more pages and resources need more")
    if tagging:
        say(f"  every tagged resource: {tagging} x get_resources")
    for kind in kinds:
        say(f"  {kind.service}:{kind.kind}: {cells[kind.service, kind.kind]} x {calls_of(kind, enriched)}")


def _actions(actions: Iterable[str]) -> None:
    say("\nIAM actions needed")
    for action in actions:
        say(f"  {action}")


def _left_out(cells: Iterable[Cell]) -> None:
    """What a filter leaves unasked, and why; in reports these cells are `skipped`."""
    reasons: dict[str, list[str]] = {}
    for cell in cells:
        name = "the tagging API" if cell.resource_type == "*" else cell.resource_type
        reasons.setdefault(cell.message, []).append(name)
    for reason, kinds in reasons.items():
        say(f"\nnot asked, {reason}\n  {', '.join(dict.fromkeys(kinds))}")


def calls_of(kind: ResourceType, enriched: bool) -> str:
    """The calls of a type in words: "list_clusters + describe_clusters per 100"."""
    said = [kind.list.operation + (f" per {kind.of_parent}" if kind.of_parent else "")]
    for call in kind.calls[1:]:
        extra = call is not kind.get or kind.get_is_extra
        if enriched or not extra:
            said.append(f"{call.operation} per {call.batch or 'resource'}")
    return " + ".join(said)


def _settings(origins: Mapping[str, str], profile: Any) -> None:
    from scanner.formats.text import printable

    say("\nsettings")
    for path, origin in origins.items():
        value: Any = profile
        for step in path.split("."):
            value = getattr(value, step)
        say(f"  {path} = {printable(str(_SHOWN.get(path, str)(value)))}  [{origin}]")


def _accounts_in_words(accounts: Sequence[AccountSpec]) -> str:
    from scanner.cli.panels import login

    more = [f"{len(accounts) - _LISTED} more"] if len(accounts) > _LISTED else []
    return "; ".join([*map(login, accounts[:_LISTED]), *more])


_LISTED = 10
_SHOWN: Mapping[str, Callable[[Any], str]] = {
    "accounts": _accounts_in_words,
    "tags": lambda filters: " and ".join(map(str, filters)) or "none",
    "expect": lambda lines: "; ".join(map(str, lines)) or "nothing",
    "limits.services": lambda said: ", ".join(f"{name}: {one}" for name, one in said.items()) or "as AWS documents",
}
