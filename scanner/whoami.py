"""Who we are in each account of a profile, how we came there, what is enabled, what is denied. Never from the cache."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

from scanner.access import ask_regions, same_account
from scanner.aws.accounts import Entrance, Identity
from scanner.aws.calls import Absent, Lane
from scanner.aws.clients import Clients
from scanner.aws.regions import GLOBAL_HOMES, SOURCES, Refusals, is_enabled
from scanner.aws.settings import DoorSettings
from scanner.candidates import Candidate, Finder
from scanner.catalog import Call, Catalog, ResourceType
from scanner.collectors.values import fill_params
from scanner.errors import GapError
from scanner.model import GLOBAL, Account, Outcome
from scanner.profile import Profile
from scanner.profile.regions import match_regions, region_patterns

_AT_ONCE = 8
_AWS = {call.iam[0]: call for call in SOURCES}
_PROBE_SIZE = 20  # the smallest page that every service allows (RDS's least is 20)


@dataclass(frozen=True, slots=True)
class Asked:
    """One call that was made to find out whether it is allowed. `actions`: the IAM actions it needs."""

    service: str
    operation: str
    region: str
    actions: tuple[str, ...]
    outcome: Outcome = Outcome.OK
    code: str = ""
    message: str = ""

    @property
    def is_denied(self) -> bool:
        """Whether a policy forbids it."""
        return self.outcome in (Outcome.DENIED, Outcome.DENIED_BY_POLICY)


@dataclass(frozen=True, slots=True)
class Standing:
    """One account of a profile as AWS sees us there. `arn` is None, and `code` says why, where it is not usable.

    `statuses`: region -> opt-in status, of `regions_source`; `regions`: those of them that the profile scans.
    """

    account_id: str | None
    name: str | None
    partition: str
    way: tuple[str, ...]
    arn: str | None = None
    code: str = ""
    message: str = ""
    statuses: tuple[tuple[str, str], ...] = ()
    regions_source: str = ""
    regions: tuple[str, ...] = ()
    listing: tuple[Asked, ...] = ()
    probed: tuple[Asked, ...] = ()
    outcome: Outcome = Outcome.OK

    @property
    def asked(self) -> tuple[Asked, ...]:
        """All calls that were made there: that of the region list, then the probes."""
        return (*self.listing, *self.probed)

    @property
    def is_left_out(self) -> bool:
        """Whether it is not to be scanned: suspended in its organization."""
        return self.outcome is Outcome.SKIPPED

    @property
    def usable(self) -> bool:
        """Whether STS took the credentials."""
        return self.arn is not None

    @property
    def regions_known(self) -> bool:
        """Whether AWS told which regions are enabled."""
        return self.regions_source in _AWS

    @property
    def enabled(self) -> tuple[str, ...]:
        """The regions that can be used; all, where AWS did not tell."""
        return tuple(name for name, status in self.statuses if is_enabled(status))

    @property
    def denied(self) -> tuple[Asked, ...]:
        """What a policy forbids, of what was asked."""
        return tuple(one for one in self.asked if one.is_denied)


def whoami(profile: Profile, door: DoorSettings, catalog: Catalog, *, probe: bool = False) -> tuple[Standing, ...]:
    """Every account of a profile, in its order: one STS call and one for its regions each; with `probe` also one
    list call for each of its services. Nothing is raised for an account that fails."""
    entrance = Entrance(door, catalog.operations())
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = Finder(profile, door, catalog, entrance).find(pool)
        entered = list(pool.map(lambda one: one.enter(entrance), found))
        asked = _once_each(found, entered)
        lookers = (_Looker(profile, one, identity, door, catalog) for one, identity in asked)
        return tuple(pool.map(lambda looker: looker.standing(probe), lookers))


def _once_each(
    found: list[Candidate], entered: list[Identity | GapError]
) -> Iterator[tuple[Candidate, Identity | GapError]]:
    """Each account once: its second entry is refused, or left out if it only comes from an organization."""
    seen = set()
    for one, identity in zip(found, entered, strict=True):
        known = identity.account.id if isinstance(identity, Identity) else None
        if known not in seen or known is None:
            yield one, identity
        elif isinstance(identity, Identity) and not one.by:
            yield one, same_account(identity)
        seen.add(known)


@dataclass(frozen=True, slots=True)
class _Looker:
    """Asks one account, if it could be entered."""

    profile: Profile
    one: Candidate
    entered: Identity | GapError
    door: DoorSettings
    catalog: Catalog

    def standing(self, probe: bool) -> Standing:
        """What it is like there."""
        if isinstance(self.entered, GapError):
            return self._refused(self.entered)
        account, clients = self.entered.account, Clients(self.door, self.catalog.operations())
        refused: Refusals = []
        statuses, source = ask_regions(self.entered, self.door, self.catalog, [], refused)
        enabled = [name for name, status in statuses.items() if is_enabled(status)]
        regions, _ = match_regions(region_patterns(self.profile, self.one.spec), enabled)
        home = GLOBAL_HOMES.get(account.partition) or next(iter(statuses), "us-east-1")
        # What was refused is told only if nothing stood in for it.
        listing = [_asked(_AWS[source], home)] if source in _AWS else [_asked(call, home, gap) for call, gap in refused]
        return Standing(
            account_id=account.id,
            name=self.one.spec.name,
            partition=account.partition,
            way=self.one.way(self.entered.via),
            arn=account.arn,
            statuses=tuple(statuses.items()),
            regions_source=source,
            regions=regions,
            listing=tuple(listing),
            probed=tuple(self._probed(clients, self.entered, regions)) if probe else (),
        )

    def _refused(self, gap: GapError) -> Standing:
        spec, way = self.one.spec, self.one.way()
        outcome = Outcome(gap.outcome)
        return Standing(
            spec.known_id, spec.name, self.one.partition, way, code=gap.code, message=gap.message, outcome=outcome
        )

    def _probed(self, clients: Clients, identity: Identity, regions: tuple[str, ...]) -> list[Asked]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            probes = self._probes(identity.account, regions)
            return list(pool.map(lambda one: self._ask(clients, identity, *one), probes))

    def _probes(self, account: Account, regions: tuple[str, ...]) -> Iterator[tuple[Call, str]]:
        own = self.one.spec.services
        words = own if own is not None else self.profile.services
        for _, group in groupby(self.catalog.select(words), key=lambda kind: kind.service):
            kinds = list(group)
            call = probe_call(kinds) or probe_call(
                [one for one in self.catalog.types if one.service == kinds[0].service]
            )
            home = kinds[0].home or GLOBAL_HOMES.get(account.partition, "")
            region = home if kinds[0].scope == GLOBAL else next(iter(regions), home)
            if call and region:
                yield call, region

    def _ask(self, clients: Clients, identity: Identity, call: Call, region: str) -> Asked:
        try:
            lane = Lane(clients.get(identity.keys(), region, call.service), self.door)
            lane.once(call, probe_params(call, identity.account, region))
        except Absent:
            return _asked(call, region)
        except GapError as gap:
            return _asked(call, region, gap)
        return _asked(call, region)


def probe_call(kinds: list[ResourceType]) -> Call | None:
    """The list call of the first type that can be asked without knowing a parent; None where there is none."""
    return next((kind.list for kind in kinds if not kind.of_parent and not kind.of_literals), None)


def probe_params(call: Call, account: Account, region: str) -> dict[str, object]:
    """The parameters of one cheap call: a small page."""
    env = {"account": account.id, "partition": account.partition, "region": region}
    params: dict[str, object] = fill_params(call.params, env)
    if call.size_param:
        params.setdefault(call.size_param, min(call.size, _PROBE_SIZE))
    return params


def _asked(call: Call, region: str, gap: GapError | None = None) -> Asked:
    if gap is None:
        return Asked(call.service, call.operation, region, call.iam)
    return Asked(call.service, call.operation, region, call.iam, Outcome(gap.outcome), gap.code, gap.message)
