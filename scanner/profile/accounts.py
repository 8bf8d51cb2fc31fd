"""Accounts in a profile: each by itself, or those of an organization; the roles that lead there."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from scanner.model import Role
from scanner.profile.words import SAFE_NAME, WORD, AsWritten, Strict, Tags, Words, kind_of

_ARN = re.compile(rf"arn:aws[a-z-]*:iam::[0-9]{{12}}:role/[{WORD}+=,.@/-]+", re.ASCII)
_ARN_WANTED = "a role's ARN is wanted: arn:aws:iam::111122223333:role/name"
_POLICY_BYTES = 2048
_CHAINED_S = 3600


def _roles(value: Any) -> Any:
    """One role or a chain of them: an ARN, or {role_arn:, external_id:}, or a list of these."""
    if value is None:
        return None
    given = value if isinstance(value, list | tuple) else [value]
    if not given:
        raise ValueError(f"an empty chain leads nowhere; {_ARN_WANTED}")
    return [one if isinstance(one, Role) else _role(one) for one in given]


def _role(one: Any) -> Role:
    said = {"role_arn": one} if isinstance(one, str) else one
    if not isinstance(said, dict) or set(said) - {"role_arn", "external_id"}:
        raise ValueError("each role is an ARN or {role_arn:, external_id:}")
    arn, external_id = said.get("role_arn"), said.get("external_id")
    if not isinstance(arn, str) or not _ARN.fullmatch(arn):
        what = repr(arn) if isinstance(arn, str) else kind_of(arn)
        raise ValueError(f"{what} is no role; {_ARN_WANTED}")
    return Role(arn, None if external_id is None else str(external_id))


Roles = Annotated[
    list[Role],
    AsWritten,
    BeforeValidator(_roles),
    Field(json_schema_extra={"items": {}, "type": ["array", "string", "object"]}),
]


class RoleSession(Strict):
    """How a role is assumed. In a chain this holds for the last role."""

    external_id: str | None = Field(default=None, min_length=2, max_length=1224, repr=False)
    """The ExternalId that the role's trust policy wants."""
    session_name: str | None = Field(default=None, pattern=rf"^[{WORD}+=,.@-]{{2,64}}$")
    """The role session's name, as CloudTrail shows it (default: aws-scanner)."""
    session_tags: dict[str, str] = {}
    """Session tags; the role's trust policy must allow sts:TagSession."""
    session_policy: dict[str, Any] | None = None
    """An IAM policy that the session cannot go beyond, as a mapping."""
    policy_arns: Words = Field(default=[], max_length=10)
    """Managed policies that the session cannot go beyond: arn:aws:iam::aws:policy/ReadOnlyAccess."""
    duration_s: int | None = Field(default=None, ge=900, le=43_200)
    """Seconds for which the role's keys are good (default: STS's, an hour); they are renewed in time."""

    @field_validator("session_policy")
    @classmethod
    def _fits(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        import orjson

        try:
            size = len(orjson.dumps(value))
        except TypeError:
            raise ValueError("must be what JSON can say: texts, lists and mappings of them") from None
        if size > _POLICY_BYTES:
            raise ValueError(f"is longer than the {_POLICY_BYTES:,} characters that STS takes; see policy_arns")
        return value

    @property
    def said(self) -> list[str]:
        """The keys of this kind that are set."""
        return [name for name in RoleSession.model_fields if getattr(self, name)]


class Organization(RoleSession):
    """The accounts of an AWS organization, listed by the account of this entry: the management account or a delegated
    administrator. Suspended accounts are named and left out."""

    role_name: str = Field(pattern=rf"^(?:[{WORD}+=,.@-]+/)*[{WORD}+=,.@-]{{1,64}}$")
    """The role to assume in each account, with its path if it has one. The listing account itself needs none."""
    include_ous: Words = []
    """Only accounts below these: ids (`ou-ab12-3c4d5e6f`, `r-ab12`), or paths of names (`Workloads/Prod`), globs."""
    exclude_ous: Words = []
    """No accounts below these, in the same words."""
    include: Words = []
    """Only these accounts: ids, or names with globs (`prod-*`)."""
    exclude: Words = []
    """None of these accounts, in the same words."""
    tags: Tags = []
    """Only accounts with these tags (in Organizations), as in `tags` of the profile."""


class AccountSpec(RoleSession):
    """One AWS account and how it is reached: an AWS profile, a role, or (neither) the ambient credentials. With
    `organization`: the accounts of an organization, and how the one is reached that lists them."""

    id: str | None = Field(default=None, pattern=r"^[0-9]{12}$")
    """The account's 12 digits. If given, the credentials must be of this account."""
    name: str | None = Field(default=None, pattern=SAFE_NAME)
    """A name for people; it stands in records as `account_name`."""
    aws_profile: str | None = None
    """A profile of ~/.aws/config."""
    role_arn: Roles | None = None
    """A role to assume; or a chain, each assumed by the one before: ARNs, or {role_arn:, external_id:}."""
    source_profile: str | None = None
    """The profile of ~/.aws/config whose credentials assume the (first) role (default: the ambient ones)."""
    organization: Organization | None = None
    """The accounts of an organization, instead of this account alone."""
    regions: Words | None = None
    """Regions of this account, instead of the profile's."""
    services: Words | None = None
    """Services of this account, instead of the profile's."""
    tags: Tags | None = None
    """Tag filters of this account, instead of the profile's."""

    @model_validator(mode="after")
    def _one_way_in(self) -> AccountSpec:
        if self.aws_profile and self.role_arn:
            raise ValueError("has both aws_profile and role_arn; for a role assumed from a profile use source_profile")
        stray = [*self.said, *(["source_profile"] if self.source_profile else [])]
        if stray and not self.role_arn:
            raise ValueError(f"{', '.join(stray)} mean nothing without role_arn")
        if len(self.roles) > 1 and (self.duration_s or 0) > _CHAINED_S:
            raise ValueError(f"duration_s is {self.duration_s}, and STS gives chained roles {_CHAINED_S} at the most")
        if self.external_id and self.roles and self.roles[-1].external_id:
            raise ValueError("has two external_id for its last role: one beside role_arn, one in it")
        if self.id and self.role_account and self.role_account != self.id:
            raise ValueError(f"id is {self.id}, but role_arn is of account {self.role_account}")
        return self

    @property
    def roles(self) -> tuple[Role, ...]:
        """The chain of roles; empty where none is assumed."""
        return tuple(self.role_arn or ())

    @property
    def first_profile(self) -> str | None:
        """The profile of the AWS configuration that is signed in with; None: the ambient credentials."""
        return self.source_profile if self.roles else self.aws_profile

    @property
    def role_account(self) -> str | None:
        """The account that the chain of roles ends in."""
        return self.roles[-1].account if self.roles else None

    @property
    def known_id(self) -> str | None:
        """The account as far as the profile tells."""
        return self.id or self.role_account

    @property
    def partition(self) -> str | None:
        """The partition of the roles; None where there are none."""
        return self.roles[-1].partition if self.roles else None


def _entries(value: Any) -> Any:
    """A list of entries; one alone may stand without the list."""
    return [value] if isinstance(value, dict) else value


class SameAccountError(ValueError):
    """Two entries are for one account; `at` is the path of the second one in the list."""

    def __init__(self, at: int, key: str, value: str) -> None:
        super().__init__(f"two accounts have the {key} {value}")
        self.at = (at, key)


def _differ(accounts: list[AccountSpec]) -> list[AccountSpec]:
    """Refuse two entries for the same account. Raises SameAccountError."""
    seen: set[tuple[str, str]] = set()
    for at, one in enumerate(accounts):
        said = {"id": one.id, "role_arn": one.roles[-1].arn if one.roles else None}
        own = {(key, value) for key, value in said.items() if value and not one.organization}
        for key, value in sorted(own & seen):
            raise SameAccountError(at, key, value)
        seen |= own
    return accounts


Accounts = Annotated[list[AccountSpec], BeforeValidator(_entries), AfterValidator(_differ)]
