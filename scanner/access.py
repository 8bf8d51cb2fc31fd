"""From the profile's accounts to accounts that answer: credentials proved, regions known, failures named."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from scanner import stopping
from scanner.aws.accounts import WHO, Entrance, Identity
from scanner.aws.addresses import Addresses
from scanner.aws.calls import Lane
from scanner.aws.clients import Clients
from scanner.aws.regions import GLOBAL_HOMES, LIST_REGIONS, SOURCES, Refusals, is_enabled, region_statuses
from scanner.aws.settings import DoorSettings
from scanner.candidates import Candidate, Finder
from scanner.catalog import Call, Catalog
from scanner.errors import GapError
from scanner.manifest import AccountLine
from scanner.model import Account, CallStats, Cell, Keys, Outcome
from scanner.plan import Reached
from scanner.profile import Profile
from scanner.profile.regions import match_regions, needs_region_list, region_patterns
from scanner.store.cache import Cache, principal

_AT_ONCE = 16


@dataclass(slots=True)
class Access:
    """The accounts of a scan: those reached, a line for each that was meant, and cells for what failed.

    `entries`: of each line, the place in the profile of what it comes from.
    """

    entrance: Entrance
    reached: list[Reached] = field(default_factory=list)
    lines: list[AccountLine] = field(default_factory=list)
    entries: list[int] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    asides: list[Cell] = field(default_factory=list)  # denied, and no gap: something else stood in for the answer
    identities: dict[str, Identity] = field(default_factory=dict)
    counted: list[CallStats] = field(default_factory=list)

    @property
    def stats(self) -> list[CallStats]:
        """The requests that it took so far; STS is also asked for new keys while the scan runs."""
        return [*self.entrance.stats, *self.counted]

    @property
    def configurations(self) -> dict[str, str | None]:
        """Of each account, the profile of the AWS configuration whose endpoints hold."""
        return {name: identity.source.configuration for name, identity in self.identities.items()}

    def keys(self, account: Account) -> Keys:
        """Fresh keys of a reached account. Raises GapError where they cannot be renewed."""
        return self.identities[account.id].keys()

    def other_keys(self, account_id: str, stale: str) -> Keys:
        """Keys of a reached account that are not those with this access key. Raises GapError."""
        if account_id not in self.identities:
            raise GapError(Outcome.CREDENTIALS, "NoNewKeys", f"no account {account_id} was entered")
        return self.identities[account_id].keys(stale)


def reach_accounts(profile: Profile, door: DoorSettings, catalog: Catalog, cache: Cache | None) -> Access:
    """Prove every account of the profile by STS, side by side, and find its regions. A failure costs its account."""
    entrance = Entrance(door, catalog.operations())
    access, finder = Access(entrance), Finder(profile, door, catalog, entrance)
    with stopping.threads(_AT_ONCE) as pool:
        found = finder.find(pool)
        entered = list(pool.map(lambda one: one.enter(entrance), found))
        lister = RegionLister(profile, door, catalog, cache)
        known = pool.map(lambda both: lister.regions(*both), zip(found, entered, strict=True))
        for one, identity, regions in zip(found, entered, known, strict=True):
            _note(access, one, identity, regions)
    access.counted += finder.stats
    return access


def _note(access: Access, one: Candidate, identity: Identity | GapError, regions: Regions | None) -> None:
    if isinstance(identity, Identity) and identity.account.id in access.identities:
        if one.by:  # listed by itself, or by another organization's entry
            return
        identity = same_account(identity)
    access.entries.append(one.entry)
    if isinstance(identity, GapError) or regions is None:
        assert isinstance(identity, GapError)
        _refuse(access, one, identity)
        return
    account = identity.account
    access.identities[account.id] = identity
    access.counted += regions.stats
    access.cells += regions.cells
    access.asides += regions.asides
    access.reached.append(Reached(one.spec, account, regions.chosen, regions.named, regions.source))
    line = AccountLine(
        account.id, account.name, account.partition, account.arn, "ok", "", regions.chosen, regions.source
    )
    access.lines.append(line)


def same_account(identity: Identity) -> GapError:
    """Why the second entry of an account is refused."""
    message = f"the same account as another entry ({identity.account.arn}); each account is scanned once"
    return GapError(Outcome.CREDENTIALS, "SameAccount", message)


def _refuse(access: Access, one: Candidate, gap: GapError) -> None:
    spec, known = one.spec, one.spec.known_id
    access.lines.append(AccountLine(known, spec.name, one.partition, None, gap.outcome, gap.message, (), ""))
    call = one.call if one.gap or spec.roles else WHO
    account_id = one.teller or known or spec.name or "unknown"
    outcome = Outcome(gap.outcome)
    access.cells.append(Cell(account_id, "*", call.service, "*", call.operation, outcome, 0, 1, gap.code, gap.message))


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of one account: those chosen, of these the named ones, who told, and cells for what is left out.

    `asides`: what was denied, so that botocore's list stood in for the answer.
    """

    chosen: tuple[str, ...]
    named: frozenset[str]
    source: str
    cells: tuple[Cell, ...] = ()
    stats: tuple[CallStats, ...] = ()
    asides: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class RegionLister:
    """Finds the regions of accounts, for several at once."""

    profile: Profile
    door: DoorSettings
    catalog: Catalog
    cache: Cache | None

    def regions(self, one: Candidate, identity: Identity | GapError) -> Regions | None:
        """The regions of an account that was entered; None for one that was not."""
        if isinstance(identity, GapError):
            return None
        patterns, stats = region_patterns(self.profile, one.spec), list[CallStats]()
        refused: Refusals = []
        statuses, source = dict.fromkeys(self._all_known(identity.account), ""), "profile"
        if needs_region_list(patterns):
            statuses, source = self._statuses(identity, stats, refused)
        enabled = [name for name, status in statuses.items() if is_enabled(status)]
        chosen, named = match_regions(patterns, enabled)
        globs = [word for word in patterns if word != "enabled"]
        wanted = match_regions(globs, list(statuses))[0] if any(word[0] != "!" for word in globs) else ()
        elsewhere = [name for name in named if self._is_elsewhere(name, identity.account)]
        cells = [_disabled(identity.account, name) for name in sorted({*wanted} - {*chosen})]
        cells += [_elsewhere(identity.account, name) for name in sorted(elsewhere)]
        kept = tuple(name for name in chosen if name not in elsewhere)
        asides = tuple(_aside(identity.account, *both) for both in refused if source == BOTOCORE)
        return Regions(kept, named - {*elsewhere}, source, tuple(cells), tuple(stats), asides)

    def _all_known(self, account: Account) -> tuple[str, ...]:
        """All that botocore knows of the account's partition."""
        return tuple(self.catalog.regions.get(account.partition, ()))

    def _is_elsewhere(self, region: str, account: Account) -> bool:
        return self.catalog.partition_of(region) not in (None, account.partition)

    def _statuses(self, identity: Identity, stats: list[CallStats], refused: Refusals) -> tuple[dict[str, str], str]:
        """Regions by status; where AWS does not say, all that are known: disabled ones answer for themselves."""
        key = _regions_key(identity, self.door)
        cached = self.cache.get_answer(key) if self.cache else None
        if isinstance(cached, dict) and isinstance(cached.get("statuses"), dict) and cached.get("source"):
            return cached["statuses"], f"cache of {cached['source']}"
        statuses, source = ask_regions(identity, self.door, self.catalog, stats, refused)
        if self.cache and source != BOTOCORE:
            self.cache.put_answer(key, {"statuses": statuses, "source": source})
        return statuses, source


