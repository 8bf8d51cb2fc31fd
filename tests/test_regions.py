"""Regions: who tells which there are, other partitions, disabled ones, and services that a region does not offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scanner.catalog import load_catalog
from scanner.catalog.models import regions_without
from scanner.fakeaws import Directory, FakeAws, Fleet, Rule
from tests.conftest import Bench, records

Start = Callable[..., FakeAws]
SERIAL = {"executor": "serial"}


def scan(bench: Bench, server: FakeAws, *options: str, **settings: Any) -> tuple[int, dict[str, Any]]:
    said = {"services": ["sqs"], "execution": SERIAL, **settings}
    done = bench.here("scan", bench.profile(server.url, **said), *options)
    assert "Traceback" not in done.stderr
    return done.returncode, bench.snapshot().manifest


@pytest.mark.parametrize(
    ("denied", "source", "regions"),
    [
        ((), "account:ListRegions", 2),
        (("account",), "ec2:DescribeRegions", 2),
        (("account", "ec2"), "botocore", None),
    ],
)
def test_regions_come_from_the_first_source_that_answers_and_it_is_named(
    bench: Bench, fake: Start, denied: tuple[str, ...], source: str, regions: int | None
) -> None:
    server = fake(Fleet(items=1), tuple(Rule("deny", one) for one in denied))
    code, manifest = scan(bench, server, "--no-cache", regions=["us-*"])
    (account,) = manifest["accounts"]
    known = [one for one in load_catalog().regions["aws"] if one.startswith("us-")]
    assert (code, account["regions_source"]) == (0, source)
    assert len(account["regions"]) == (regions or len(known))
    disabled = {line["region"] for line in manifest["ledger"] if line["outcome"] == "region_disabled"}
    assert disabled == ({"us-east-2", "us-west-1"} if regions else set())


def test_the_cache_keeps_the_region_list_with_its_source_and_its_disabled_regions(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    for source in ("account:ListRegions", "cache of account:ListRegions"):
        code, manifest = scan(bench, server, regions=["us-*"])
        assert (code, manifest["accounts"][0]["regions_source"]) == (0, source)
        assert [line["region"] for line in manifest["ledger"] if line["outcome"] == "region_disabled"] == [
            "us-east-2", "us-west-1",
        ]  # fmt: skip
    assert sum(count for key, count in server.calls.items() if key[2] == "account") == 3  # pages, once


def test_regions_that_are_merely_not_enabled_are_no_cells(bench: Bench, fake: Start) -> None:
    code, manifest = scan(bench, fake(Fleet(items=1)), "--no-cache", regions=["enabled"])
    assert code == 0
    assert {line["outcome"] for line in manifest["ledger"]} == {"ok"}


@pytest.mark.parametrize(
    ("partition", "regions", "home"),
    [
        ("aws-cn", ("cn-north-1", "cn-northwest-1"), "cn-north-1"),
        ("aws-us-gov", ("us-gov-east-1", "us-gov-west-1"), "us-gov-west-1"),
        ("aws-iso-f", ("us-isof-east-1", "us-isof-south-1"), "us-isof-south-1"),
    ],
)
def test_another_partition_is_known_by_the_callers_arn(
    bench: Bench, fake: Start, partition: str, regions: tuple[str, ...], home: str
) -> None:
    server = fake(Fleet(items=1, regions=regions), directory=Directory(partition=partition))
    role = {"role_arn": f"arn:{partition}:iam::444455556666:role/reader"}
    profile = bench.profile(
        server.url, accounts=[{"id": "111122223333"}, role], regions=["enabled"], services=["sqs", "iam:role"],
        execution=SERIAL,
    )  # fmt: skip
    done = bench.here("scan", profile, "--no-cache", AWS_REGION=regions[0])
    assert done.returncode == 0, done.stderr
    manifest = bench.snapshot().manifest
    assert [(one["partition"], one["regions"]) for one in manifest["accounts"]] == [(partition, list(regions))] * 2
    found = records(bench.snapshot())
    assert {one["partition"] for one in found} == {partition}
    assert {one["resource_arn"].split(":")[1] for one in found} == {partition}
    asked = {(service, region) for _, region, service, _ in server.calls}
    assert {region for service, region in asked if service == "iam"} == {home}
    # The configured region for who asks, as the SDKs have it; it need not be the home.
    assert {region for service, region in asked if service == "sts"} <= {regions[0], home}


def test_the_region_of_the_aws_configuration_tells_the_partition(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1, regions=("cn-north-1",)), directory=Directory(partition="aws-cn"))
    config = bench.folder / "aws-config"
    config.write_text(
        "[profile china]\naws_access_key_id = AKIA111122223333\naws_secret_access_key = x\nregion = cn-northwest-1\n"
    )
    profile = bench.profile(server.url, accounts=[{"aws_profile": "china"}], regions=["enabled"], services=["sqs"])
    done = bench.here("plan", profile, AWS_CONFIG_FILE=str(config))
    assert done.returncode == 0, done.stderr
    assert "111122223333: cn-north-1  [regions: account:ListRegions]" in done.stdout
    assert {region for _, region, service, _ in server.calls if service == "sts"} == {"cn-northwest-1"}


def test_a_named_region_of_another_partition_is_not_asked_and_not_hidden(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    code, manifest = scan(bench, server, "--no-cache", regions=["us-east-1", "cn-north-1"])
    assert (code, manifest["accounts"][0]["regions"]) == (0, ["us-east-1"])
    cells = [(line["region"], line["outcome"]) for line in manifest["ledger"] if line["region"] == "cn-north-1"]
    assert cells == [("cn-north-1", "not_available")]
    assert "cn-north-1" not in {region for _, region, _, _ in server.calls}


def test_sts_in_a_region_that_is_off_is_not_taken_for_bad_credentials(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1), (Rule("invalid_key", region="me-south-1"),))
    profile = bench.profile(server.url, regions=["us-east-1"], services=["sqs"], execution=SERIAL)
    done = bench.here("scan", profile, "--no-cache", AWS_REGION="me-south-1")
    assert done.returncode == 0, done.stderr
    assert server.calls["111122223333", "us-east-1", "sts", "get_caller_identity"] == 1


def test_keys_that_no_region_knows_exit_4_with_a_word_on_partitions(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1), (Rule("invalid_key"),))
    done = bench.here("scan", bench.profile(server.url), "--quiet")
    assert done.returncode == 4
    assert "keys of another partition (aws-cn, aws-us-gov) need AWS_REGION to name a region of it" in done.stderr


APPRUNNER = """
service: apprunner
resources:
  service:
    list: {call: list_services, out: 'ServiceSummaryList[]'}
    arn: ServiceArn
    shape: 'arn:{partition}:apprunner:{region}:{account}:service/{id}'
