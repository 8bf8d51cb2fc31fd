"""The whole line, as its users run it: the real program against a fake AWS over HTTP."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import orjson
import pytest

from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.store.snapshots import Snapshot
from tests.conftest import Bench, records
from tests.processes import is_over

Start = Callable[..., FakeAws]


def _digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.iterdir() if path.is_file() and path.name != "manifest.json"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@dataclass(frozen=True)
class Whole:
    """A scan of every type of the catalog, over several pages, and what there is to repeat it."""

    bench: Bench
    server: FakeAws
    snapshot: Snapshot

    def scan(self, *more: str) -> tuple[subprocess.CompletedProcess[str], Snapshot]:
        done = self.bench.run("scan", self.bench.folder / "test.yaml", *more)
        return done, self.bench.snapshot()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    bench = Bench(tmp_path_factory.mktemp("whole"))
    with FakeAws(Fleet(items=5, page_size=2)) as server:
        done = bench.run("scan", bench.profile(server.url))
        assert done.returncode == 0, done.stderr
        yield Whole(bench, server, bench.snapshot())


def test_every_resource_is_found_once_over_many_pages(whole: Whole) -> None:
    found = records(whole.snapshot)
    regional, of_cluster, global_ = 5 * 2, 5 * 2 * 2, 5
    expected = {
        **dict.fromkeys(whole.snapshot.manifest["by_type"], regional),
        **dict.fromkeys(
            ["ecs:service", "ecs:container-instance", "eks:nodegroup", "elasticloadbalancing:listener"], of_cluster
        ),
        **dict.fromkeys(["iam:role", "iam:user", "iam:policy", "iam:instance-profile"], global_),
        "elasticloadbalancing:listener-rule": of_cluster * 2,
        "elasticloadbalancing:loadbalancer": regional * 2,
    }
    assert whole.snapshot.manifest["by_type"] == expected
    assert len(expected) == 48
    assert len({record["resource_arn"] for record in found}) == len(found) == sum(expected.values())
    assert whole.server.unknown == 0


def test_records_fit_the_published_schema(whole: Whole) -> None:
    schema = orjson.loads(whole.bench.here("schema", "record").stdout)
    validator = jsonschema.Draft202012Validator(schema)
    problems = {
        f"{record['resource_type']}: {error.json_path} {error.message[:80]}"
        for record in records(whole.snapshot)
        for error in validator.iter_errors(record)
    }
    assert problems == set()


def test_two_scans_are_the_same_bytes_apart_from_the_manifest(whole: Whole) -> None:
    first = _digests(whole.snapshot.path)
    _, again = whole.scan("--no-cache")
    assert again.path != whole.snapshot.path
    assert _digests(again.path) == first
    assert set(first) == {"resources.json", "resources.jsonl.zst", "report.md"}


def test_a_second_scan_within_the_ttl_asks_only_sts(whole: Whole) -> None:
    before = whole.server.calls.copy()
    done, again = whole.scan()
    assert done.returncode == 0
    asked = dict(whole.server.calls - before)
    assert asked == {("111122223333", "us-east-1", "sts", "get_caller_identity"): 1}
    assert _digests(again.path) == _digests(whole.snapshot.path)
    assert {line["outcome"] for line in again.manifest["ledger"]} == {"cached"}


def test_a_denied_operation_loses_only_its_own_type_in_its_own_region(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=3), (Rule("deny", "ec2", "describe_volumes", "eu-west-1"),))
    done = bench.run("scan", bench.profile(server.url, services=["ec2", "iam", "sqs"]), "--no-cache")
    assert done.returncode == 3
    assert bench.gaps() == [("eu-west-1", "ec2:volume", "describe_volumes", "denied")]
    by_type = bench.snapshot().manifest["by_type"]
    assert len(by_type) == 23
    assert {kind: count for kind, count in by_type.items() if count != 6} == {
        "ec2:volume": 3,
        **dict.fromkeys(["iam:role", "iam:user", "iam:policy", "iam:instance-profile"], 3),
    }
    report = (bench.snapshot().path / "report.md").read_text()
    assert "INCOMPLETE" in report
    assert "describe\\_volumes" in report


def test_a_gap_is_not_served_from_the_cache(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2), (Rule("deny", "sqs", "list_queues", times=2),))
    profile = bench.profile(server.url, services=["sqs", "sns"])
    assert bench.here("scan", profile).returncode == 3
    assert bench.here("scan", profile).returncode == 0
    assert bench.snapshot().manifest["by_type"]["sqs:queue"] == 4


def test_a_denied_enrichment_keeps_the_resources(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2), (Rule("deny", "s3", "get_bucket_policy"),))
    done = bench.here("scan", bench.profile(server.url, services=["s3"]))
    assert done.returncode == 3
    assert bench.snapshot().manifest["by_type"] == {"s3:bucket": 4}
    assert {gap[2] for gap in bench.gaps()} == {"get_bucket_policy"}


def test_an_expected_denial_is_shown_and_exits_0(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2), (Rule("deny", "rds", "describe_db_clusters", "eu-west-1"),))
    expect = [{"region": "eu-west-1", "service": "rds:cluster", "outcome": "denied"}]
    done = bench.here("scan", bench.profile(server.url, services=["rds"], expect=expect))
    assert done.returncode == 0
    assert bench.snapshot().manifest["totals"]["expected_gaps"] == 1
    assert "rds:cluster" in done.stdout


def test_wrong_credentials_exit_4_after_one_sts_call(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(), (Rule("invalid_key", "sts"),))
    done = bench.run("scan", bench.profile(server.url))
    assert done.returncode == 4
    assert dict(server.calls) == {("111122223333", "us-east-1", "sts", "get_caller_identity"): 1}
    assert done.stderr.count("no account has usable credentials") == 1
    assert "Traceback" not in done.stderr
    assert not (bench.folder / "reports").exists()


def test_no_credentials_at_all_exit_4_and_say_what_to_set(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake().url)
    done = bench.run("scan", profile, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert done.returncode == 4
    assert "AWS_PROFILE" in done.stderr


def test_credentials_of_another_account_than_the_profile_says_are_refused(bench: Bench, fake: Start) -> None:
    done = bench.run("scan", bench.profile(fake().url, accounts=[{"id": "999988887777"}]))
    assert done.returncode == 4
    assert "the credentials are of account 111122223333, the profile says 999988887777" in done.stderr


@pytest.mark.parametrize(("fault", "outcome"), [("error500", "error"), ("throttle", "throttled")])
def test_a_region_that_only_fails_costs_only_itself(bench: Bench, fake: Start, fault: str, outcome: str) -> None:
    rules = (Rule(fault, region="eu-west-1"),)
    retry = {"initial_wait_s": 0, "max_wait_s": 0, "max_attempts": 2}
    settings = {"services": ["ec2", "sqs", "ecs"], "limits": {"rate_per_s": 1000, "burst": 1000}, "retry": retry}
    done = bench.here("scan", bench.profile(fake(Fleet(items=2), rules).url, **settings))
    assert done.returncode == 3
    gaps = bench.gaps()
    assert {gap[0] for gap in gaps} == {"eu-west-1"}
    assert {gap[3] for gap in gaps} == {outcome}
    by_region = bench.snapshot().manifest["by_region"]
    assert set(by_region) == {"us-east-1"}
    asked = [line for line in bench.snapshot().manifest["ledger"] if line["region"] == "eu-west-1"]
    assert len(gaps) == len(asked)


def test_passing_faults_are_retried_and_leave_no_gap(bench: Bench, fake: Start) -> None:
    rules = tuple(Rule("throttle", service, times=2) for service in ("ec2", "sqs", "iam", "s3", "lambda"))
    services = ["ec2", "sqs", "iam", "s3", "lambda"]
    done = bench.here("scan", bench.profile(fake(Fleet(items=2), rules).url, services=services))
    assert done.returncode == 0, done.stdout
    assert bench.snapshot().manifest["totals"]["throttles"] == 10
    assert bench.snapshot().manifest["totals"]["retries"] == 10


_TWO = [
    {"name": "one"},
    {"id": "444455556666", "role_arn": "arn:aws:iam::444455556666:role/reader", "external_id": "xyz"},
]


def test_two_accounts_are_kept_apart_also_by_the_cache(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=3))
    profile = bench.profile(server.url, accounts=_TWO, services=["ec2", "s3", "iam", "sqs"])
    for _ in range(2):
        assert bench.here("scan", profile).returncode == 0
        for record in records(bench.snapshot()):
            assert record["account_id"] in (record["resource_arn"], record["resource_arn"].split(":")[4]) or (
                record["resource_type"] == "s3:bucket"
            )
        by_account = bench.snapshot().manifest["by_account"]
        assert set(by_account) == {"111122223333", "444455556666"}
        assert len(set(by_account.values())) == 1


def test_an_account_that_cannot_be_entered_costs_only_itself(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2), (Rule("deny", "sts", "assume_role"),))
    done = bench.here("scan", bench.profile(server.url, accounts=_TWO, services=["sqs", "iam"]))
    assert done.returncode == 3
    assert set(bench.snapshot().manifest["by_account"]) == {"111122223333"}
    assert "444455556666" in (bench.snapshot().path / "report.md").read_text()


def test_without_enrichment_a_type_costs_one_call_per_page(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=5))
    services = ["ec2", "s3", "sqs", "sns", "dynamodb", "kms", "lambda", "logs", "rds", "efs", "iam", "autoscaling"]
    done = bench.here("scan", bench.profile(server.url, enrich="none", services=services))
    assert done.returncode == 0
    per_call = {key: count for key, count in server.calls.items() if count > 1}
    assert per_call == {}
    outcomes = {line["call"]: line["outcome"] for line in bench.snapshot().manifest["ledger"]}
    assert outcomes["get_bucket_policy"] == "skipped"
    assert all(record["tags"] is None for record in records(bench.snapshot()) if record["service"] == "s3")


def test_tag_filters_go_to_the_tagging_api_and_to_the_types_it_does_not_cover(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=6))
    done = bench.here("scan", bench.profile(server.url, tags={"Environment": ["Prod*"]}))
    assert done.returncode == 0
    found = records(bench.snapshot())
    assert {record["tags"]["Environment"] for record in found} == {"Production"}
    sources = {tuple(record["sources"]) for record in found if record["service"] in ("iam", "autoscaling")}
    assert sources == {("services",)}
    assert {tuple(r["sources"]) for r in found if r["service"] == "ec2"} == {("tagging",)}
    asked = {service for _, _, service, _ in server.calls}
    assert asked == {"sts", "resourcegroupstaggingapi", "iam", "autoscaling"}


def test_what_both_collectors_saw_is_one_record_with_both_sources(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=3))
    done = bench.here("scan", bench.profile(server.url, collector="both", services=["ec2", "sqs"]))
    assert done.returncode == 0
    found = records(bench.snapshot())
    assert len({record["resource_arn"] for record in found}) == len(found)
    assert {tuple(record["sources"]) for record in found if record["tags"]} == {("services", "tagging")}
    assert all(record["configuration"] for record in found if record["service"] == "ec2")


def test_regions_by_glob_are_those_the_account_has_enabled(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    done = bench.here("scan", bench.profile(server.url, regions=["us-*", "!us-west-1"], services=["sqs"]))
    assert done.returncode == 0
    assert set(bench.snapshot().manifest["by_region"]) == {"us-east-1", "us-west-2"}
    assert bench.snapshot().manifest["accounts"][0]["regions_source"] == "account:ListRegions"


def _started(bench: Bench, profile: Path, server: FakeAws) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        bench.command("scan", profile), cwd=bench.folder, env=bench.environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    while sum(server.calls.values()) < 60:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.02)
    return process


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_was_finished_and_leaves_no_process(
    bench: Bench, fake: Start, signum: int, code: int
) -> None:
    server = fake(Fleet(items=20, page_size=2), latency_s=0.03)
    process = _started(bench, bench.profile(server.url), server)
    process.send_signal(signum)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert is_over(process.pid)
    manifest = bench.snapshot().manifest
    assert manifest["exit_code"] == code
    assert {line["outcome"] for line in manifest["ledger"] if line["gap"]} == {"interrupted"}


def test_workers_go_when_their_parent_is_killed(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=20, page_size=2), latency_s=0.03)
    process = _started(bench, bench.profile(server.url), server)
    process.kill()
    process.communicate()
    assert is_over(process.pid)


def test_a_corrupt_cached_shard_is_a_warning_and_a_rescan(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2))
    profile = bench.profile(server.url, services=["sqs"])
    bench.run("scan", profile)
    files = _digests(bench.snapshot().path)
    for path in (bench.folder / "cache" / "aws-scanner" / "units").glob("*.jsonl.zst"):
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 0xFF
        path.unlink()
        path.write_bytes(raw)
    done = bench.run("scan", profile)
    assert done.returncode == 0
    assert "asking AWS again" in done.stderr
    assert _digests(bench.snapshot().path) == files


def test_secrets_of_the_caller_are_in_no_file_and_no_line(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1), (Rule("deny", "ec2"),))
    done = bench.run("scan", bench.profile(server.url, accounts=_TWO, services=["ec2", "sqs"]))
    written = [path.read_bytes() for path in bench.folder.rglob("*") if path.is_file() and path.name != "test.yaml"]
    for secret in ("secret-of-the-test", "token-444455556666", "ASIA444455556666"):
        assert secret not in done.stdout + done.stderr
        assert not any(secret.encode() in text for text in written)
