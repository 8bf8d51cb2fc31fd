"""A profile: what is scanned, how, and what comes of it. Field descriptions are the reference that users read."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model, field_validator

from scanner import executors, filters
from scanner.model import Cell, Chosen, Outcome
from scanner.profile.accounts import Accounts, AccountSpec
from scanner.profile.endpoints import is_safe_endpoint
from scanner.profile.words import SAFE_NAME, Folder, Folders, Strict, Tags, Words, words


class Expectation(Strict):
    """An outcome that is no surprise: shown in reports, but not counted as incomplete. Omitted: any."""

    account: str = "*"
    """Account id; the name of an account whose id nobody knows; globs."""
    region: str = "*"
    """Region; globs."""
    service: str = "*"
    """Service or type ("rds", "rds:cluster-snapshot"); globs."""
    outcome: Outcome
    """The outcome, as in the ledger: denied, region_disabled ..."""

    def __str__(self) -> str:
        said = {"account": self.account, "region": self.region, "service": self.service}
        return " ".join([self.outcome, *(f"{name} {word}" for name, word in said.items() if word != "*")])

    def matches(self, cell: Cell) -> bool:
        """Whether a cell ended as expected."""
        return (
            cell.outcome is self.outcome
            and fnmatchcase(cell.account_id, self.account)
            and fnmatchcase(cell.region, self.region)
            and any(fnmatchcase(word, self.service) for word in (cell.service, cell.resource_type))
        )


class Execution(Strict):
    """How the work is spread."""

    executor: str = Field(default="processes", json_schema_extra={"enum": list(executors.names())})
    """`processes`: one worker per account and region in a pool; `serial`: all in this process; or one you add."""
    max_workers: int | None = Field(default=None, ge=1, le=20)
    """Worker processes at the most (default: 8, bounded by two per core and by memory)."""
    service_workers: int = Field(default=8, ge=1, le=32)
    """Threads in each worker."""
    worker_memory_mb: int | None = Field(default=None, ge=150, le=1_000_000)
    """Memory of one worker. One that takes more is ended; its units are tried once more, each alone (default: 1024)."""
    memory_limit_mb: int | None = Field(default=None, ge=150)
    """Memory for all workers, which are reckoned at worker_memory_mb if that is set, else at 150 MB each (default: half
    of what is free, in a container of what its limit leaves)."""
    resume_within_s: int = Field(default=43_200, ge=0, le=31_536_000)
    """`--resume` goes on with a scan that began at the most so many seconds ago; an older one is made anew, since its
    answers would stand for today's."""


class Retry(Strict):
    """The one retry layer. Throttling, 5xx and broken connections are tried again, denials are not."""

    max_attempts: int = Field(default=5, ge=1, le=20)
    """Attempts of one call."""
    initial_wait_s: float = Field(default=0.5, ge=0, le=60)
    """Seconds of the first wait; it doubles, at random up to its value."""
    max_wait_s: float = Field(default=20, ge=0, le=300)
    """Seconds of the longest wait."""
    connect_timeout_s: float = Field(default=5, gt=0, le=120)
    """Seconds to connect."""
    read_timeout_s: float = Field(default=30, gt=0, le=600)
    """Seconds without a byte of an answer."""
    call_deadline_s: float = Field(default=120, gt=0, le=3600)
    """Seconds after which a call with all its attempts is ended, whatever the server does; then it is `timeout`."""
    cell_deadline_s: float = Field(default=3600, gt=0, le=86_400)
    """Seconds for all calls of one cell (a type's pages, or one call for each resource); what came by then is kept."""


class CacheSettings(Strict):
    """Answers young enough to reuse. Cells with gaps are never reused."""

    enabled: bool = True
    """Whether the cache is read and written."""
    ttl_s: int = Field(default=600, ge=0, le=604_800)
    """Seconds for which an answer is served."""
    dir: Folder | None = None
    """The cache folder (default: the user's, as the platform has it)."""


class Reports(Strict):
    """What a scan writes."""

    dir: Folder = Path("reports")
    """The folder under which <profile>/<stamp>-<id>/ is made."""
    formats: Words = ["json", "markdown"]
    """Formats written beside resources.jsonl.zst and manifest.json."""
    table_rows: int = Field(default=200, ge=0)
    """Rows of the table on the terminal."""
    markdown_rows: int = Field(default=500, ge=0)
    """Resources listed in report.md; the rest is pointed to."""
    keep: int | None = Field(default=None, ge=1, le=100_000)
    """How many snapshots of the profile a scan leaves: the newest, and the newest complete one (default: all)."""
    finish_at_once_mb: int = Field(default=64, ge=0)
    """A scan that is stopped with more than this many MiB of shards leaves its reports to `aws-scanner report`."""