"""


def test_a_service_that_a_region_does_not_offer_is_not_available_without_a_call(bench: Bench, fake: Start) -> None:
    folder = bench.folder / "catalogs"
    folder.mkdir()
    (folder / "apprunner.yaml").write_text(APPRUNNER)
    regions = ("eu-west-1", "eu-north-1")
    server = fake(Fleet(items=1, regions=regions), catalog_dirs=(folder,))
    common = {"catalog_dirs": [str(folder)], "services": ["sqs", "apprunner"]}
    code, manifest = scan(bench, server, "--no-cache", regions=["eu-*"], **common)
    outcomes = {(line["service"], line["region"]): line["outcome"] for line in manifest["ledger"]}
    assert code == 0
    assert outcomes["apprunner", "eu-west-1"] == "ok"
    assert outcomes["apprunner", "eu-north-1"] == "not_available"
    assert server.calls["111122223333", "eu-north-1", "apprunner", "list_services"] == 0
    # Whoever names both asks: botocore's list may be older than the service's opening there.
    code, manifest = scan(bench, server, "--no-cache", regions=["eu-north-1"], **common)
    assert code == 0
    assert server.calls["111122223333", "eu-north-1", "apprunner", "list_services"] == 1


def test_nothing_is_called_absent_that_botocore_cannot_know_of() -> None:
    absent = regions_without(["sqs", "apprunner", "iam", "organizations", "no-such-client"])
    assert "sqs" not in absent
    assert "iam" not in absent  # global: its list has no regions
    assert "us-east-1" not in absent["apprunner"]
    listed = {region for regions in absent.values() for region in regions}
    # Regions that the list of endpoints does not have at all are not spoken of.
    assert not listed & {"me-west-1", "sa-west-1"}
    assert set(absent) <= {"apprunner"}
