"""The nouns: frozen, picklable values that travel between modules and processes. Big things are paths to files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SCHEMA_VERSION = 1
GLOBAL = "global"
REDACTED = "(redacted)"  # stands where a record would have a secret


class Outcome(StrEnum):
    """How a cell ended. The order is severity: of several outcomes in one cell, the last of this list is told."""

    CACHED = "cached"
    EMPTY = "empty"
    OK = "ok"
    SKIPPED = "skipped"
    NOT_AVAILABLE = "not_available"
    NOT_ENABLED = "not_enabled"
    REGION_DISABLED = "region_disabled"
    DENIED_BY_POLICY = "denied_by_policy"
    DENIED = "denied"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    CREDENTIALS = "credentials"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    ERROR = "error"
    INTERRUPTED = "interrupted"
    LOST = "lost"

    @property
    def is_gap(self) -> bool:
        """Whether this outcome leaves something unknown (a disabled region is decided by `Cell.is_gap`)."""
        return self not in _ANSWERS


_ANSWERS = frozenset(
    {
        Outcome.OK,
        Outcome.EMPTY,
        Outcome.CACHED,
        Outcome.SKIPPED,
        Outcome.NOT_AVAILABLE,
        Outcome.NOT_ENABLED,
        Outcome.REGION_DISABLED,
    }
)


def worst(outcomes: list[Outcome]) -> Outcome:
    """The most severe of several outcomes (`Outcome`'s own order); `empty` for an empty list."""
    order = list(Outcome)
    return max(outcomes, key=order.index, default=Outcome.EMPTY)


@dataclass(frozen=True, slots=True)
class Account:
    """One AWS account, proved by STS. `arn` is the caller; `name` is the profile's word for the account."""

    id: str
    partition: str
    arn: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role to assume, and the ExternalId that its trust policy may want."""

    arn: str
    external_id: str | None = field(repr=False, default=None)

    @property
    def account(self) -> str:
        """The account that it is of."""
        return self.arn.split(":")[4]

    @property
    def partition(self) -> str:
        """The partition that it is of."""
        return self.arn.split(":")[1]


@dataclass(frozen=True, slots=True)
class TagFilter:
    """One tag filter: any of `keys` (globs; empty = any key) with any of `values` (globs; empty = any value)."""

    keys: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        keys, values = (["''" if one == "" else one for one in some] for some in (self.keys, self.values))
        return f"{'|'.join(keys) or '*'}={'|'.join(values) or '*'}"


Chosen = tuple[tuple[str, tuple[str, ...]], ...]  # the filters of a scan: name and words of each


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of work: a service (or the tagging API) in one account and region. It becomes exactly one Shard.

    `region` is the region called ("us-east-1" for IAM); `scope_region` is what records and cells say ("global").
    `types` are kinds of `service` ("instance"); empty for the tagging collector, whose service is
    "resourcegroupstaggingapi". `only` limits what the tagging collector keeps (resource types; empty = all).
    """

    account: Account
    region: str
    scope_region: str
    collector: str  # "services" | "tagging"
    service: str
    types: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    tags: tuple[TagFilter, ...] = ()
    enrich: tuple[str, ...] = ("*",)  # globs over resource types; () = none
    named_region: bool = True  # the profile names this region literally
    filters: Chosen = ()
    endpoint: str | None = field(default=None, repr=False)  # the URL it is asked at; "": AWS's own; None: not decided

    @property
    def name(self) -> str:
        """The unit's name in logs and file names, unique within a scan."""
        return f"{self.account.partition}.{self.account.id}.{self.scope_region}.{self.service}.{self.collector}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of the completeness ledger: account x region x resource type x call, and how it ended."""

    account_id: str
    region: str
    service: str
    resource_type: str  # "ec2:instance", or "*" for the tagging API
    call: str  # boto3 operation: "describe_instances"
    outcome: Outcome
    resources: int = 0  # resources that this cell yielded (list cells) or enriched (other cells)
    calls: int = 0  # requests sent, retries included
    code: str = ""  # AWS error code, where there was one
    message: str = ""  # one line, no secrets
    affected: int = 0  # of the per-resource calls in this cell, how many ended in this outcome
    named_region: bool = True
    refusals: tuple[tuple[str, str], ...] = ()  # AWS's denials among them: the action it named, and what forbids it
    duplicates: int = 0  # of `resources`, how many AWS gave more than once

    @property
    def is_gap(self) -> bool:
        """Whether something in this cell is not known. A disabled region is a gap only if the profile names it."""
        if self.outcome is Outcome.REGION_DISABLED:
            return self.named_region
        return self.outcome.is_gap


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """A cell as a manifest tells it. `gap`: not known and not expected; `expected`: not known, as the profile says."""

    account_id: str
    region: str
    service: str
    resource_type: str
    call: str
    outcome: Outcome
    gap: bool
    expected: bool
    resources: int
    calls: int
    code: str
    message: str
    affected: int
    seen_at: str
    cached: bool
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class CallStats:
    """Requests of one operation in one unit: `calls` includes `retries`; `throttles` are answers, not waits.

    `refused` were never made: the operation is not on the read-only allow-list.
    """

    service: str
    operation: str
    calls: int = 0
    retries: int = 0
    throttles: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Shard:
    """What a unit left behind: a sorted file of records on disk (None: nothing was written) and its cells."""

    unit: str
    path: str | None
    resources: int
    cells: tuple[Cell, ...]
    stats: tuple[CallStats, ...] = ()
    cached: bool = False
    seen_at: str = ""  # ISO 8601 UTC: when the unit was answered by AWS (older than the scan where cached)

    @property
    def complete(self) -> bool:
        """Whether no cell is a gap: only such shards may be served from the cache."""
        return not any(cell.is_gap for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Lost:
    """A unit that no worker could finish, and why: a message for the ledger, with what can be done about it."""

    unit: Unit
    reason: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Temporary or static credentials on their way to a worker; never printed, logged or stored.

    `expires_at` is in seconds since 1970; 0: never, or not known.
    """

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False, default=None)
    expires_at: float = 0.0
    configuration: str | None = None  # the profile of the AWS configuration that they came from; None: the ambient one


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a worker asks for new keys while its job runs: a socket of the scan's own process, and the word for it."""

    address: str
    word: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Job:
    """One worker's load: all units of one account and region, the keys to do them, and where to get new ones."""

    units: tuple[Unit, ...]
    keys: Keys
    desk: Desk | None = None


Record = Mapping[str, Any]  # one JSON object as in docs/record.schema.json


Field = tuple[str, str | int | float | None]


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the log, on its way from a worker to the parent, the only one who writes logs.

    `fields` are what docs/logging.md lists (account, region, service, operation, attempt ...); `at` is when it was
    said, in seconds since 1970 (0: when it is heard).
    """

    level: str  # loguru's names: "DEBUG", "INFO", "WARNING"
    message: str
    unit: str = ""
    fields: tuple[Field, ...] = ()
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life of a job under way: what came of it so far, and the call that it has waited for longest."""

    account_id: str
    region: str  # "global" for global services
    cells: int = 0
    resources: int = 0
    calls: int = 0
    throttles: int = 0
    doing: str = ""  # "s3 get_bucket_policy"; "" between calls
    doing_s: float = 0.0
