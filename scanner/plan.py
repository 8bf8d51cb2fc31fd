"""Profile -> Units: the only place that knows accounts x regions x services, global ones included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from scanner.aws.organization import LIST_ACCOUNTS, LIST_OF_PARENT, LIST_OUS, LIST_ROOTS, LIST_TAGS
from scanner.aws.regions import GLOBAL_HOMES, SOURCES
from scanner.catalog import Catalog
from scanner.catalog.spec import Call, ResourceType
from scanner.collectors.tagging import GET_RESOURCES, SERVICE, is_global
from scanner.collectors.wanted import calls_of_unit
from scanner.filters import blindness
from scanner.model import GLOBAL, Account, Cell, Outcome, TagFilter, Unit
from scanner.profile import AccountSpec, Profile
from scanner.profile.regions import needs_region_list, region_patterns
from scanner.share import Share


@dataclass(frozen=True, slots=True)
class Reached:
    """An account that can be scanned, and its regions. `named`: those that the profile names literally."""

    spec: AccountSpec
    account: Account
    regions: tuple[str, ...]
    named: frozenset[str]
    regions_source: str  # "profile" | "account:ListRegions" | "ec2:DescribeRegions" | "botocore"


def plan(
    profile: Profile, catalog: Catalog, reached: Sequence[Reached], share: Share | None = None
) -> tuple[Unit, ...]:
    """All units of a scan, or those of a share, in the order of partition, account, region and service."""
    units = (
        unit
        for one in reached
        for unit in _units_of(profile, catalog, one)
        if not _is_absent(profile, catalog, one, unit)
    )
    if share is not None:
        units = (unit for unit in units if share.has(unit.name))
    return tuple(sorted(units, key=lambda unit: unit.name))


def left_out(
    profile: Profile, catalog: Catalog, reached: Sequence[Reached], share: Share | None = None
) -> Iterator[Cell]:
    """What is not asked, since a filter could not judge the answer or the region does not offer the service.

    A cell per type and region, with the reason.
    """
    left = (
        *((Outcome.SKIPPED, why, unit) for why, unit in _not_judged(profile, catalog, reached)),
        *((Outcome.NOT_AVAILABLE, _absence(unit), unit) for unit in _absent(profile, catalog, reached)),
    )
    for outcome, why, unit in left:
        if share is None or share.has(unit.name):
            yield from planned_cells(catalog, unit, outcome, why, lists_only=True)


def _absence(unit: Unit) -> str:
    return f"botocore lists no endpoint of {unit.service} in this region; name both in the profile to have it asked"


def _absent(profile: Profile, catalog: Catalog, reached: Sequence[Reached]) -> Iterator[Unit]:
    for one in reached:
        for unit in _units_of(profile, catalog, one):
            if _is_absent(profile, catalog, one, unit):
                yield unit


def _not_judged(profile: Profile, catalog: Catalog, reached: Sequence[Reached]) -> Iterator[tuple[str, Unit]]:
    for one in reached:
        _, kinds = _route(profile, catalog, one)
        for reason, blind in groupby(kinds, key=lambda kind: _blind(profile, kind)):
            if reason:
                yield from ((reason, unit) for unit in _asked(profile, catalog, one, tuple(blind)))
        reason = _blind(profile, None) if _wants_tagging(profile, one) else ""
        if reason:
            yield from ((reason, unit) for unit in _tagging_units(profile, catalog, one))


def jobs_of(units: Iterable[Unit]) -> Iterator[tuple[Unit, ...]]:
    """Units by account and region: each group is one worker's job."""

    def place(unit: Unit) -> tuple[str, str, str]:
        return unit.account.partition, unit.account.id, unit.scope_region

    for _, group in groupby(sorted(units, key=place), key=place):
        yield tuple(group)


def actions_needed(profile: Profile, catalog: Catalog, units: Iterable[Unit]) -> tuple[str, ...]:
    """The IAM actions that scanning these units needs, sorted; with that of the region list, if it is asked."""
    found = {action for unit in units for call in _calls_made(unit, catalog) for action in call.iam}
    asks_regions = any(needs_region_list(region_patterns(profile, one)) for one in profile.accounts)
    others = [*(SOURCES if asks_regions else ()), *_listing_calls(profile)]
    return tuple(sorted({*found, *(action for call in others for action in call.iam)}))


def _listing_calls(profile: Profile) -> Iterator[Call]:
    """The calls that list the members of organizations."""
    for one in (spec.organization for spec in profile.accounts if spec.organization):
        by_units = one.include_ous or one.exclude_ous
        yield from (LIST_ROOTS, LIST_OUS, LIST_OF_PARENT) if by_units else (LIST_ACCOUNTS,)
        yield from (LIST_TAGS,) if one.tags else ()


def _calls_made(unit: Unit, catalog: Catalog) -> Iterable[Call]:
    return (GET_RESOURCES,) if unit.collector == "tagging" else calls_of_unit(unit, catalog)


def planned_cells(
    catalog: Catalog, unit: Unit, outcome: Outcome, message: str, *, lists_only: bool = False
) -> tuple[Cell, ...]:
    """The cells of a unit that left no shard (lost, interrupted): each planned call with this outcome."""
    calls = [("*", GET_RESOURCES.operation)] if unit.collector == "tagging" else _calls_of(catalog, unit, lists_only)
    return tuple(
        Cell(
            account_id=unit.account.id,
            region=unit.scope_region,
            service=unit.service,
            resource_type=name,
            call=operation,
            outcome=outcome,
            message=message,
            named_region=unit.named_region,
        )
        for name, operation in calls
    )


