"""What people are shown around a scan, on stderr: panels in a terminal, indented lines anywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from scanner.cli.delivery import Target

if TYPE_CHECKING:
    from rich.console import Console

    from scanner.catalog import Catalog
    from scanner.model import TagFilter, Unit
    from scanner.profile import AccountSpec, LoadedProfile, Profile

Row = tuple[str, str]
_ACCOUNTS = 10


def show_configuration(console: Console, loaded: LoadedProfile, target: Target) -> None:
    """What was asked for, before anything is asked of AWS."""
    _panel(console, "Configuration", "cyan", configuration(loaded, target))


def show_regions(console: Console, units: Sequence[Unit]) -> None:
    """The accounts that answered, and where they are scanned."""
    _panel(console, "Regions", "blue", regions(units))


def show_start(console: Console, units: Sequence[Unit]) -> None:
    """That it begins, how much there is to do, and how to stop it."""
    _line(console, f"Scanning {extent(units)}; Ctrl-C stops, and keeps what was finished", "bold")


def show_dry_run(console: Console, units: Sequence[Unit], catalog: Catalog) -> None:
    """That nothing was scanned, and what would be."""
    rows = [
        ("would scan", extent(units)),
        ("calls", f"{calls_at_least(units, catalog):,} at least; more pages need more"),
    ]
    _panel(console, "Dry run: nothing was scanned", "yellow", rows)


def configuration(loaded: LoadedProfile, target: Target) -> Iterator[Row]:
    """The settings that decide what is found and how long it takes."""
    profile = loaded.profile
    yield "profile", f"{profile.name} ({loaded.path})" if loaded.path else "none: defaults and command line"
    yield from _endpoints(loaded)
    for account in profile.accounts[:_ACCOUNTS]:
        yield "account", login(account)
    if len(profile.accounts) > _ACCOUNTS:
        yield "accounts", f"{len(profile.accounts) - _ACCOUNTS} more"
    yield "regions", "all that are enabled" if profile.regions == ["enabled"] else ", ".join(profile.regions)
    yield "services", "all of the catalog" if profile.services == ["*"] else ", ".join(profile.services)
    if profile.tags:
        yield "tags", " and ".join(map(_filter, profile.tags))
    yield "collector", _collector(profile)
    if profile.enrich != "all":
        yield "enrich", profile.enrich if isinstance(profile.enrich, str) else ", ".join(profile.enrich)
    execution = profile.execution
    processes = f"{execution.max_workers or 8} regions side by side at the most"
    yield "workers", f"{processes}, {execution.service_workers} threads each"
    yield "cache", f"answers of the last {profile.cache.ttl_s:,} s" if profile.cache.enabled else "off"
    yield "output", str(target)


def _endpoints(loaded: LoadedProfile) -> Iterator[Row]:
    """Whom the scan asks instead of AWS: nobody should learn that from its results."""
    from scanner.formats.notices import services_of
    from scanner.means import door_settings
    from scanner.routes import planned_endpoints

    for one in planned_endpoints(loaded.profile, loaded.catalog, door_settings(loaded)):
        yield "endpoint", f"{one['url']} for {services_of(one)} ({one['source']})"


def regions(units: Sequence[Unit]) -> Iterator[Row]:
    """Each account and its regions."""
    found: dict[str, set[str]] = {}
    for unit in units:
        name = f" ({unit.account.name})" if unit.account.name else ""
        found.setdefault(f"{unit.account.id}{name}", set()).add(unit.scope_region)
    for account, places in found.items():
        yield account, ", ".join(sorted(places))


def extent(units: Sequence[Unit]) -> str:
    """How much a plan is: "1 account, 4 regions, 48 resource types, 61 units"."""
    from scanner.store.coverage import counted

    kinds = {(unit.service, kind) for unit in units for kind in unit.types}
    said = [
        counted(len({unit.account.id for unit in units}), "account"),
        counted(len({unit.scope_region for unit in units} - {"global"}), "region"),
        counted(len(kinds), "resource type") if kinds else "",
        "whatever has the tags" if any(unit.collector == "tagging" for unit in units) else "",
        counted(len(units), "unit"),
    ]
    return ", ".join(filter(None, said))


def calls_at_least(units: Iterable[Unit], catalog: Catalog) -> int:
    """The list calls that even an empty account needs."""
    calls = 0
    for unit in units:
        listed = [kind for kind in unit.types if not catalog.type_of(unit.service, kind).of_parent]
        calls += 1 if unit.collector == "tagging" else len(listed)
    return calls


def login(account: AccountSpec) -> str:
    """How an account is reached, in words."""
    named = " ".join(filter(None, [account.id, f"({account.name})" if account.name else None]))
    how = "ambient credentials"
    if account.aws_profile:
        how = f"AWS profile {account.aws_profile}"
    elif account.roles:
        how = f"role {' -> '.join(role.arn for role in account.roles)}"
        how += f" from AWS profile {account.source_profile}" if account.source_profile else ""
    if account.organization:
        how = f"organization, role {account.organization.role_name} in each account; listed by {how}"
    return f"{named}: {how}" if named else how


def _filter(one: TagFilter) -> str:
    keys = " or ".join(one.keys) or "any key"
    return f"{keys} = {' or '.join(one.values)}" if one.values else keys


def _collector(profile: Profile) -> str:
    said = {
        "services": "each service itself",
        "tagging": "the tagging API",
        "both": "each service itself and the tagging API",
        "auto": "each service itself",
    }
    if profile.collector == "auto" and (profile.all_services or profile.tags):
        return "the tagging API, and the services that it does not cover"
    return said[profile.collector]


def _panel(console: Console, title: str, style: str, rows: Iterable[Row]) -> None:
    """A box with a title, or lines below one."""
    if console.quiet:
        return
    from rich.panel import Panel
    from rich.table import Table

    from scanner.formats.text import rich_text

    told = list(rows)
    if not console.is_terminal:
        width = max((len(label) for label, _ in told), default=0)
        for line in [title, *(f"  {label:<{width}}  {text}" for label, text in told)]:
            _line(console, line)
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=style)
    grid.add_column(overflow="fold")
    for label, text in told:
        grid.add_row(rich_text(label), rich_text(text))
    console.print(Panel(grid, title=rich_text(title), title_align="left", border_style=style, expand=False))


def _line(console: Console, text: str, style: str = "") -> None:
    from scanner.formats.summary import say

    say(console, text, style)
