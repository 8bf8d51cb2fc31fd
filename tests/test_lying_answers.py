"""Answers that lie, in every protocol: each ends in the right outcome, and what was seen before is kept."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from scanner.fakeaws.server import Answer
from scanner.model import Cell, Outcome
from scanner.store.shards import ShardWriter, open_shard
from tests.conftest import Bench, records
from tests.liars import Liar, Lie, cut_chunk, cut_short, outcomes, reset, saying, send

# One list call of each protocol: ec2, query, json, rest-json, rest-xml, and the tagging API.
LISTS = {
    "describe_volumes": "ec2:volume",
    "list_users": "iam:user",
    "describe_log_groups": "logs:log-group",
    "describe_file_systems": "efs:file-system",
    "list_buckets": "s3:bucket",
}
TAGGING = "get_resources"
HTML = b"<!DOCTYPE html>\n<html><head><title>Log in</title></head><body>Please log in</body></html>"
XHTML = (
    b'<?xml version="1.0"?>\n<html xmlns="x"><Buckets/><volumeSet/><ListUsersResult><Users/></ListUsersResult></html>'
)


def _scan(bench: Bench, liar: Liar, **settings: Any) -> int:
    profile = bench.profile(
        liar.url,
        **{
            "services": list(LISTS.values()),
            "regions": ["us-east-1"],
            "enrich": "none",
            "collector": "both",
            "execution": {"executor": "serial"},
            "retry": {"initial_wait_s": 0, "max_wait_s": 0, "max_attempts": 2},
            **settings,
        },
    )
    return bench.here("scan", profile, "--no-cache").returncode


def _all(outcome: str, resources: int, code: str) -> dict[str, tuple[str, int, str]]:
    return dict.fromkeys((*LISTS, TAGGING), (outcome, resources, code))


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


@pytest.mark.parametrize(
    ("lie", "outcome", "code"),
    [
        (saying(lambda _: HTML, "text/html"), "malformed", "HtmlAnswer"),
        (saying(lambda _: HTML), "malformed", "HtmlAnswer"),
        (saying(lambda _: XHTML), "malformed", "HtmlAnswer"),
        (saying(_half), "malformed", "UnreadableAnswer"),
        (saying(lambda _: b""), "malformed", "EmptyAnswer"),
        (saying(lambda _: b"[]"), "malformed", None),
        (saying(lambda _: b'{"error": "quota"}'), "malformed", None),
        (cut_short, "malformed", "TruncatedAnswer"),
        (cut_chunk, "malformed", "TruncatedAnswer"),
        (reset, "error", "ConnectionClosedError"),
    ],
)
@pytest.mark.parametrize("first", [1, 2])
def test_no_lie_is_taken_for_an_answer_in_any_protocol(
    bench: Bench, lie: Lie, outcome: str, code: str | None, first: int
) -> None:
    calls = [*LISTS, TAGGING]
    with Liar(lie, calls, first) as liar:
        assert _scan(bench, liar) == 3
    found = outcomes(bench.snapshot(), *calls)
    assert {call: one[0] for call, one in found.items()} == dict.fromkeys(calls, outcome)
    kept = {call: one[1] for call, one in found.items() if call in LISTS}
    assert kept == dict.fromkeys(LISTS, 0 if first == 1 else 3)
    if code:
        assert {one[2] for one in found.values()} == {code}
    assert liar.calls["describe_volumes"] == first + 1
    arns = [record["resource_arn"] for record in records(bench.snapshot())]
    assert len(arns) == len(set(arns))


def _other(body: bytes) -> bytes:
    """An answer without content, but of another operation or kind."""
    if body.startswith(b"{"):
        return b'{"Other": []}'
    if b"DescribeVolumes" in body:
        return b"<DescribeVpcsResponse><vpcSet/></DescribeVpcsResponse>"
    if b"ListUsers" in body:
        return b"<ListRolesResponse><ListRolesResult><Roles/></ListRolesResult></ListRolesResponse>"
    return b"<CreateBucketResult/>"


def _wrong_types(body: bytes) -> bytes:
    """Text where a list should be."""
    if body.startswith(b"{"):
        return orjson.dumps(
            {name: "text" if isinstance(one, list) else one for name, one in orjson.loads(body).items()}
        )
    return re.sub(rb"<(volumeSet|Users|Buckets)>.*</\1>", rb"<\1>text</\1>", body)


@pytest.mark.parametrize("change", [_other, _wrong_types])
def test_an_answer_of_another_shape_is_malformed_and_never_empty(bench: Bench, change: Any) -> None:
    with Liar(saying(change), [*LISTS, TAGGING]) as liar:
        assert _scan(bench, liar) == 3
    assert outcomes(bench.snapshot(), *LISTS, TAGGING) == _all("malformed", 0, "UnknownShape")


def _without_list(body: bytes) -> bytes:
    if body.startswith(b"{"):
        return b"{}"
    return re.sub(rb"<(volumeSet|Users|Buckets|nextToken|Marker|ContinuationToken|IsTruncated)>.*</\1>", b"", body)


def test_a_list_that_is_left_out_is_empty_because_aws_leaves_out_empty_lists(bench: Bench) -> None:
    with Liar(saying(_without_list), [*LISTS, TAGGING]) as liar:
        assert _scan(bench, liar) == 0
    assert {one[0] for one in outcomes(bench.snapshot(), *LISTS, TAGGING).values()} == {"empty"}


def test_a_scalar_that_is_an_object_is_malformed(bench: Bench) -> None:
    def deeper(body: bytes) -> bytes:
        return re.sub(rb'"(FileSystemId|logGroupName|ResourceARN)":"([^"]*)"', rb'"\1":{"deep":"\2"}', body)

    calls = ["describe_log_groups", "describe_file_systems", TAGGING]
    with Liar(saying(deeper), calls) as liar:
        assert _scan(bench, liar) == 3
    assert outcomes(bench.snapshot(), *calls) == dict.fromkeys(calls, ("malformed", 0, "UnknownShape"))


def test_nesting_without_end_is_malformed_and_no_traceback(bench: Bench) -> None:
    bomb = b'{"logGroups":' + b"[" * 200_000
    with Liar(saying(lambda _: bomb), ["describe_log_groups"]) as liar:
        assert _scan(bench, liar) == 3
    assert outcomes(bench.snapshot(), "describe_log_groups") == {
        "describe_log_groups": ("malformed", 0, "UnreadableAnswer")
    }


def _again(text: str, tokens: dict[int, str]) -> Lie:
    """Log groups: page after page with the same items; `tokens` by number of the call, "" where it ends."""
    asked = []

    def lie(handler: Any, answer: Any, stopped: Any) -> None:
        asked.append(None)
        token = tokens.get(len(asked), tokens[0])
        said = {**orjson.loads(text or answer[2]), "nextToken": token} if token else orjson.loads(text or answer[2])
        saying(lambda _: orjson.dumps(said))(handler, answer, stopped)

    return lie


LOGS = {"services": ["logs:log-group"], "collector": "services"}
GROUPS = orjson.dumps(
    {
        "logGroups": [
            {"logGroupName": f"g{n}", "arn": f"arn:aws:logs:us-east-1:111122223333:log-group:g{n}:*"} for n in "ab"
        ]
    }
).decode()


def test_the_same_token_for_ever_is_truncated_and_what_came_is_kept(bench: Bench) -> None:
    with Liar(_again(GROUPS, {0: "same"}), ["describe_log_groups"]) as liar:
        assert _scan(bench, liar, **LOGS) == 3
    found = outcomes(bench.snapshot(), "describe_log_groups")
    assert found == {"describe_log_groups": ("truncated", 4, "RepeatedToken")}
    assert liar.calls["describe_log_groups"] == 2
    assert bench.snapshot().manifest["totals"]["resources"] == 2


def test_a_page_sent_twice_is_complete_its_duplicates_counted_and_each_resource_told_once(bench: Bench) -> None:
    with Liar(_again(GROUPS, {0: "", 1: "second"}), ["describe_log_groups"]) as liar:
        assert _scan(bench, liar, **LOGS) == 0
    manifest = bench.snapshot().manifest
    line = next(one for one in manifest["ledger"] if one["call"] == "describe_log_groups")
    assert (line["outcome"], line["resources"], line["duplicates"]) == ("ok", 4, 2)
    assert (manifest["totals"]["resources"], manifest["totals"]["duplicates"]) == (2, 2)
    assert [one["resource_name"] for one in records(bench.snapshot())] == ["ga", "gb"]


def test_repeats_are_counted_where_a_unit_is_larger_than_memory_too(tmp_path: Path) -> None:
    cell = Cell("111122223333", "us-east-1", "ec2", "ec2:volume", "describe_volumes", Outcome.OK, resources=4)
    other = replace(cell, resource_type="ec2:vpc", call="describe_vpcs")
    writer = ShardWriter(tmp_path / "shard", "unit", "key")
    for name in ("b", "a", "b", "b"):
        identity = {"resource_id": name, "resource_arn": None, "resource_type": "ec2:volume", "region": "us-east-1"}
        writer.add({"partition": "aws", "account_id": "111122223333", **identity, "filling": "x" * (5 << 20)})
    shard = writer.finish((cell, other), (), frozenset({("ec2:volume", "describe_volumes")}))
    assert [one.duplicates for one in shard.cells] == [2, 0]
    assert open_shard(tmp_path / "shard")[1].cells == shard.cells


def test_empty_pages_with_tokens_are_followed_and_an_empty_last_page_is_an_end(bench: Bench) -> None:
    tokens = {0: "", 1: "one", 2: "two"}
    with Liar(_again('{"logGroups": []}', tokens), ["describe_log_groups"]) as liar:
        assert _scan(bench, liar, **LOGS) == 0
    assert outcomes(bench.snapshot(), "describe_log_groups") == {"describe_log_groups": ("empty", 0, "")}
    assert liar.calls["describe_log_groups"] == 3


def test_new_tokens_without_end_are_a_timeout_of_the_cell_and_what_came_is_kept(bench: Bench) -> None:
    tokens = {0: "-", **{number: f"token-{number}" for number in range(1, 5000)}}
    retry = {"initial_wait_s": 0, "max_wait_s": 0, "cell_deadline_s": 0.8}
    with Liar(_again(GROUPS, tokens), ["describe_log_groups"]) as liar:
        assert _scan(bench, liar, **LOGS, retry=retry, limits={"rate_per_s": 50, "burst": 1}) == 3
    outcome, seen, code = outcomes(bench.snapshot(), "describe_log_groups")["describe_log_groups"]
    assert (outcome, code) == ("timeout", "CellDeadline")
    # The last one may have been ended before its answer was read.
    assert 0 <= liar.calls["describe_log_groups"] - seen // 2 <= 1
    assert seen > 0
    assert bench.snapshot().manifest["totals"]["resources"] == 2


def test_more_without_a_token_is_truncated(bench: Bench) -> None:
    def more(body: bytes) -> bytes:
        return re.sub(rb"<Marker>.*</Marker>", b"", body)

    with Liar(saying(more), ["list_users"]) as liar:
        assert _scan(bench, liar, services=["iam:user"], collector="services") == 3
    assert outcomes(bench.snapshot(), "list_users") == {"list_users": ("truncated", 3, "NoToken")}


def test_an_error_of_s3_with_status_200_is_an_error(bench: Bench) -> None:
    busy = b'<?xml version="1.0"?><Error><Code>InternalError</Code><Message>Try again.</Message></Error>'
    with Liar(saying(lambda _: busy), ["list_buckets"], first=2) as liar:
        assert _scan(bench, liar, services=["s3:bucket"], collector="services") == 3
    assert outcomes(bench.snapshot(), "list_buckets") == {"list_buckets": ("error", 3, "InternalError")}
    assert liar.calls["list_buckets"] == 3


def test_a_web_page_of_a_proxy_with_403_is_no_denial(bench: Bench) -> None:
    def blocked(handler: Any, answer: Any, stopped: Any) -> None:
        send(handler, Answer(403, "text/html", HTML))

    with Liar(blocked, [*LISTS, TAGGING]) as liar:
        assert _scan(bench, liar) == 3
    assert outcomes(bench.snapshot(), *LISTS, TAGGING) == _all("malformed", 0, "HtmlAnswer")
