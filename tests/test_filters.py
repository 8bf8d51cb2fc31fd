"""Filters of records, and the gate: what passes, and that what cannot be judged is never mistaken for nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema
import orjson
import pytest

from scanner.fakeaws import FakeAws, Fleet, Rule
from tests.conftest import Bench, records

Start = Callable[..., FakeAws]
_SERIAL: dict[str, Any] = {"execution": {"executor": "serial"}}  # quicker to start; two tests have processes
_ONE = {"regions": ["us-east-1"], **_SERIAL}


def _ledger(bench: Bench, outcome: str) -> list[tuple[str, str, str]]:
    lines = bench.snapshot().manifest["ledger"]
    return [(line["resource_type"], line["call"], line["message"]) for line in lines if line["outcome"] == outcome]


def _services(server: FakeAws) -> set[str]:
    return {service for _, _, service, _ in server.calls}


@pytest.mark.parametrize("words", [["--state", "RUNNING,stopped"], ["--state", "Running", "--state", "stopped"]])
def test_only_resources_in_these_states_are_kept_whatever_the_case(bench: Bench, fake: Start, words: list[str]) -> None:
    profile = bench.profile(fake(Fleet(items=8)).url, services=["ec2:instance"])
    done = bench.here("scan", profile, *words)
    assert done.returncode == 0, done.stderr
    found = [(record["resource_id"], record["state"]) for record in records(bench.snapshot())]
    assert found == [("instance-00001", "running"), ("instance-00005", "stopped"), ("instance-00007", "running")] * 2
    assert bench.snapshot().manifest["selection"]["filters"] == {"state": ["running", "stopped"]}


def test_a_type_without_a_state_is_not_asked_and_seen_as_skipped(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2))
    profile = bench.profile(server.url, **_ONE, services=["ec2:volume", "sqs", "iam:role"], filters={"state": ["x"]})
    done = bench.here("scan", profile)
    assert done.returncode == 0
    why = "filter state: the catalog knows no state of this type"
    assert "COMPLETE: 1 of 1 cell answered, 2 not asked\n" in done.stderr
    assert f"  not asked: iam:role, sqs:queue: {why}\n" in done.stderr
    assert _ledger(bench, "skipped") == [("iam:role", "list_roles", why), ("sqs:queue", "list_queues", why)]
    assert _services(server) == {"sts", "ec2"}
    report = (bench.snapshot().path / "report.md").read_text()
    assert "| Cells answered | 1 of 1 (100 %) |\n| Cells not asked | 2 |\n" in report
    assert f"| {why} | iam:role, sqs:queue | 2 |\n" in report
    assert "\nNone were found, but not everything was asked: see above.\n" in report
    assert f"not asked, {why}\n  iam:role, sqs:queue\n" in bench.here("plan", profile).stdout


def test_a_filter_that_leaves_nothing_to_ask_is_refused(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2))
    done = bench.here("scan", bench.profile(server.url, **_ONE, services=["sqs"]), "--state", "running")
    said = "nothing is left to ask: sqs:queue: filter state: the catalog knows no state of this type\n"
    assert (done.returncode, done.stdout, done.stderr.endswith(said)) == (2, "", True)
    assert not (bench.folder / "reports").exists()
    assert _services(server) == {"sts"}


@pytest.mark.parametrize("collector", ["auto", "both"])
def test_what_the_tagging_api_cannot_judge_is_asked_of_the_services(bench: Bench, fake: Start, collector: str) -> None:
    server = fake(Fleet(items=9))
    settings = {"services": ["ec2:instance"], "tags": {"Environment": ["Prod*"]}, "collector": collector}
    done = bench.here("scan", bench.profile(server.url, **_ONE, **settings), "--state", "pending,terminated")
    assert done.returncode == 0, done.stderr
    found = [(record["resource_id"], record["tags"]["Environment"]) for record in records(bench.snapshot())]
    assert found == [(f"instance-0000{at}", "Production") for at in (0, 3, 6)]
    skipped = [("*", "get_resources", "filter state: the tagging API does not know states")]
    assert _ledger(bench, "skipped") == skipped
    assert "resourcegroupstaggingapi" not in _services(server)


def test_the_tagging_collector_alone_is_refused(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake().url, collector="tagging", filters={"state": ["running"]})
    done = bench.here("scan", profile)
    assert done.returncode == 2
    assert "test.yaml:1:" in done.stderr
    assert "collector: 'tagging' cannot be filtered so: filter state: the tagging API does not know" in done.stderr


def test_a_state_that_aws_did_not_tell_is_a_gap_and_no_match(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2), (Rule("deny", "kms", "describe_key"),))
    done = bench.here("scan", bench.profile(server.url, **_ONE, services=["kms"]), "--state", "enabled")
    assert done.returncode == 3
    lines = {line["call"]: line for line in bench.snapshot().manifest["ledger"]}
    assert (lines["describe_key"]["outcome"], lines["list_keys"]["outcome"]) == ("denied", "truncated")
    assert (lines["list_keys"]["code"], lines["list_keys"]["affected"]) == ("NotJudged", 2)
    assert records(bench.snapshot()) == []


def test_a_state_is_read_also_where_enrichment_is_off(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake(Fleet(items=4)).url, **_ONE, services=["kms", "dynamodb"], enrich="none")
    assert bench.here("scan", profile, "--state", "creating", "--state", "active").returncode == 0
    assert {record["state"].lower() for record in records(bench.snapshot())} == {"creating", "active"}


def test_another_filter_is_not_answered_from_the_cache(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake(Fleet(items=4)).url, **_ONE, services=["ec2:instance"])
    for words, ids in (("pending", [0]), ("pending,running", [0, 1]), ("pending", [0])):
        assert bench.here("scan", profile, "--state", words).returncode == 0
        assert [int(record["resource_id"][-1]) for record in records(bench.snapshot())] == ids


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"stat": ["running"]}, "filters.stat: unknown key 'stat'; did you mean 'state'?; allowed: state"),
        ({"state": [""]}, "filters.state: an empty word is no state"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused_with_its_place(bench: Bench, filters: Any, said: str) -> None:
    done = bench.here("scan", bench.profile("http://127.0.0.1:1", filters=filters))
    assert done.returncode == 2
    assert "test.yaml:" in done.stderr
    assert said in done.stderr


def test_a_filter_can_come_from_the_environment(bench: Bench) -> None:
    done = bench.here("plan", "--offline", AWS_SCANNER__FILTERS__STATE="stopped,running")
    assert "filters.state = ['running', 'stopped']  [environment AWS_SCANNER__FILTERS__STATE]" in done.stdout
    wrong = bench.here("plan", "--offline", AWS_SCANNER__FILTERS__STAT="x")
    assert wrong.returncode == 2
    assert "did you mean 'AWS_SCANNER__FILTERS__STATE'?" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "code"), [(["--min-resources", "5"], 1), (["--min-resources", "4"], 0), (["--set", "min_resources=9"], 1)]
)
def test_a_complete_scan_that_found_too_little_exits_1(bench: Bench, fake: Start, words: list[str], code: int) -> None:
    done = bench.here("scan", bench.profile(fake(Fleet(items=2)).url, services=["sqs"], **_SERIAL), "--quiet", *words)
    manifest = orjson.loads((bench.snapshot().path / "manifest.json").read_bytes())
    assert (done.returncode, manifest["exit_code"]) == (code, code)
    wanted = words[-1].rpartition("=")[2]
    line = f"min_resources: the scan is complete and found 4 resources; at least {wanted} were wanted"
    assert (line in done.stderr) is (code == 1)
    jsonschema.validate(manifest, orjson.loads(bench.here("schema", "manifest").stdout))
    assert len(records(bench.snapshot())) == 4


def test_an_incomplete_scan_that_found_too_little_stays_incomplete(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2), (Rule("deny", "sqs", "list_queues", "eu-west-1"),))
    done = bench.here("scan", bench.profile(server.url, services=["sqs"], min_resources=100, **_SERIAL))
    assert (done.returncode, bench.snapshot().manifest["exit_code"]) == (3, 3)
    assert "min_resources" not in done.stderr


def test_a_gate_is_no_negative_number(bench: Bench) -> None:
    assert bench.here("scan", "--min-resources", "-1").returncode == 2
    done = bench.here("scan", bench.profile("http://127.0.0.1:1", min_resources=-1))
    assert "min_resources: input should be greater than or equal to 0" in done.stderr
