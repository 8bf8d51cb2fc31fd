"""Who we are in each account of a profile, how we came there, what is enabled, what is denied. Never from the cache."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

from scanner.access import login_of, prove_account, same_account
from scanner.aws.accounts import Identity
from scanner.aws.calls import Absent, Lane
from scanner.aws.chain import chain_of
from scanner.aws.clients import Clients
from scanner.aws.regions import DESCRIBE_REGIONS, is_enabled, region_statuses
from scanner.aws.settings import DoorSettings
from scanner.catalog import Call, Catalog, ResourceType
from scanner.collectors.values import fill_params
from scanner.errors import GapError
from scanner.model import GLOBAL, Account, Outcome
from scanner.plan import GLOBAL_HOMES, match_regions, region_patterns, select_types
from scanner.profile import AccountSpec, Profile

_AT_ONCE = 8
_AWS = DESCRIBE_REGIONS.iam[0]
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
    asked: tuple[Asked, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether STS took the credentials."""
        return self.arn is not None

    @property
    def regions_known(self) -> bool:
        """Whether AWS told which regions are enabled."""
        return self.regions_source == _AWS

    @property
    def enabled(self) -> tuple[str, ...]:
        """The regions that can be used; all, where AWS did not tell."""
        return tuple(name for name, status in self.statuses if is_enabled(status))

    @property
    def denied(self) -> tuple[Asked, ...]:
        """What a policy forbids, of what was asked."""
        return tuple(one for one in self.asked if one.is_denied)


def whoami(profile: Profile, door: DoorSettings, catalog: Catalog, *, probe: bool = False) -> tuple[Standing, ...]:
    """Every account of a profile, in its order: one STS call and one DescribeRegions each; with `probe` also one
    list call for each of its services. Nothing is raised for an account that fails."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda spec: prove_account(spec, profile, door, catalog), profile.accounts))
    standings, seen = [], set()
    for spec, identity in zip(profile.accounts, found, strict=True):
        if isinstance(identity, Identity) and identity.account.id in seen:
            identity = same_account(identity)
        if isinstance(identity, GapError):
            standings.append(_refused(spec, identity))
        else:
            seen.add(identity.account.id)
            standings.append(_Looker(profile, spec, identity, door, catalog).standing(probe))
    return tuple(standings)


def _refused(spec: AccountSpec, gap: GapError) -> Standing:
    role = (spec.role_arn or "").split(":")
    account_id = spec.id or (role[4] if spec.role_arn else None)
    partition = role[1] if spec.role_arn else "aws"
    return Standing(account_id, spec.name, partition, chain_of(login_of(spec)), code=gap.code, message=gap.message)


@dataclass(frozen=True, slots=True)
class _Looker:
    """Asks one proved account."""

    profile: Profile
    spec: AccountSpec
    identity: Identity
    door: DoorSettings
    catalog: Catalog

    def standing(self, probe: bool) -> Standing:
        account, clients = self.identity.account, Clients(self.door, self.catalog.operations())
        statuses, source, listing = self._regions(clients)
        enabled = [name for name, status in statuses.items() if is_enabled(status)]
        regions, _ = match_regions(region_patterns(self.profile, self.spec), enabled)
        return Standing(
            account_id=account.id,
            name=self.spec.name,
            partition=account.partition,
            way=chain_of(login_of(self.spec), self.identity.via),
            arn=account.arn,
            statuses=tuple(statuses.items()),
            regions_source=source,
            regions=regions,
            asked=(listing, *(self._probed(clients, regions) if probe else ())),
        )

    def _regions(self, clients: Clients) -> tuple[dict[str, str], str, Asked]:
        """Regions by status; where AWS does not say, all that botocore knows."""
        known = self.catalog.regions.get(self.identity.account.partition, ())
        home = GLOBAL_HOMES.get(self.identity.account.partition) or next(iter(known), "us-east-1")
        try:
            lane = Lane(clients.get(self.identity.keys(), home, "ec2"), self.door)
            return region_statuses(lane), _AWS, _asked(DESCRIBE_REGIONS, home)
        except GapError as gap:
            return dict.fromkeys(known, ""), "botocore", _asked(DESCRIBE_REGIONS, home, gap)

    def _probed(self, clients: Clients, regions: tuple[str, ...]) -> list[Asked]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(lambda one: self._ask(clients, *one), self._probes(regions)))

    def _probes(self, regions: tuple[str, ...]) -> Iterator[tuple[Call, str]]:
        words = self.spec.services if self.spec.services is not None else self.profile.services
        for _, group in groupby(select_types(self.catalog, words), key=lambda kind: kind.service):
            kinds = list(group)
            call = probe_call(kinds) or probe_call(
                [one for one in self.catalog.types if one.service == kinds[0].service]
            )
            home = kinds[0].home or GLOBAL_HOMES.get(self.identity.account.partition, "")
            region = home if kinds[0].scope == GLOBAL else next(iter(regions), home)
            if call and region:
                yield call, region

    def _ask(self, clients: Clients, call: Call, region: str) -> Asked:
        try:
            lane = Lane(clients.get(self.identity.keys(), region, call.service), self.door)
            lane.once(call, probe_params(call, self.identity.account, region))
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
