"""Profile -> Units: the only place that knows accounts x regions x services, global ones included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby

from scanner.catalog import Catalog
from scanner.catalog.spec import ResourceType
from scanner.collectors.tagging import GET_RESOURCES, SERVICE
from scanner.model import GLOBAL, Account, Cell, Outcome, TagFilter, Unit
from scanner.profile import AccountSpec, Profile

# Where a partition's global services are called (IAM's endpoints); other partitions: their first region.
GLOBAL_HOMES = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}
ENABLED = "enabled"


@dataclass(frozen=True, slots=True)
class Reached:
    """An account that can be scanned, and its regions. `named`: those that the profile names literally."""

    spec: AccountSpec
    account: Account
    regions: tuple[str, ...]
    named: frozenset[str]
    regions_source: str  # "profile" | "ec2:DescribeRegions" | "botocore"


def region_patterns(profile: Profile, spec: AccountSpec) -> tuple[str, ...]:
    """The region words that hold for an account."""
    return tuple(spec.regions if spec.regions is not None else profile.regions)


def needs_region_list(patterns: Iterable[str]) -> bool:
    """Whether AWS must be asked which regions are enabled: for globs and for `enabled`, not for names."""
    return any(word == ENABLED or "*" in word or "?" in word for word in patterns if not word.startswith("!"))


def match_regions(patterns: Sequence[str], known: Sequence[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Regions of a profile's words and, of them, the literal ones. `known`: enabled regions (for globs only)."""
    named = {word for word in patterns if not (word == ENABLED or set("!*?[") & set(word))}
    globs = [word for word in patterns if set("*?[") & set(word) and not word.startswith("!")]
    wanted = named | {one for one in known if ENABLED in patterns or any(fnmatchcase(one, glob) for glob in globs)}
    refused = [word[1:] for word in patterns if word.startswith("!")]
    if refused and not named and not globs and ENABLED not in patterns:
        wanted |= set(known)
    kept = {one for one in wanted if not any(fnmatchcase(one, glob) for glob in refused)}
    return tuple(sorted(kept)), frozenset(named & kept)


def select_types(catalog: Catalog, words: Sequence[str]) -> tuple[ResourceType, ...]:
    """The resource types that a profile's `services` mean: names, globs, aliases, and exclusions with "!"."""
    wanted = [word for word in words if not word.startswith("!")] or ["*"]
    refused = {kind for word in words if word.startswith("!") for kind in _keys(catalog.find(word[1:]))}
    found = {kind for word in wanted for kind in _keys(catalog.find(word))} - refused
    return tuple(kind for kind in catalog.types if (kind.service, kind.kind) in found)


def plan(profile: Profile, catalog: Catalog, reached: Sequence[Reached]) -> tuple[Unit, ...]:
    """All units of a scan, in the order of partition, account, region and service."""
    units = [unit for one in reached for unit in _units_of(profile, catalog, one)]
    return tuple(sorted(units, key=lambda unit: unit.name))


def jobs_of(units: Iterable[Unit]) -> Iterator[tuple[Unit, ...]]:
    """Units by account and region: each group is one worker's job."""

    def place(unit: Unit) -> tuple[str, str, str]:
        return unit.account.partition, unit.account.id, unit.scope_region

    for _, group in groupby(sorted(units, key=place), key=place):
        yield tuple(group)


def planned_cells(catalog: Catalog, unit: Unit, outcome: Outcome, message: str) -> tuple[Cell, ...]:
    """The cells of a unit that left no shard (lost, interrupted): each planned call with this outcome."""
    calls = [("*", GET_RESOURCES.operation)] if unit.collector == "tagging" else _calls_of(catalog, unit)
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


def _calls_of(catalog: Catalog, unit: Unit) -> list[tuple[str, str]]:
    kinds = [catalog.type_of(unit.service, name) for name in unit.types]
    return sorted({(kind.resource_type, call.operation) for kind in kinds for call in kind.calls})


def _keys(kinds: Iterable[ResourceType]) -> set[tuple[str, str]]:
    return {(kind.service, kind.kind) for kind in kinds}


def _units_of(profile: Profile, catalog: Catalog, one: Reached) -> Iterator[Unit]:
    words = list(one.spec.services if one.spec.services is not None else profile.services)
    filters = tuple(one.spec.tags if one.spec.tags is not None else profile.tags)
    kinds = select_types(catalog, words)
    by_tags, by_service = _route(profile, kinds, filters)
    if by_tags:
        only = () if words == ["*"] else tuple(sorted({kind.resource_type for kind in kinds}))
        for region in one.regions:
            yield Unit(one.account, region, region, "tagging", SERVICE, (), only, filters, (), region in one.named)
    for service, group in groupby(by_service, key=lambda kind: (kind.service, kind.scope, kind.home)):
        yield from _service_units(profile, catalog, one, service, tuple(kind.kind for kind in group), filters)


def _route(
    profile: Profile, kinds: tuple[ResourceType, ...], filters: tuple[TagFilter, ...]
) -> tuple[bool, tuple[ResourceType, ...]]:
    """Whether the tagging API is asked, and which types their own services are asked for."""
    if profile.collector == "services":
        return False, kinds
    if profile.collector == "tagging":
        return True, ()
    if profile.collector == "both":
        return True, kinds
    if filters or profile.all_services:
        return True, tuple(kind for kind in kinds if not kind.tagging_api)
    return False, kinds


def _service_units(
    profile: Profile,
    catalog: Catalog,
    one: Reached,
    service: tuple[str, str, str],
    kinds: tuple[str, ...],
    filters: tuple[TagFilter, ...],
) -> Iterator[Unit]:
    client, scope, home = service
    enrich = _enrich(profile, catalog)
    if scope == "global":
        region = home or GLOBAL_HOMES.get(one.account.partition) or catalog.regions[one.account.partition][0]
        yield Unit(one.account, region, GLOBAL, "services", client, kinds, (), filters, enrich)
        return
    for region in one.regions:
        yield Unit(one.account, region, region, "services", client, kinds, (), filters, enrich, region in one.named)


def _enrich(profile: Profile, catalog: Catalog) -> tuple[str, ...]:
    if profile.enrich == "all":
        return ("*",)
    if profile.enrich == "none":
        return ()
    return tuple(sorted({kind.resource_type for word in profile.enrich for kind in catalog.find(word)}))