def _calls_of(catalog: Catalog, unit: Unit, lists_only: bool) -> list[tuple[str, str]]:
    kinds = [catalog.type_of(unit.service, name) for name in unit.types]
    calls = [(kind.resource_type, call) for kind in kinds for call in (kind.calls[:1] if lists_only else kind.calls)]
    return sorted({(name, call.operation) for name, call in calls})


def _units_of(profile: Profile, catalog: Catalog, one: Reached) -> Iterator[Unit]:
    by_tags, kinds = _route(profile, catalog, one)
    if by_tags:
        yield from _tagging_units(profile, catalog, one)
    yield from _asked(profile, catalog, one, tuple(kind for kind in kinds if not _blind(profile, kind)))


def _route(profile: Profile, catalog: Catalog, one: Reached) -> tuple[bool, tuple[ResourceType, ...]]:
    """Whether the tagging API is asked, and which types their own services are asked for, filters permitting."""
    kinds = _selected(profile, catalog, one)
    if not _wants_tagging(profile, one) or _blind(profile, None):
        return False, kinds
    if profile.collector == "both":
        return True, kinds
    return True, tuple(kind for kind in kinds if not kind.tagging_api and profile.collector == "auto")


def _wants_tagging(profile: Profile, one: Reached) -> bool:
    """Whether the profile has the tagging API asked for this account."""
    by_tags = bool(_tag_filters(profile, one)) or profile.all_services
    return profile.collector in ("tagging", "both") or (profile.collector == "auto" and by_tags)


def _selected(profile: Profile, catalog: Catalog, one: Reached) -> tuple[ResourceType, ...]:
    """The types that the profile names for an account."""
    return catalog.select(_words(profile, one))


def _words(profile: Profile, one: Reached) -> list[str]:
    return list(one.spec.services if one.spec.services is not None else profile.services)


def _tag_filters(profile: Profile, one: Reached) -> tuple[TagFilter, ...]:
    return tuple(one.spec.tags if one.spec.tags is not None else profile.tags)


def _blind(profile: Profile, kind: ResourceType | None) -> str:
    """Why the profile's filters cannot judge a type, or (None) what the tagging API tells; "" where they can."""
    return blindness(profile.chosen_filters, kind)


def _is_absent(profile: Profile, catalog: Catalog, one: Reached, unit: Unit) -> bool:
    """Whether a region is known not to offer a service. Who names both of them has it asked: lists grow old."""
    if unit.collector != "services" or unit.region not in catalog.absent.get(unit.service, ()):
        return False
    plain = [word for word in _words(profile, one) if not set("*?[!") & set(word)]
    return not unit.named_region or not any(
        kind.service == unit.service for word in plain for kind in catalog.find(word)
    )


def _tagging_units(profile: Profile, catalog: Catalog, one: Reached) -> Iterator[Unit]:
    """The tagging API of each region; that of the home region, for global resources alone, where it is none of them."""
    kinds = [kind for kind in _selected(profile, catalog, one) if kind.tagging_api or profile.collector != "auto"]
    wanted = tuple(sorted({kind.resource_type for kind in kinds}))
    if not wanted:
        return
    only = () if _words(profile, one) == ["*"] else wanted
    tags, filters, home = _tag_filters(profile, one), profile.chosen_filters, _home_of(catalog, one.account)
    regions = one.regions if not only or any(not is_global(name) for name in only) else ()
    for region in regions:
        named = region in one.named
        yield Unit(one.account, region, region, "tagging", SERVICE, (), only, tags, (), named, filters)
    if home not in regions and (not only or any(is_global(name) for name in only)):
        yield Unit(one.account, home, GLOBAL, "tagging", SERVICE, (), only, tags, (), True, filters)


def _home_of(catalog: Catalog, account: Account) -> str:
    """The region in which an account's partition answers for what is global."""
    return GLOBAL_HOMES.get(account.partition) or catalog.regions[account.partition][0]


def _asked(profile: Profile, catalog: Catalog, one: Reached, kinds: tuple[ResourceType, ...]) -> Iterator[Unit]:
    """The units in which these types are asked from their own services."""
    for service, group in groupby(kinds, key=lambda kind: (kind.service, kind.scope, kind.home)):
        yield from _service_units(profile, catalog, one, service, tuple(kind.kind for kind in group))


def _service_units(
    profile: Profile, catalog: Catalog, one: Reached, service: tuple[str, str, str], kinds: tuple[str, ...]
) -> Iterator[Unit]:
    client, scope, home = service
    tags, enrich, filters = _tag_filters(profile, one), _enrich(profile, catalog), profile.chosen_filters
    if scope == "global":
        region = home or _home_of(catalog, one.account)
        yield Unit(one.account, region, GLOBAL, "services", client, kinds, (), tags, enrich, True, filters)
        return
    for region in one.regions:
        named = region in one.named
        yield Unit(one.account, region, region, "services", client, kinds, (), tags, enrich, named, filters)


def _enrich(profile: Profile, catalog: Catalog) -> tuple[str, ...]:
    if profile.enrich == "all":
        return ("*",)
    if profile.enrich == "none":
        return ()
    return tuple(sorted({kind.resource_type for word in profile.enrich for kind in catalog.find(word)}))
