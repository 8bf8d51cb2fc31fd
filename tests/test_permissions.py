"""What a role lacks: after a scan with denials, a policy of exactly the missing actions; what others forbid, apart."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from botocore.exceptions import ClientError

from scanner.aws.denials import refusal_of
from scanner.aws.outcomes import verdict
from scanner.catalog import Call, Catalog, load_catalog
from scanner.collectors.tagging import GET_RESOURCES
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.formats import get
from scanner.model import Cell, Outcome
from scanner.permissions import NOT_IN_CATALOG, Refusals, actions_of, permissions_of
from scanner.store.snapshots import Snapshot
from tests.builders import write_snapshot
from tests.conftest import Bench

Start = Callable[..., FakeAws]
ACCOUNT = "111122223333"
CALLS: dict[tuple[str, str], Call] = {
    (call.service, call.operation): call for kind in load_catalog().types for call in kind.calls
} | {(GET_RESOURCES.service, GET_RESOURCES.operation): GET_RESOURCES}


def policy(*actions: str) -> dict[str, Any]:
    statement = {"Sid": "AwsScannerMissing", "Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def missing(bench: Bench) -> Any:
    return orjson.loads((bench.snapshot().path / "iam-missing.json").read_bytes())


def rendered(name: str, snapshot: Snapshot) -> str:
    out = io.BytesIO()
    get(name).write(snapshot, out)
    return out.getvalue().decode()


def scan(bench: Bench, server: FakeAws, **settings: Any) -> int:
    told = {"regions": ["us-east-1"], "collector": "both", "cache": {"enabled": False}, **settings}
    execution = {"executor": "serial"}
    return bench.here("scan", bench.profile(server.url, execution=execution, **told), "--quiet").returncode


@pytest.mark.parametrize("seed", range(4))
def test_it_holds_exactly_the_actions_of_whatever_calls_were_denied(bench: Bench, fake: Start, seed: int) -> None:
    denied = random.Random(seed).sample(sorted(CALLS), 1 + 4 * seed)
    server = fake(Fleet(items=2), tuple(Rule("deny", *one) for one in denied))
    assert scan(bench, server) == 3
    # A call below a denied list is never made, so nobody knows whether it is allowed.
    asked = {(service, operation) for _, _, service, operation in server.calls}
    actions = sorted({action for one in denied if one in asked for action in CALLS[one].iam})
    assert missing(bench) == {ACCOUNT: policy(*actions)}
    assert len(actions) >= 1


def test_one_action_less_in_the_policy_costs_exactly_that_call(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2), (Rule("deny", "s3", "get_bucket_encryption"),))
    assert scan(bench, server) == 3
    assert [gap[2:] for gap in bench.gaps()] == [("get_bucket_encryption", "denied")]
    assert missing(bench) == {ACCOUNT: policy("s3:GetEncryptionConfiguration")}


def test_every_account_has_a_policy_of_its_own(bench: Bench, fake: Start) -> None:
    roles = [f"arn:aws:iam::{digit * 12}:role/reader" for digit in "123"]
    rules = (Rule("deny", "sqs", "list_queues", account="1" * 12), Rule("deny", "s3", "list_buckets", account="2" * 12))
    accounts = [{"role_arn": role} for role in roles]
    assert scan(bench, fake(Fleet(items=1), rules), accounts=accounts, services=["sqs", "s3"]) == 3
    assert missing(bench) == {"1" * 12: policy("sqs:ListQueues"), "2" * 12: policy("s3:ListAllMyBuckets")}


def test_the_region_list_counts_though_its_denial_is_no_gap(bench: Bench, fake: Start) -> None:
    rules = (Rule("deny", "ec2", "describe_regions"), Rule("deny", "account", "list_regions"))
    server = fake(Fleet(items=1, regions=("us-east-1",)), rules)
    assert scan(bench, server, regions=["us-east-*"], services=["sqs"], collector="services") == 0
    assert "ec2:DescribeRegions" in missing(bench)[ACCOUNT]["Statement"][0]["Action"]


def test_no_file_is_left_where_nothing_is_denied_or_only_what_the_profile_expects(bench: Bench, fake: Start) -> None:
    assert scan(bench, fake(Fleet(items=1)), services=["sqs"]) == 0
    assert not (bench.snapshot().path / "iam-missing.json").exists()
    assert bench.snapshot().manifest["permissions"] == {"missing": {}, "blocked": []}
    server = fake(Fleet(items=1), (Rule("deny", "sqs", "list_queues"),))
    assert scan(bench, server, services=["sqs"], expect=[{"service": "sqs", "outcome": "denied"}]) == 0
    assert not (bench.snapshot().path / "iam-missing.json").exists()


def test_a_worse_outcome_of_the_same_cell_does_not_hide_a_denial(bench: Bench, fake: Start) -> None:
    rules = (Rule("deny", "s3", "get_bucket_policy", times=1), Rule("error500", "s3", "get_bucket_policy"))
    assert scan(bench, fake(Fleet(items=3), rules), services=["s3"], retry={"max_attempts": 1}) == 3
    assert [gap[2:] for gap in bench.gaps()] == [("get_bucket_policy", "error")]
    assert missing(bench) == {ACCOUNT: policy("s3:GetBucketPolicy")}


def test_the_end_of_a_scan_and_the_report_point_to_it(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1), (Rule("deny", "sqs", "list_queues"),))
    done = bench.here("scan", bench.profile(server.url, services=["sqs"], regions=["us-east-1"]))
    assert "  iam-missing.json allows what is missing: 1 action in 1 account\n" in done.stderr
    assert "iam-missing.json, report.md" in done.stderr
    report = (bench.snapshot().path / "report.md").read_text()
    section = report[report.index("### Missing permissions") :]
    assert "`iam-missing.json` holds them as a policy for each account" in section
    assert "| 111122223333 | sqs:ListQueues |" in section


def test_report_writes_the_same_bytes_again_from_the_snapshot(bench: Bench, fake: Start) -> None:
    scan(bench, fake(Fleet(items=1), (Rule("deny", "sqs", "list_queues"),)), services=["sqs"])
    folder = bench.snapshot().path
    again = bench.run("report", folder, "--format", "iam-missing")
    assert again.returncode == 0
    assert again.stdout.encode() == (folder / "iam-missing.json").read_bytes()


def test_a_snapshot_without_denials_gives_an_empty_object(tmp_path: Path) -> None:
    assert rendered("iam-missing", write_snapshot(tmp_path / "old")) == "{}\n"


def test_more_actions_than_a_policy_holds_become_several_documents(tmp_path: Path) -> None:
    actions = [f"ec2:Describe{'X' * 40}{number:04}" for number in range(300)]
    said = {"missing": {ACCOUNT: actions}, "blocked": []}
    found = orjson.loads(rendered("iam-missing", write_snapshot(tmp_path / "many", permissions=said)))
    assert list(found) == [f"{ACCOUNT} ({at} of 3)" for at in (1, 2, 3)]
    assert [one for part in found.values() for one in part["Statement"][0]["Action"]] == actions
    assert all(len(orjson.dumps(part)) <= 6144 for part in found.values())


WHO = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{'r' * 64}/{'s' * 64} is not authorized to perform: "


@pytest.mark.parametrize(
    ("tail", "action", "by"),
    [
        ("s3:GetBucketPolicy on resource: x", "s3:GetBucketPolicy", ""),
        ("SNS:ListTopics on resource: x", "sns:ListTopics", ""),
        ("*:*", "", ""),
        ("a:B because no identity-based policy allows the a:B action", "a:B", ""),
        ("a:B with an explicit deny in an identity-based policy", "a:B", "explicit deny in an identity-based policy"),
        ("a:B with an explicit deny in a service control policy", "a:B", "service control policy"),
        ("a:B with an explicit deny in a service control policy: arn:aws:x", "a:B", "service control policy"),
        ("a:B because no service control policy allows the a:B action", "a:B", "service control policy"),
        ("a:B with an explicit deny in a resource control policy", "a:B", "resource control policy"),
        ("a:B because no permissions boundary allows the a:B action", "a:B", "permissions boundary"),
        ("a:B because no session policy allows the a:B action", "a:B", "session policy"),
        ("a:B with an explicit deny in a VPC endpoint policy", "a:B", "VPC endpoint policy"),
        ("a:B because no resource-based policy allows the a:B action", "a:B", "resource-based policy"),
    ],
)
def test_a_denial_says_which_action_and_whose_policy(tail: str, action: str, by: str) -> None:
    assert refusal_of(f"{WHO}{tail}") == (action, by)
    assert refusal_of("Access Denied") == ("", "")


def _cell(*refusals: tuple[str, str], service: str = "s3", call: str = "list_buckets") -> Cell:
    return Cell(ACCOUNT, "us-east-1", service, "s3:bucket", call, Outcome.DENIED, refusals=refusals)


def _told(cells: list[Cell], catalog: Catalog) -> dict[str, Any]:
    refusals = Refusals(actions_of(catalog))
    return permissions_of((cell.account_id, *one) for cell in cells for one in refusals.of(cell))


def test_the_catalogs_action_stands_where_aws_names_none_and_aws_own_word_where_it_does() -> None:
    catalog = load_catalog()
    plain = _told([_cell(("", ""))], catalog)
    assert plain == {"missing": {ACCOUNT: ["s3:ListAllMyBuckets"]}, "blocked": []}
    other = _told([_cell(("s3:getbucketpolicy", "")), _cell(("s3:ListStorageLensGroups", ""))], catalog)
    assert other == {"missing": {ACCOUNT: ["s3:GetBucketPolicy", "s3:ListStorageLensGroups"]}, "blocked": []}


@pytest.mark.parametrize("named", ["iam:CreateUser", "s3:PutBucketPolicy", "s3:GetObject", "kms:Decrypt"])
def test_an_action_that_might_do_harm_is_never_put_into_a_policy_on_the_word_of_an_answer(named: str) -> None:
    found = _told([_cell((named, ""))], load_catalog())
    assert found == {"missing": {}, "blocked": [{"account_id": ACCOUNT, "action": named, "by": NOT_IN_CATALOG}]}


def test_what_others_forbid_is_told_apart_in_every_place(tmp_path: Path) -> None:
    by = "service control policy"
    found = _told([_cell(("s3:ListAllMyBuckets", by)), _cell(("", by), call="get_bucket_policy")], load_catalog())
    blocked = [
        {"account_id": ACCOUNT, "action": one, "by": by} for one in ("s3:GetBucketPolicy", "s3:ListAllMyBuckets")
    ]
    assert found == {"missing": {}, "blocked": blocked}
    snapshot = write_snapshot(tmp_path / "blocked", permissions=found)
    line = f"blocked, {by}: s3:GetBucketPolicy ({ACCOUNT}), s3:ListAllMyBuckets ({ACCOUNT})"
    assert line in " ".join(rendered("table", snapshot).split())
    assert f"| {ACCOUNT} (prod) | s3:ListAllMyBuckets | {by} |" in rendered("md", snapshot)
    assert rendered("iam-missing", snapshot) == "{}\n"


def test_a_denial_at_the_end_of_a_long_message_is_still_one_of_a_policy() -> None:
    tail = f"on resource: {'arn:aws:s3:::bucket-' * 20} with an explicit deny in a service control policy"
    message = f"{WHO}s3:ListAllMyBuckets {tail}"
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, "ListBuckets")
    found = verdict(error)
    assert (found.outcome, found.refusal) == (
        Outcome.DENIED_BY_POLICY,
        ("s3:ListAllMyBuckets", "service control policy"),
    )
    assert len(found.message) == 300
