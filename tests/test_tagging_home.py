"""Global resources in the tagging API: only the home region's knows them, whether or not the profile names it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scanner.catalog import load_catalog
from scanner.catalog.arns import ArnParser
from scanner.collectors.ledger import Ledger
from scanner.collectors.tagging import TaggingScan
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.model import Account, Unit
from tests.conftest import Bench, records

Start = Callable[..., FakeAws]

_TAGS = {"Environment": None}
# Of three numbers each: all have tags.
_GLOBAL = [f"arn:aws:cloudfront::111122223333:distribution/E0000{n}" for n in range(3)]
_GLOBAL += [f"arn:aws:route53:::hostedzone/Z0000{n}" for n in range(3)]


def _scan(bench: Bench, server: FakeAws, *regions: str, code: int = 0, **settings: Any) -> list[dict[str, Any]]:
    done = bench.here("scan", bench.profile(server.url, regions=list(regions), **settings), "--no-cache")
    assert done.returncode == code, done.stderr
    return records(bench.snapshot())


def _asked(server: FakeAws) -> dict[str, int]:
    """Requests to the tagging API by region."""
    return {key[1]: count for key, count in server.calls.items() if key[2] == "resourcegroupstaggingapi"}


@pytest.mark.parametrize("collector", ["auto", "tagging", "both"])
@pytest.mark.parametrize("regions", [("eu-west-1",), ("eu-west-1", "us-east-1")])
def test_global_resources_are_found_once_with_and_without_their_home_region(
    bench: Bench, fake: Start, collector: str, regions: tuple[str, ...]
) -> None:
    server = fake(Fleet(items=3, uncatalogued=3))
    found = _scan(bench, server, *regions, tags=_TAGS, collector=collector, enrich="none")
    arns = [one["resource_arn"] for one in found]
    assert len(set(arns)) == len(arns)
    assert [one["resource_arn"] for one in found if one["service"] in ("cloudfront", "route53")] == _GLOBAL
    assert {one["region"] for one in found if one["resource_arn"] in _GLOBAL} == {"global"}
    assert {one["region"] for one in found} == {*regions, "global"}
    assert set(_asked(server)) == {"eu-west-1", "us-east-1"}
    report = (bench.snapshot().path / "report.md").read_text()
    notice = "\n**Without details:** what the tagging API found has ARN and tags, but no state, date or configuration; "
    assert (notice in report) == (collector != "both")


def test_the_home_region_is_asked_for_global_resources_alone(bench: Bench, fake: Start) -> None:
    # 900 regional resources are there, a hundred on a page: one page shows that the server was told what is wanted.
    server = fake(Fleet(items=30, uncatalogued=3))
    _scan(bench, server, "eu-west-1", tags=_TAGS, collector="tagging")
    asked = _asked(server)
    assert asked["us-east-1"] == 1
    assert asked["eu-west-1"] > 5
    cells = [(line["region"], line["resources"]) for line in bench.snapshot().manifest["ledger"]]
    assert cells[-1] == ("global", 6)


class _UnfilteredLane:
    """A lane to a server that does not heed ResourceTypeFilters."""

    arns = (
        "arn:aws:ec2:us-east-1:111122223333:volume/vol-1",
        "arn:aws:s3:::bucket-of-us-east-1",
        "arn:aws:cloudfront::111122223333:distribution/E1",
    )

    def pages(self, _: object, __: object) -> Iterator[dict[str, Any]]:
        yield {"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": []} for arn in self.arns]}


@pytest.mark.parametrize(("place", "kept"), [("global", ["global"]), ("us-east-1", ["us-east-1"] * 2 + ["global"])])
def test_nothing_regional_of_the_home_region_is_kept_whatever_the_server_says(place: str, kept: list[str]) -> None:
    account = Account("111122223333", "aws", "arn:aws:iam::111122223333:user/scanner")
    unit = Unit(account, "us-east-1", place, "tagging", "resourcegroupstaggingapi")
    lane: Any = _UnfilteredLane()
    scan = TaggingScan(unit, lane, Ledger(unit), ArnParser(load_catalog().types), {})
    assert [record["region"] for record in scan.run()] == kept


@pytest.mark.parametrize(
    ("services", "asked"),
    [
        (["sqs", "kms"], {"eu-west-1"}),
        (["iam"], {"us-east-1"}),
        (["iam", "sqs"], {"eu-west-1", "us-east-1"}),
        (["*", "!iam"], {"eu-west-1"}),
    ],
)
def test_only_regions_that_can_know_of_what_is_wanted_are_asked(
    bench: Bench, fake: Start, services: list[str], asked: set[str]
) -> None:
    server = fake(Fleet(items=2))
    _scan(bench, server, "eu-west-1", services=services, tags=_TAGS, collector="tagging")
    assert set(_asked(server)) == asked


def test_auto_does_not_ask_the_tagging_api_for_what_it_does_not_cover(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=3))
    found = _scan(bench, server, "eu-west-1", services=["iam", "autoscaling"], tags=_TAGS)
    assert _asked(server) == {}
    assert {one["service"] for one in found} == {"iam", "autoscaling"}


def test_who_may_not_ask_the_home_region_sees_a_gap_and_may_expect_it(bench: Bench, fake: Start) -> None:
    rules = (Rule("deny", "resourcegroupstaggingapi", region="us-east-1"),)
    server = fake(Fleet(items=3, uncatalogued=3), rules)
    found = _scan(bench, server, "eu-west-1", tags=_TAGS, collector="tagging", code=3)
    assert bench.gaps() == [("global", "*", "get_resources", "denied")]
    assert {one["region"] for one in found} == {"eu-west-1"}
    expect = [{"region": "global", "service": "resourcegroupstaggingapi", "outcome": "denied"}]
    _scan(bench, server, "eu-west-1", tags=_TAGS, collector="tagging", expect=expect)
    assert bench.snapshot().manifest["totals"]["expected_gaps"] == 1


def test_the_cache_keeps_the_home_region_and_its_global_part_apart(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=3, uncatalogued=3))
    settings: dict[str, Any] = {"tags": _TAGS, "collector": "tagging"}
    for regions in (["us-east-1"], ["eu-west-1"], ["us-east-1"], ["eu-west-1"]):
        done = bench.here("scan", bench.profile(server.url, regions=regions, **settings))
        assert done.returncode == 0, done.stderr
        found = records(bench.snapshot())
        assert {one["region"] for one in found} == {*regions, "global"}
        assert sum(one["region"] == "global" for one in found) == 6


def test_the_plan_shows_the_home_region(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    settings: dict[str, Any] = {"tags": _TAGS, "collector": "tagging", "regions": ["eu-west-1"]}
    done = bench.here("plan", bench.profile(server.url, **settings), "--offline")
    assert "every tagged resource: 2 x get_resources" in done.stdout
