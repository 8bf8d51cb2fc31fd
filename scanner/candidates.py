"""The profile's accounts before they are entered: those that it lists, and the members of its organizations."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import orjson

from scanner.aws import organization as organizations
from scanner.aws.accounts import Entrance, Identity, Login
from scanner.aws.calls import Lane
from scanner.aws.chain import chain_of
from scanner.aws.clients import Clients
from scanner.aws.configuration import configured_region
from scanner.aws.organization import Member, Members
from scanner.aws.regions import GLOBAL_HOMES
from scanner.aws.roles import ASSUME, Session
from scanner.aws.settings import DoorSettings
from scanner.catalog import Catalog
from scanner.catalog.spec import Call
from scanner.collectors.filters import matcher
from scanner.errors import GapError
from scanner.model import CallStats, Outcome, Role
from scanner.profile import AccountSpec, Profile, RoleSession
from scanner.profile.regions import region_patterns

# What may stand in an account's name everywhere: letters and digits of any alphabet, no markup, nothing invisible.
_UNSAFE = re.compile(r"[^\w .,@+=&()-]")
_ALL_OF_IT = "organization"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account that the profile means. `entry`: its place in the profile; `spec`: as if it were listed there.

    `by`: who lists it, in whose place its role is assumed; `gap`: why it is not entered, and `call`, what told.
    """

    entry: int
    spec: AccountSpec
    login: Login
    by: Identity | None = None
    by_login: Login | None = None
    gap: GapError | None = None
    call: Call = ASSUME
    teller: str = ""  # the account that was asked, where it is another one

    @property
    def partition(self) -> str:
        """The account's partition, as far as it is known before it is entered."""
        return self.by.account.partition if self.by else self.spec.partition or "aws"

    def way(self, via: str = "") -> tuple[str, ...]:
        """The steps that lead there."""
        if self.by_login is None:
            return chain_of(self.login, via)
        before = chain_of(self.by_login, via or (self.by.via if self.by else ""))
        return (*before, *(f"role {role.arn}" for role in self.login.roles))

    def enter(self, entrance: Entrance) -> Identity | GapError:
        """Who we are there, or why it is not usable."""
        if self.gap:
            return self.gap
        if self.by and self.by.account.id == self.spec.id:
            return replace(self.by, account=replace(self.by.account, name=self.spec.name))
        try:
            return entrance.enter(self.login, self.by.source if self.by else None)
        except GapError as gap:
            return gap


class Finder:
    """Finds the candidates of a profile; `stats`: what Organizations was asked."""

    def __init__(self, profile: Profile, door: DoorSettings, catalog: Catalog, entrance: Entrance) -> None:
        self._profile, self._door, self._catalog, self._entrance = profile, door, catalog, entrance
        self._listed = {one.known_id for one in profile.accounts if not one.organization} - {None}
        self.stats: list[CallStats] = []

    def find(self, pool: Executor) -> list[Candidate]:
        """All of them, in the profile's order. What is listed by itself is not taken from an organization again."""
        found = []
        for at, spec in enumerate(self._profile.accounts):
            login = login_of(spec, self._profile, self._catalog)
            one = Candidate(at, spec, login)
            found += self._members(one, pool) if spec.organization else [one]
        return found

    def _members(self, entry: Candidate, pool: Executor) -> list[Candidate]:
        try:
            by = self._entrance.enter(entry.login)
        except GapError as gap:
            return [replace(entry, gap=gap)]
        home = GLOBAL_HOMES.get(by.account.partition) or self._catalog.regions[by.account.partition][0]
        client = Clients(self._door, self._catalog.operations()).get(by.keys(), home, organizations.SERVICE)
        lane = Lane(client, self._door)
        try:
            return list(_Organization(entry, by, lane).candidates(pool, self._listed))
        finally:
            self.stats.extend(lane.stats)