BOTOCORE = "botocore"


def ask_regions(
    identity: Identity, door: DoorSettings, catalog: Catalog, stats: list[CallStats], refused: Refusals
) -> tuple[dict[str, str], str]:
    """Region -> opt-in status, and who told: a call of AWS, else botocore (statuses are ""). Why not: `refused`."""
    known = catalog.regions.get(identity.account.partition, ())
    home = GLOBAL_HOMES.get(identity.account.partition) or next(iter(known), "us-east-1")
    clients, lanes = Clients(door, catalog.operations()), list[Lane]()

    def lane_to(service: str) -> Lane:
        lanes.append(Lane(clients.get(identity.keys(), home, service), door))
        return lanes[-1]

    statuses, call = region_statuses(lane_to, refused)
    clients.close()
    stats.extend(one for lane in lanes for one in lane.stats)
    return (statuses, call.iam[0]) if call else (dict.fromkeys(known, ""), BOTOCORE)


def _disabled(account: Account, region: str) -> Cell:
    outcome, message = Outcome.REGION_DISABLED, "the account has it switched off; a glob of the profile fits it"
    return _region_cell(account, region, outcome, message)


def _elsewhere(account: Account, region: str) -> Cell:
    message = f"named by the profile, and no region of the account's partition ({account.partition})"
    return _region_cell(account, region, Outcome.NOT_AVAILABLE, message)


def _region_cell(account: Account, region: str, outcome: Outcome, message: str) -> Cell:
    call = LIST_REGIONS
    return Cell(account.id, region, call.service, "*", call.operation, outcome, message=message, named_region=False)


def _aside(account: Account, call: Call, gap: GapError) -> Cell:
    refusals = (gap.refusal,) if gap.refusal else ()
    return Cell(account.id, "*", call.service, "*", call.operation, Outcome(gap.outcome), refusals=refusals)


def _regions_key(identity: Identity, door: DoorSettings) -> str:
    account, apis, addresses = identity.account, [call.api for call in SOURCES], Addresses(door)
    asked = [addresses.of(call.service, identity.source.configuration) for call in SOURCES]
    endpoints = [one.url if one else "" for one in asked]
    said = (*apis, account.partition, account.id, principal(account.arn), *endpoints)
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def offline_accounts(profile: Profile, catalog: Catalog) -> list[Reached]:
    """The profile's accounts as they are written, without asking AWS: regions are all that botocore knows.

    An organization, whose accounts only AWS knows, is one account here.
    """
    found = []
    for at, spec in enumerate(profile.accounts):
        partition = spec.partition or "aws"
        account_id = spec.known_id or f"account-{at + 1}"
        name = spec.name
        if spec.organization:
            account_id, name = f"accounts-of-organization-{at + 1}", spec.name or "each account of the organization"
        regions, named = match_regions(region_patterns(profile, spec), catalog.regions[partition])
        found.append(Reached(spec, Account(account_id, partition, "", name), regions, named, BOTOCORE))
    return found
