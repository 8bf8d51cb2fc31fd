"""From the profile's accounts to accounts that answer: credentials proved, regions known, failures named."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from scanner.aws.accounts import Identity, Login, prove
from scanner.aws.calls import Lane
from scanner.aws.clients import Clients
from scanner.aws.regions import DESCRIBE_REGIONS, enabled_regions
from scanner.aws.settings import DoorSettings
from scanner.catalog import Catalog
from scanner.errors import GapError
from scanner.manifest import AccountLine
from scanner.model import Account, CallStats, Cell, Keys, Outcome
from scanner.plan import GLOBAL_HOMES, Reached, match_regions, needs_region_list, region_patterns
from scanner.profile import AccountSpec, Profile
from scanner.store.cache import Cache, principal

_AT_ONCE = 8


@dataclass(slots=True)
class Access:
    """The accounts of a scan: those reached, a line for each of the profile's, and cells for what failed."""

    reached: list[Reached] = field(default_factory=list)
    lines: list[AccountLine] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    asides: list[Cell] = field(default_factory=list)  # denied, and no gap: something else stood in for the answer
    stats: list[CallStats] = field(default_factory=list)
    identities: dict[str, Identity] = field(default_factory=dict)

    def keys(self, account: Account) -> Keys:
        """Fresh keys of a reached account. Raises GapError where they cannot be renewed."""
        return self.identities[account.id].keys()


def reach_accounts(profile: Profile, door: DoorSettings, catalog: Catalog, cache: Cache | None) -> Access:
    """Prove every account of the profile (one STS call each) and find its regions. A failure costs its account only."""
    access = Access()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda spec: prove_account(spec, profile, door, catalog), profile.accounts))
    for spec, identity in zip(profile.accounts, found, strict=True):
        operation = "assume_role" if spec.role_arn else "get_caller_identity"
        access.stats.append(CallStats("sts", operation, calls=1))
        if isinstance(identity, GapError):
            _refuse(access, spec, operation, identity)
        elif identity.account.id in access.identities:
            _refuse(access, spec, operation, same_account(identity))
        else:
            access.identities[identity.account.id] = identity
            lister = _RegionLister(access, identity, door, catalog, cache)
            _admit(access, spec, identity.account, region_patterns(profile, spec), lister)
    return access


def same_account(identity: Identity) -> GapError:
    """Why the second entry of an account is refused."""
    message = f"the same account as another entry ({identity.account.arn}); each account is scanned once"
    return GapError(Outcome.CREDENTIALS, "SameAccount", message)


def login_of(spec: AccountSpec) -> Login:
    """An account of the profile as the door to AWS takes it."""
    return Login(
        account_id=spec.id,
        name=spec.name,
        aws_profile=spec.aws_profile,
        role_arn=spec.role_arn,
        external_id=spec.external_id,
        session_name=spec.session_name or "aws-scanner",
        source_profile=spec.source_profile,
    )


def prove_account(spec: AccountSpec, profile: Profile, door: DoorSettings, catalog: Catalog) -> Identity | GapError:
    """One account of the profile, proved by STS, or why it is not usable."""
    try:
        return prove(login_of(spec), door, catalog.operations(), sts_region(spec, profile, catalog))
    except GapError as gap:
        return gap


def sts_region(spec: AccountSpec, profile: Profile, catalog: Catalog) -> str | None:
    """The region of STS: the role's partition's home, else that of the first region the profile or AWS_REGION names."""
    if spec.role_arn:
        return GLOBAL_HOMES.get(spec.role_arn.split(":")[1])
    ambient = [os.environ.get(name, "") for name in ("AWS_REGION", "AWS_DEFAULT_REGION")]
    named = [catalog.partition_of(word) for word in (*region_patterns(profile, spec), *ambient)]
    return next((GLOBAL_HOMES.get(partition) for partition in named if partition), None)


def _refuse(access: Access, spec: AccountSpec, operation: str, gap: GapError) -> None:
    account_id = spec.id or (spec.role_arn.split(":")[4] if spec.role_arn else None)
    partition = spec.role_arn.split(":")[1] if spec.role_arn else "aws"
    access.lines.append(AccountLine(account_id, spec.name, partition, None, gap.outcome, gap.message, (), ""))
    outcome = Outcome.CREDENTIALS
    cell = Cell(account_id or spec.name or "unknown", "*", "sts", "*", operation, outcome, 0, 1, gap.code, gap.message)
    access.cells.append(cell)


def _admit(
    access: Access, spec: AccountSpec, account: Account, patterns: tuple[str, ...], lister: _RegionLister
) -> None:
    known, source = lister.all_known(), "profile"
    if needs_region_list(patterns):
        known, source = lister.enabled()
    regions, named = match_regions(patterns, known)
    access.reached.append(Reached(spec, account, regions, named, source))
    access.lines.append(AccountLine(account.id, spec.name, account.partition, account.arn, "ok", "", regions, source))


@dataclass(frozen=True, slots=True)
class _RegionLister:
    """Finds the regions of one account."""

    access: Access
    identity: Identity
    door: DoorSettings
    catalog: Catalog
    cache: Cache | None

    def all_known(self) -> tuple[str, ...]:
        """All that botocore knows of the account's partition."""
        return tuple(self.catalog.regions.get(self.identity.account.partition, ()))

    def enabled(self) -> tuple[tuple[str, ...], str]:
        """The enabled regions; where AWS does not say, all that are known: disabled ones answer for themselves."""
        key = _regions_key(self.identity.account, self.door)
        cached = self.cache.get_answer(key) if self.cache else None
        if isinstance(cached, list) and cached:
            return tuple(str(one) for one in cached), "cache of ec2:DescribeRegions"
        home = GLOBAL_HOMES.get(self.identity.account.partition) or self.all_known()[0]
        lane = Lane(Clients(self.door, self.catalog.operations()).get(self.identity.keys(), home, "ec2"), self.door)
        try:
            known = enabled_regions(lane)
        except GapError as gap:
            self.access.asides.append(_aside(self.identity.account, home, gap))
            return self.all_known(), "botocore"
        finally:
            self.access.stats.extend(lane.stats)
        if self.cache and known:
            self.cache.put_answer(key, list(known))
        return known, "ec2:DescribeRegions"


def _aside(account: Account, home: str, gap: GapError) -> Cell:
    call, refusals = DESCRIBE_REGIONS, (gap.refusal,) if gap.refusal else ()
    return Cell(account.id, home, call.service, "*", call.operation, Outcome(gap.outcome), refusals=refusals)


def _regions_key(account: Account, door: DoorSettings) -> str:
    said = (DESCRIBE_REGIONS.api, account.partition, account.id, principal(account.arn), door.endpoint_url or "")
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def offline_accounts(profile: Profile, catalog: Catalog) -> list[Reached]:
    """The profile's accounts as they are written, without asking AWS: regions are all that botocore knows."""
    found = []
    for at, spec in enumerate(profile.accounts):
        partition = spec.role_arn.split(":")[1] if spec.role_arn else "aws"
        account_id = spec.id or (spec.role_arn.split(":")[4] if spec.role_arn else f"account-{at + 1}")
        regions, named = match_regions(region_patterns(profile, spec), catalog.regions[partition])
        found.append(Reached(spec, Account(account_id, partition, "", spec.name), regions, named, "botocore"))
    return found