class _Organization:
    """One entry's organization, listed by an account of it."""

    def __init__(self, entry: Candidate, by: Identity, lane: Lane) -> None:
        assert entry.spec.organization
        self._entry, self._by, self._lane, self._said = entry, by, lane, entry.spec.organization

    def candidates(self, pool: Executor, listed: set[str | None]) -> Iterator[Candidate]:
        """Its accounts that are wanted; those that cannot be entered, or are not known, with their reason."""
        members = organizations.list_members(self._lane, self._said.include_ous, self._said.exclude_ous)
        yield from self._not_known(members)
        wanted = [one for one in members.found if self._is_wanted(one) and one.id not in listed]
        for one, fits in zip(wanted, pool.map(self._has_tags, wanted), strict=True):
            if one.state != organizations.ACTIVE:
                message = f"{one.state.lower().replace('_', ' ')} in the organization"
                yield self._refused(one, GapError(Outcome.SKIPPED, one.state, message), organizations.LIST_ACCOUNTS)
            elif isinstance(fits, GapError):
                yield self._refused(one, fits, organizations.LIST_TAGS)
            elif fits:
                yield self._candidate(one)

    def _not_known(self, members: Members) -> Iterator[Candidate]:
        for call, gap in members.gaps:
            outcome = gap.outcome if Outcome(gap.outcome).is_gap else Outcome.ERROR
            message = f"{call.operation}: {gap.message}; accounts of the organization may be missing: {_REMEDY}"
            spec = AccountSpec.model_construct(name=self._entry.spec.name or _ALL_OF_IT)
            told = GapError(outcome, gap.code, message)
            yield replace(self._entry, spec=spec, by=self._by, gap=told, call=call, teller=self._by.account.id)
        if members.gaps:
            return
        there = {one.id for one in members.found}
        for word in self._said.include:
            if re.fullmatch("[0-9]{12}", word) and word not in there:
                gap = GapError(Outcome.ERROR, "NotInOrganization", "include: not listed in the organization")
                yield self._refused(Member(word, "", ""), gap, organizations.LIST_ACCOUNTS)

    def _is_wanted(self, member: Member) -> bool:
        said = self._said
        return (not said.include or _fits(member, said.include)) and not _fits(member, said.exclude)

    def _has_tags(self, member: Member) -> bool | GapError:
        """Whether its tags are as wanted."""
        if not self._said.tags or member.state != organizations.ACTIVE:
            return True
        try:
            return matcher(tuple(self._said.tags))(organizations.tags_of(self._lane, member.id))
        except GapError as gap:
            return GapError(gap.outcome, gap.code, f"its tags are not known, so it was left out: {gap.message}")

    def _refused(self, member: Member, gap: GapError, call: Call) -> Candidate:
        return replace(self._candidate(member), gap=gap, call=call)

    def _candidate(self, member: Member) -> Candidate:
        """A member as if the profile listed it."""
        said, partition = self._said, self._by.account.partition
        role = Role(f"arn:{partition}:iam::{member.id}:role/{said.role_name}", said.external_id)
        own = {"id": member.id, "name": _UNSAFE.sub("_", member.name)[:64] or None, "role_arn": [role]}
        others = dict.fromkeys(("aws_profile", "source_profile", "organization", "external_id"))
        spec = self._entry.spec.model_copy(update={**others, **own})
        login = replace(
            self._entry.login,
            account_id=spec.id,
            name=spec.name,
            aws_profile=None,
            source_profile=None,
            roles=(role,),
            session=_session(said),
        )
        return replace(self._entry, spec=spec, login=login, by=self._by, by_login=self._entry.login)


_REMEDY = "they are listed by the management account or a delegated administrator that may call organizations:List*"


def _fits(member: Member, words: list[str]) -> bool:
    return any(word == member.id or fnmatchcase(member.name, word) for word in words)


def login_of(spec: AccountSpec, profile: Profile, catalog: Catalog) -> Login:
    """An account of the profile as the door to AWS takes it."""
    roles = spec.roles
    if roles and spec.external_id:
        roles = (*roles[:-1], replace(roles[-1], external_id=spec.external_id))
    region, home = sts_regions(spec, profile, catalog)
    return Login(
        account_id=spec.id,
        name=spec.name,
        aws_profile=spec.aws_profile,
        roles=roles,
        session=_session(spec),
        source_profile=spec.source_profile,
        region=region,
        home=home,
    )


def _session(spec: RoleSession) -> Session:
    return Session(
        name=spec.session_name or Session().name,
        tags=tuple(sorted(spec.session_tags.items())),
        policy=orjson.dumps(spec.session_policy).decode() if spec.session_policy else None,
        policy_arns=tuple(spec.policy_arns),
        duration_s=spec.duration_s,
    )


def sts_regions(spec: AccountSpec, profile: Profile, catalog: Catalog) -> tuple[str, str]:
    """Where STS is asked, and its partition's home: the configured region if it is of the partition, else the home.

    The partition is that of the roles, else of the first region that profile, environment or AWS configuration name.
    """
    ambient = [os.environ.get(name, "") for name in ("AWS_REGION", "AWS_DEFAULT_REGION")]
    ambient.append(configured_region(spec.first_profile) or "")
    named = (catalog.partition_of(word) for word in (*region_patterns(profile, spec), *ambient))
    partition = spec.partition or next((one for one in named if one), "aws")
    home = GLOBAL_HOMES.get(partition) or next(iter(catalog.regions.get(partition, ())), GLOBAL_HOMES["aws"])
    return next((one for one in ambient if catalog.partition_of(one) == partition), home), home
