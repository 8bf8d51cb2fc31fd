"""The fault matrix: every fault of the fake AWS, on first and on later pages, in services of each protocol.

One scan has three regions: in the first all first pages are hit, in the second the later ones, in the third each list
once. `ORACLE` says what is right. A cell is one service in one region.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from scanner.fakeaws import FakeAws, Fleet, Rule
from tests.conftest import KEYS, Bench, records

TAGGING = "resourcegroupstaggingapi"
# Client -> type and list call; behind it the protocol.
LISTS = {
    "ec2": ("volume", "describe_volumes"),  # ec2
    "elb": ("loadbalancer", "describe_load_balancers"),  # query
    "sns": ("topic", "list_topics"),  # query, with no page size
    "ecs": ("cluster", "list_clusters"),  # json, described together
    "dynamodb": ("table", "list_tables"),  # json 1.0
    "lambda": ("function", "list_functions"),  # rest-json
    "s3": ("bucket", "list_buckets"),  # rest-xml
    TAGGING: ("*", "get_resources"),  # json, and a collector of its own
}
MORE_LISTS = {
    "autoscaling": ("launchConfiguration", "describe_launch_configurations"),  # query
    "rds": ("db", "describe_db_instances"),  # query
    "kms": ("key", "list_keys"),  # json
    "logs": ("log-group", "describe_log_groups"),  # json
    "sqs": ("queue", "list_queues"),  # json, with errors as query had them
    "eks": ("cluster", "list_clusters"),  # rest-json
    "efs": ("file-system", "describe_file_systems"),  # rest-json
}
REGIONS = {"first": "us-east-1", "later": "eu-west-1", "once": "us-west-2"}

# How a cell ends, and how many pages of resources are kept of the three there are.
_TABLE = """
fault            first page           later pages          first page, once
deny             denied 0             denied 1             denied 0
deny_by_policy   denied_by_policy 0   denied_by_policy 1   denied_by_policy 0
opt_in           region_disabled 0    error 1              region_disabled 0
invalid_key      region_disabled 0    credentials 1        region_disabled 0
expired          credentials 0        credentials 1        credentials 0
skew             credentials 0        credentials 1        credentials 0
throttle         throttled 0          throttled 1          ok 3
bucket           ok 3                 ok 3                 ok 3
error500         error 0              error 1              ok 3
error503         error 0              error 1              ok 3
html             malformed 0          malformed 1          ok 3
truncated        malformed 0          malformed 1          ok 3
unknown_shape    malformed 0          malformed 1          ok 3
reset            error 0              error 1              ok 3
cut              malformed 0          malformed 1          ok 3
slow             timeout 0            timeout 1            timeout 0
hang             timeout 0            timeout 1            ok 3
same_token       truncated 1          truncated 2          ok 3
empty_page       ok 3                 ok 3                 ok 3
duplicate_page   ok 3                 ok 3                 ok 3
empty_last_page  ok 3                 ok 3                 ok 3
endless          ok 3                 timeout 3            ok 3
"""
# botocore asks S3 once more after a 400, in case it was a redirect; the second answer has all.
_BUT = {("expired", "once", "s3"): ("ok", 3)}
_PATIENCE: dict[str, dict[str, float]] = {
    "slow": {"call_deadline_s": 3, "read_timeout_s": 30},
    "hang": {"read_timeout_s": 1.5, "max_attempts": 2},
    "endless": {"cell_deadline_s": 5},
    "bucket": {"max_attempts": 20, "initial_wait_s": 0.01, "max_wait_s": 0.1},
}
_DEADLINES = ("call_deadline_s", "read_timeout_s", "cell_deadline_s")


@dataclass(frozen=True, slots=True)
class End:
    """How a cell ended, how many resources it says it has (each once), and what of it is in the inventory."""

    outcome: str
    counted: int
    kept: tuple[str, ...]


Ends = dict[tuple[str, str], End]  # by place in the matrix ("first") and service
Planned = frozenset[tuple[str, str, str]]  # region, type, call of every cell of the ledger


@dataclass(frozen=True, slots=True)
class Scanned:
    """What came of one scan."""

    exit_code: int
    ends: Ends
    planned: Planned


ORACLE: dict[str, dict[str, tuple[str, int]]] = {}
for _line in _TABLE.split("\n")[2:-1]:
    _fault, *_said = _line.split()
    ORACLE[_fault] = {place: (_said[2 * at], int(_said[2 * at + 1])) for at, place in enumerate(REGIONS)}


class Matrix:
    """A server and a profile; `pages` has what each page of each service has, as a scan without faults sees it.

    `patience` multiplies the seconds after which something is too late, for machines that are busy.
    """

    def __init__(
        self, bench: Bench, server: FakeAws, lists: Mapping[str, tuple[str, str]] = LISTS, patience: float = 1
    ) -> None:
        self._bench, self._server, self._lists, self._patience = bench, server, lists, patience
        self._fleet = Fleet(0, 0, 2, {f"{service}:{kind}": 6 for service, (kind, _) in lists.items()})
        self.undisturbed = self.run()
        cells = self.undisturbed.ends.items()
        self.pages = {cell: [end.kept[at : at + 2] for at in range(0, 6, 2)] for cell, end in cells}
        for place in REGIONS:
            self.pages[place, TAGGING] = list(self._tagged(REGIONS[place]))

    def _tagged(self, region: str) -> Iterator[tuple[str, ...]]:
        """The tagging API gives types in an order of its own; three pages are all that the matrix speaks of."""
        client: Any = boto3.client(
            TAGGING,
            region_name=region,
            endpoint_url=self._server.url,
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key="x",
        )
        pages = [
            tuple(one["ResourceARN"] for one in page["ResourceTagMappingList"])
            for page in client.get_paginator("get_resources").paginate()
        ]
        yield from [pages[0], pages[1], tuple(arn for page in pages[2:] for arn in page)]

    def expected(self, fault: str, places: Collection[str] = tuple(REGIONS)) -> Ends:
        """What is right for every cell, where the fault hits these places only."""
        ends = {}
        for place, said in ORACLE[fault].items():
            for service in self._lists:
                outcome, pages = _BUT.get((fault, place, service), said) if place in places else ("ok", 3)
                kept = [one for page in self.pages[place, service][:pages] for one in page]
                ends[place, service] = End(outcome, len(kept), tuple(sorted(kept)))
        return ends

    def run(self, fault: str = "", places: Collection[str] = tuple(REGIONS)) -> Scanned:
        """Scan under a fault."""
        self._server.become(self._fleet)
        self._server.obey(*(rule for place in places for rule in self._rules(fault, place) if fault))
        # What comes for ever must not come so fast that nothing else gets its turn.
        limits = {"rate_per_s": 20 if fault == "endless" else 1000, "burst": 60 if fault == "endless" else 10_000}
        retry = {
            name: value * self._patience if name in _DEADLINES else value
            for name, value in _PATIENCE.get(fault, {}).items()
        }
        return self._scan(retry, limits)

    def _rules(self, fault: str, place: str) -> Iterator[Rule]:
        own: dict[str, Any] = {"slow": {"delay_s": 0.2}, "bucket": {"rate": 200, "burst": 1}}.get(fault, {})
        page = {"first": "first", "later": "later", "once": "first"}[place]
        for service, (_, operation) in self._lists.items():
            times = 1 if place == "once" else None
            yield Rule(fault, service, operation, REGIONS[place], page=page, times=times, **own)

    def _scan(self, retry: dict[str, float], limits: dict[str, int]) -> Scanned:
        profile = self._bench.profile(
            self._server.url,
            regions=list(REGIONS.values()),
            services=[f"{service}:{kind}" for service, (kind, _) in self._lists.items() if kind != "*"],
            collector="both",
            enrich="none",
            retry={"initial_wait_s": 0, "max_wait_s": 0, **retry},
            execution={"executor": "serial", "service_workers": 16},
            limits=limits,
            reports={"formats": ["json"]},
        )
        done = self._bench.here("scan", profile, "--no-cache", "--quiet")
        snapshot = self._bench.snapshot()
        ledger = snapshot.manifest["ledger"]
        kept = _kept(records(snapshot))
        lists = {(line["region"], line["service"], line["call"]): line for line in ledger}
        ends = {
            (place, service): _end(line, kept.get((region, service), ()))
            for place, region in REGIONS.items()
            for service, (_, call) in self._lists.items()
            for line in [lists[region, service, call]]
        }
        planned = frozenset((one["region"], one["resource_type"], one["call"]) for one in ledger)
        return Scanned(done.returncode, ends, planned)


def exit_code_of(ends: Ends) -> int:
    """What the program must answer: 3 where anything is not known. All regions of the matrix are named."""
    return 0 if all(end.outcome == "ok" for end in ends.values()) else 3


def _end(line: Mapping[str, Any], kept: tuple[str, ...]) -> End:
    return End(line["outcome"], line["resources"] - line["duplicates"], kept)


def _kept(found: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The resources in the inventory, by region and by the service that told of them."""
    kept: dict[tuple[str, str], list[str]] = {}
    for one in found:
        if "services" in one["sources"]:
            kept.setdefault((one["region"], one["service"]), []).append(one["resource_id"])
        if "tagging" in one["sources"]:
            kept.setdefault((one["region"], TAGGING), []).append(one["resource_arn"])
    return {key: tuple(sorted(ids)) for key, ids in kept.items()}
