"""Many accounts: an organization's members, chains of roles, and what one account that fails costs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest

from scanner.fakeaws import Directory, FakeAws, Fleet, Member, Rule
from tests.conftest import Bench, records

Start = Callable[..., FakeAws]

MANAGEMENT, ONE, TWO, GONE, LAB = "111122223333", "200000000001", "200000000002", "200000000003", "200000000004"
UNITS = {"ou-fake-work0001": ("Workloads", "r-fake"), "ou-fake-prod0001": ("Prod", "ou-fake-work0001")}
MEMBERS = (
    Member(MANAGEMENT, "management"),
    Member(ONE, "prod one", "ou-fake-prod0001", tags={"stage": "prod"}),
    Member(TWO, "prod-[red]two\x1b[31m", "ou-fake-prod0001", tags={"stage": "prod"}),
    Member(GONE, "old", "ou-fake-prod0001", "SUSPENDED"),
    Member(LAB, "lab", "ou-fake-work0001", tags={"stage": "lab"}),
)
ORGANIZATION = {"role_name": "audit/reader", "external_id": "external-1"}


def start(fake: Start, *rules: Rule, **directory: Any) -> FakeAws:
    said = {"members": MEMBERS, "units": UNITS, "page_size": 2, **directory}
    return fake(Fleet(items=1), rules, directory=Directory(**said))


def scan(bench: Bench, server: FakeAws, accounts: Any, **settings: Any) -> tuple[int, dict[str, Any], str]:
    """Scan one small service in one region; exit code, manifest and stderr."""
    small = {"services": ["sqs"], "regions": ["us-east-1"], "execution": {"executor": "serial"}, **settings}
    done = bench.here("scan", bench.profile(server.url, accounts=accounts, **small), "--no-cache")
    return done.returncode, bench.snapshot().manifest, done.stderr


def lines(manifest: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["id"]: (one["name"], one["outcome"]) for one in manifest["accounts"]}


def test_an_organizations_members_are_scanned_by_their_role_and_the_suspended_named(bench: Bench, fake: Start) -> None:
    asked: list[tuple[str, str, str]] = []

    def may_assume(params: Mapping[str, Any], caller: str) -> bool:
        asked.append((caller, params["RoleArn"], params.get("ExternalId", "")))
        return True

    server = start(fake, may_assume=may_assume)
    code, manifest, _ = scan(bench, server, {"organization": ORGANIZATION})
    assert code == 0
    assert lines(manifest) == {
        MANAGEMENT: ("management", "ok"),
        ONE: ("prod one", "ok"),
        TWO: ("prod-_red_two__31m", "ok"),
        GONE: ("old", "skipped"),
        LAB: ("lab", "ok"),
    }
    # The account that lists is scanned with its own credentials: the role is not there.
    assert sorted(asked) == [
        (MANAGEMENT, f"arn:aws:iam::{one}:role/audit/reader", "external-1") for one in (ONE, TWO, LAB)
    ]
    assert manifest["by_account"] == {MANAGEMENT: 1, ONE: 1, TWO: 1, LAB: 1}
    report = (bench.snapshot().path / "report.md").read_text()
    assert "| suspended in the organization | whole accounts | 1 |\n" in report
    assert manifest["totals"]["answered"] == manifest["totals"]["cells"] - 1
    skipped = [line for line in manifest["ledger"] if line["account_id"] == GONE]
    assert [(one["outcome"], one["gap"], one["message"]) for one in skipped] == [
        ("skipped", False, "suspended in the organization")
    ]
    report = (bench.snapshot().path / "report.md").read_text()
    assert f"Account {GONE} (old) was not scanned" in report
    assert "**COMPLETE:**" in report
    assert {one["account_name"] for one in records(bench.snapshot())} == {
        "management", "prod one", "prod-_red_two__31m", "lab",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ({"include_ous": ["ou-fake-prod0001"]}, {ONE, TWO}),
        ({"include_ous": ["Workloads"], "exclude_ous": ["Workloads/P*"]}, {LAB}),
        ({"exclude_ous": ["Workloads"]}, {MANAGEMENT}),
        ({"include": ["prod*", LAB], "exclude": [TWO]}, {ONE, LAB}),
        ({"tags": {"stage": ["p*"]}}, {ONE, TWO}),
    ],
)
def test_members_are_chosen_by_unit_id_name_and_tag(
    bench: Bench, fake: Start, words: dict[str, Any], wanted: set[str]
) -> None:
    server = start(fake)
    profile = bench.profile(server.url, accounts={"organization": {**ORGANIZATION, **words}}, regions=["us-east-1"])
    accounts = orjson.loads(bench.here("whoami", profile, "--json").stdout)["accounts"]
    assert {one["account_id"] for one in accounts if one["usable"]} == wanted


def test_a_page_that_is_refused_is_a_gap_and_never_a_shorter_list(bench: Bench, fake: Start) -> None:
    server = start(fake, Rule("deny", "organizations", "list_accounts", after=1))
    code, manifest, errors = scan(bench, server, {"organization": ORGANIZATION})
    assert code == 3
    assert set(manifest["by_account"]) == {MANAGEMENT, ONE}
    gaps = [line for line in manifest["ledger"] if line["gap"]]
    assert [(one["account_id"], one["service"], one["call"], one["outcome"]) for one in gaps] == [
        (MANAGEMENT, "organizations", "list_accounts", "denied")
    ]
    assert "accounts of the organization may be missing" in gaps[0]["message"]
    assert "account of unknown id (organization) was not scanned" in errors


def test_a_unit_or_account_that_is_not_there_is_a_gap(bench: Bench, fake: Start) -> None:
    words = {"include_ous": ["ou-fake-prod0001", "Workloads/Porod"], "include": ["prod*"]}
    code, manifest, _ = scan(bench, start(fake), {"organization": {**ORGANIZATION, **words}})
    assert code == 3
    assert {line["code"] for line in manifest["ledger"] if line["gap"]} == {"NoSuchUnit"}
    code, manifest, _ = scan(bench, start(fake), {"organization": {**ORGANIZATION, "include": [ONE, "299999999999"]}})
    assert code == 3
    assert {(line["account_id"], line["code"]) for line in manifest["ledger"] if line["gap"]} == {
        ("299999999999", "NotInOrganization")
    }


def test_an_organization_that_cannot_be_listed_exits_4_with_its_place(bench: Bench, fake: Start) -> None:
    server = start(fake, members=())
    profile = bench.profile(server.url, accounts={"organization": ORGANIZATION}, services=["sqs"])
    done = bench.here("scan", profile, "--quiet")
    assert done.returncode == 4
    assert f"{profile}:1: organization: list_accounts: Your account is not a member of an organization" in done.stderr
    assert bench.here("whoami", profile).returncode == 4
    refused = bench.here("plan", profile)
    assert refused.returncode == 4
    assert "not a member of an organization" in refused.stderr


def test_an_account_whose_tags_are_not_known_is_named_not_left_out(bench: Bench, fake: Start) -> None:
    server = start(fake, Rule("deny", "organizations", "list_tags_for_resource", times=1))
    code, manifest, _ = scan(bench, server, {"organization": {**ORGANIZATION, "tags": {"stage": ["*"]}}})
    assert code == 3
    assert sum(outcome == "denied" for _, outcome in lines(manifest).values()) == 1


def test_a_member_that_is_also_listed_is_scanned_once_as_it_is_listed(bench: Bench, fake: Start) -> None:
    listed = {"name": "mine", "role_arn": f"arn:aws:iam::{LAB}:role/other"}
    code, manifest, _ = scan(bench, start(fake), [{"organization": ORGANIZATION, "regions": ["eu-west-1"]}, listed])
    assert code == 0
    assert lines(manifest)[LAB] == ("mine", "ok")
    regions = {one["id"]: one["regions"] for one in manifest["accounts"]}
    assert (regions[LAB], regions[ONE]) == (["us-east-1"], ["eu-west-1"])


def test_one_account_that_fails_costs_that_account_only(bench: Bench, fake: Start) -> None:
    server = start(fake, may_assume=lambda params, _: params["RoleArn"] != f"arn:aws:iam::{ONE}:role/reader")
    accounts = [
        {"id": "999999999999", "name": "wrong"},
        {"role_arn": f"arn:aws:iam::{ONE}:role/reader"},
        {"role_arn": f"arn:aws:iam::{TWO}:role/reader"},
    ]
    code, manifest, errors = scan(bench, server, accounts)
    assert code == 3
    assert lines(manifest) == {
        "999999999999": ("wrong", "credentials"), ONE: (None, "credentials"), TWO: (None, "ok"),
    }  # fmt: skip
    assert manifest["by_account"] == {TWO: 1}
    assert "the credentials are of account 111122223333, the profile says 999999999999" in errors


def test_each_role_of_a_chain_is_assumed_by_the_one_before(bench: Bench, fake: Start) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def may_assume(params: Mapping[str, Any], caller: str) -> bool:
        asked.append((caller, dict(params)))
        return True

    hop = {"role_arn": f"arn:aws:iam::{ONE}:role/hop", "external_id": "for-hop"}
    account = {
        "role_arn": [hop, f"arn:aws:iam::{TWO}:role/reader"],
        "external_id": "for-reader",
        "session_name": "nightly",
        "session_tags": {"team": "audit"},
        "session_policy": {"Version": "2012-10-17", "Statement": []},
        "policy_arns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        "duration_s": 1800,
    }
    server = start(fake, may_assume=may_assume)
    code, manifest, _ = scan(bench, server, [account])
    assert (code, manifest["by_account"]) == (0, {TWO: 1})
    assert asked == [
        (MANAGEMENT, {"RoleArn": hop["role_arn"], "RoleSessionName": "nightly", "ExternalId": "for-hop"}),
        (
            ONE,
            {
                "RoleArn": f"arn:aws:iam::{TWO}:role/reader",
                "RoleSessionName": "nightly",
                "ExternalId": "for-reader",
                "Tags": [{"Key": "team", "Value": "audit"}],
                "Policy": '{"Statement":[],"Version":"2012-10-17"}',
                "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
                "DurationSeconds": 1800,
            },
        ),
    ]
    shown = bench.here("whoami", bench.folder / "test.yaml").stdout
    assert f"-> role {hop['role_arn']} -> role arn:aws:iam::{TWO}:role/reader" in shown
    assert "for-hop" not in shown


def test_accounts_are_entered_side_by_side_over_one_lane(bench: Bench, fake: Start) -> None:
    members = tuple(Member(f"3000000000{number:02d}", f"a{number}") for number in range(24))
    together, waiting, most = threading.Condition(), set[int](), [0]

    def may_assume(_: Mapping[str, Any], __: str) -> bool:
        # Each waits until several are here at once: one after another none would ever pass but by the clock.
        with together:
            waiting.add(threading.get_ident())
            most[0] = max(most[0], len(waiting))
            together.notify_all()
            together.wait_for(lambda: most[0] >= 4, timeout=20)
            waiting.discard(threading.get_ident())
        return True

    server = start(fake, members=members, page_size=20, may_assume=may_assume)
    profile = bench.profile(server.url, accounts={"organization": {"role_name": "r"}}, regions=["us-east-1"])
    accounts = orjson.loads(bench.here("whoami", profile, "--json").stdout)["accounts"]
    assert [one["account_id"] for one in accounts] == [one.id for one in members]
    assert most[0] >= 4
    assert server.calls[MANAGEMENT, "us-east-1", "sts", "assume_role"] == 24


def test_the_policy_of_an_organization_has_what_lists_it(bench: Bench, fake: Start) -> None:
    words = {**ORGANIZATION, "include_ous": ["Workloads"], "tags": {"stage": "prod"}}
    server = start(fake)
    profile = bench.profile(server.url, accounts={"organization": words}, services=["sqs:queue"], regions=["enabled"])

    def actions_of(*words: str) -> list[str]:
        done = bench.here("iam-policy", profile, *words)
        assert ("needs only: --for members" in done.stderr) == (not words)
        return list(orjson.loads(done.stdout)["Statement"][0]["Action"])

    actions = actions_of()
    assert [one for one in actions if not one.startswith("sqs:")] == [
        "account:ListRegions",
        "ec2:DescribeRegions",
        "organizations:ListAccountsForParent",
        "organizations:ListOrganizationalUnitsForParent",
        "organizations:ListRoots",
        "organizations:ListTagsForResource",
    ]
    members, listing = actions_of("--for", "members"), actions_of("--for", "listing")
    assert sorted(members + listing) == actions
    assert {one.split(":")[0] for one in listing} == {"organizations"}
    assert "organizations" not in {one.split(":")[0] for one in members}
    wrong = bench.here("iam-policy", profile, "--for", "member")
    assert "--for: unknown 'member'; did you mean 'members'?; there are: members, listing" in wrong.stderr
    assert "would be ignored" in bench.here("iam-policy", "--for", "members").stderr
    offline = bench.here("plan", profile, "--offline").stdout
    assert "accounts-of-organization-1 (each account of the organization)" in offline
    assert server.calls == {}
    plan = bench.here("plan", profile).stdout
    assert f"{ONE} (prod one)" in plan


def test_the_doctor_checks_each_member(bench: Bench, fake: Start) -> None:
    server = start(fake)
    profile = bench.profile(server.url, accounts={"organization": ORGANIZATION})
    found = orjson.loads(bench.here("doctor", profile, "--json").stdout)["checks"]
    credentials = [(one["status"], one["found"].split()[0]) for one in found if one["name"] == "credentials"]
    assert credentials == [("ok", one) for one in (MANAGEMENT, ONE, TWO, GONE, LAB)]
    assert all("external-1" not in one["found"] for one in found)


@pytest.mark.parametrize(
    ("accounts", "message"),
    [
        ("{organization: {role: x}}", "accounts.organization.role_name: is missing"),
        ("{organization: {role_name: 'a b'}}", "accounts.organization.role_name"),
        ("[{organization: {role_name: x, include_ou: []}}]", "did you mean 'include_ous'?"),
        ("{role_arn: []}", "an empty chain leads nowhere"),
        ("{role_arn: [{arn: x}]}", "each role is an ARN or {role_arn:, external_id:}"),
        ("{role_arn: 'arn:aws:iam::1:role/r'}", "'arn:aws:iam::1:role/r' is no role; a role's ARN is wanted"),
        ("{session_tags: {a: b}}", "session_tags mean nothing without role_arn"),
        (
            "{role_arn: ['arn:aws:iam::111122223333:role/a', 'arn:aws:iam::111122223333:role/b'], duration_s: 7200}",
            "duration_s is 7200, and STS gives chained roles 3600 at the most",
        ),
        ("{role_arn: 'arn:aws:iam::111122223333:role/a', session_policy: {a: " + "x" * 2048 + "}}", "is longer than"),
    ],
)
def test_accounts_that_cannot_be_meant_are_refused_with_their_place(bench: Bench, accounts: str, message: str) -> None:
    path = bench.folder / "bad.yaml"
    path.write_text(f"regions: [us-east-1]\naccounts: {accounts}\n")
    done = bench.here("plan", path, "--offline")
    assert done.returncode == 2
    assert message in done.stderr
    assert f"{path}:2:" in done.stderr