class ServiceLimit(Strict):
    """The pace of one service's calls, instead of what AWS documents for it."""

    rate_per_s: float | None = Field(default=None, gt=0, le=1000)
    """Calls a second."""
    burst: int | None = Field(default=None, ge=1, le=10_000)
    """Calls that may be made at once before the rate holds."""


class Limits(ServiceLimit):
    """The pace of calls in each account and region, shared by all scans of this user; it yields when AWS throttles."""

    rate_per_s: float | None = Field(default=None, gt=0, le=1000)
    """Calls a second, for every service (default: what AWS documents, see limits.md)."""
    burst: int | None = Field(default=None, ge=1, le=10_000)
    """Calls that may be made at once before the rate holds (default: what AWS documents)."""
    share: float = Field(default=1, gt=0, le=1)
    """The part of every budget that is ours: 0.5 leaves half of it to other programs."""
    services: dict[str, ServiceLimit] = {}
    """Single services, which win over the two above: `{ec2: {rate_per_s: 5, burst: 20}}`."""


def _filter_field(name: str) -> Any:
    """A filter's key: its words as the filter itself reads them."""

    def read(given: list[str]) -> list[str]:
        return list(filters.get(name).words(tuple(given))) if given else []

    return Annotated[Words, AfterValidator(read)], Field([], description=filters.help_of(name))


if TYPE_CHECKING:

    class Filters(Strict):
        """The words of each filter; its keys are the filters there are."""

else:
    Filters = create_model(
        "Filters",
        __base__=Strict,
        __doc__="Filters of records: all must let a resource pass. docs/extending.md shows how to add one.",
        **{name: _filter_field(name) for name in filters.names()},
    )


class ProfileFields(Strict):
    """A scan: accounts, regions, services and tags, and how to go about it."""

    name: str = Field(default="default", pattern=SAFE_NAME)
    """The profile's name in reports and folders (default: the file's name)."""
    description: str | None = None
    """What this profile is for."""
    endpoint_url: str | None = None
    """An endpoint for every call: https, or http on this machine."""
    accounts: Accounts = Field(default=[AccountSpec()], min_length=1)
    """The accounts, or one entry without a list (default: the one of the ambient credentials)."""
    regions: Words = Field(default=["enabled"], min_length=1)
    """Region names, globs (`eu-*`), `enabled`, and exclusions (`!us-*`)."""
    services: Words = Field(default=["*"], min_length=1)
    """Services (`ec2`), types (`ec2:instance`, `AWS::EC2::Instance`), globs, and exclusions (`!ec2:snapshot`)."""
    tags: Tags = []
    """Tag filters: AND across entries, OR across the values of one; globs; {Key: null} asks for the key only."""
    filters: Filters = Filters()
    min_resources: int = Field(default=0, ge=0)
    """A complete scan that finds fewer resources than this exits 1."""
    collector: Literal["auto", "services", "tagging", "both"] = "auto"
    """`auto`: tag filters or all_services go to the tagging API (and to the services it does not cover)."""
    all_services: bool = False
    """Whether `auto` asks the tagging API, which knows tagged resources of services the catalog does not have."""
    enrich: Literal["all", "none"] | Words = "all"
    """Extra calls per resource (policies, encryption, tags by call): `all`, `none`, or types."""
    include_sensitive: bool = False
    """Whether secrets (values of variables, user data, passwords) stand in records; every report then says so."""
    expect: list[Expectation] = []
    """Outcomes that are no surprise."""
    catalog_dirs: Folders = []
    """Folders with catalog files of your own, beside those of the package; relative to the working directory."""
    execution: Execution = Execution()
    retry: Retry = Retry()
    cache: CacheSettings = CacheSettings()
    reports: Reports = Reports()
    limits: Limits = Limits()

    @field_validator("endpoint_url")
    @classmethod
    def _safe_endpoint(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if is_safe_endpoint(value):
            return value
        raise ValueError("is https://..., or http:// on this machine (127.0.0.1, localhost)")

    @field_validator("enrich", mode="before")
    @classmethod
    def _enrich_words(cls, value: Any) -> Any:
        return value if value in ("all", "none") else words(value)

    @property
    def chosen_filters(self) -> Chosen:
        """The filters that are set, with their words."""
        said = {name: getattr(self.filters, name) for name in type(self.filters).model_fields}
        return tuple((name, tuple(words)) for name, words in sorted(said.items()) if words)


Profile = ProfileFields
