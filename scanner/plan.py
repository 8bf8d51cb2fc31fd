"""Profile -> Units: the only place that knows accounts x regions x services, global ones included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

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

WhyNot = tuple[Outcome, str]


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
    units = (unit for unit, why_not in _considered(profile, catalog, reached, share) if why_not is None)
    return tuple(sorted(units, key=lambda unit: unit.name))


def left_out(
    profile: Profile, catalog: Catalog, reached: Sequence[Reached], share: Share | None = None
) -> Iterator[Cell]:
    """What is not asked, since a filter could not judge the answer or the region does not offer the service.

    A cell per type and region, with the reason.
    """
    for unit, why_not in _considered(profile, catalog, reached, share):
        if why_not is not None:
            yield from planned_cells(catalog, unit, *why_not, lists_only=True)


def _considered(
    profile: Profile, catalog: Catalog, reached: Sequence[Reached], share: Share | None
) -> Iterator[tuple[Unit, WhyNot | None]]:
    found = (one for account in reached for one in _Asking(profile, catalog, account).units())
    return found if share is None else (one for one in found if share.has(one[0].name))


def jobs_of(units: Iterable[Unit]) -> Iterator[tuple[Unit, ...]]:
    """Units by account and region: each group is one worker's job."""

    def place(unit: Unit) -> tuple[str, str, str]:
        return unit.account.partition, unit.account.id, unit.scope_region

    for _, group in groupby(sorted(units, key=place), key=place):
        yield tuple(group)


def actions_needed(
    profile: Profile, catalog: Catalog, units: Iterable[Unit], *, with_listing: bool = True
) -> tuple[str, ...]:
    """The IAM actions that scanning these units needs, sorted; with those of the lists of regions and accounts."""
    found = {action for unit in units for call in _calls_made(unit, catalog) for action in call.iam}
    asks_regions = any(needs_region_list(region_patterns(profile, one)) for one in profile.accounts)
    others = [action for call in (SOURCES if asks_regions else ()) for action in call.iam]
    return tuple(sorted({*found, *others, *(listing_actions(profile) if with_listing else ())}))


def listing_actions(profile: Profile) -> tuple[str, ...]:
    """The IAM actions of whoever lists the accounts of the profile's organizations, sorted."""
    return tuple(sorted({action for call in _listing_calls(profile) for action in call.iam}))


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


@dataclass(frozen=True, slots=True)
class _Asking:
    """What a profile has asked of one account."""

    profile: Profile
    catalog: Catalog
    account: Reached

    def units(self) -> Iterator[tuple[Unit, WhyNot | None]]:
        """Every unit that the profile means; and why it is not asked, where it is not."""
        blind_tagging = blindness(self.profile.chosen_filters, None)
        if self.wants_tagging:
            for unit in self.tagging_units():
                yield unit, (Outcome.SKIPPED, blind_tagging) if blind_tagging else None
        by_tags = self.wants_tagging and not blind_tagging
        by_reason: dict[str, list[ResourceType]] = {}
        for kind in self.kinds:
            if not by_tags or self.profile.collector == "both" or (self.is_auto and not kind.tagging_api):
                by_reason.setdefault(blindness(self.profile.chosen_filters, kind), []).append(kind)
        for reason, kinds in by_reason.items():
            for unit in self.service_units(kinds):
                yield unit, (Outcome.SKIPPED, reason) if reason else self.absence(unit)

    @property
    def is_auto(self) -> bool:
        """Whether tag filters decide who is asked."""
        return self.profile.collector == "auto"

    @property
    def wants_tagging(self) -> bool:
        """Whether the profile has the tagging API asked for this account."""
        by_tags = bool(self.tags) or self.profile.all_services
        return self.profile.collector in ("tagging", "both") or (self.is_auto and by_tags)

    @property
    def words(self) -> list[str]:
        """Services and types as they are named for this account."""
        own = self.account.spec.services
        return own if own is not None else self.profile.services

    @property
    def kinds(self) -> tuple[ResourceType, ...]:
        """The types that these words mean."""
        return self.catalog.select(self.words)

    @property
    def tags(self) -> tuple[TagFilter, ...]:
        """The tag filters for this account."""
        own = self.account.spec.tags
        return tuple(own if own is not None else self.profile.tags)

    @property
    def home(self) -> str:
        """The region in which the account's partition answers for what is global."""
        partition = self.account.account.partition
        return GLOBAL_HOMES.get(partition) or self.catalog.regions[partition][0]

    def absence(self, unit: Unit) -> WhyNot | None:
        """That a region is known not to offer a service. Who names both of them has it asked: lists grow old."""
        if unit.region not in self.catalog.absent.get(unit.service, ()):
            return None
        plain = [word for word in self.words if not set("*?[!") & set(word)]
        is_named = any(kind.service == unit.service for word in plain for kind in self.catalog.find(word))
        if unit.named_region and is_named:
            return None
        remedy = "name both in the profile to have it asked"
        return Outcome.NOT_AVAILABLE, f"botocore lists no endpoint of {unit.service} in this region; {remedy}"

    def tagging_units(self) -> Iterator[Unit]:
        """The tagging API of each region; that of the home region, for global resources alone, where it is none."""
        kinds = [kind for kind in self.kinds if kind.tagging_api or not self.is_auto]
        wanted = tuple(sorted({kind.resource_type for kind in kinds}))
        if not wanted:
            return
        only = () if self.words == ["*"] else wanted
        said = {"collector": "tagging", "service": SERVICE, "only": only, "enrich": ()}
        if not only or any(not is_global(name) for name in only):
            yield from self.in_each_region(**said)
        if self.home not in self.account.regions and (not only or any(is_global(name) for name in only)):
            yield self.unit(self.home, GLOBAL, named_region=True, **said)

    def service_units(self, kinds: Iterable[ResourceType]) -> Iterator[Unit]:
        """The units in which these types are asked from their own services."""
        for (client, scope, home), group in groupby(kinds, key=lambda kind: (kind.service, kind.scope, kind.home)):
            names = tuple(kind.kind for kind in group)
            said = {"collector": "services", "service": client, "types": names, "enrich": self.enrich}
            if scope == "global":
                yield self.unit(home or self.home, GLOBAL, named_region=True, **said)
            else:
                yield from self.in_each_region(**said)

    def in_each_region(self, **said: Any) -> Iterator[Unit]:
        """A unit for each region of the account."""
        for region in self.account.regions:
            yield self.unit(region, region, named_region=region in self.account.named, **said)

    def unit(self, region: str, scope_region: str, **said: Any) -> Unit:
        """A unit of this account, with its tags and filters."""
        return Unit(
            self.account.account, region, scope_region, tags=self.tags, filters=self.profile.chosen_filters, **said
        )

    @property
    def enrich(self) -> tuple[str, ...]:
        """The types whose extra calls are made."""
        if self.profile.enrich == "all":
            return ("*",)
        if self.profile.enrich == "none":
            return ()
        return tuple(sorted({kind.resource_type for word in self.profile.enrich for kind in self.catalog.find(word)}))
