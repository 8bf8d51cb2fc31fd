"""How long and how often AWS is asked: attempts never multiply, and every call and every cell comes to an end."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scanner.aws.calls import Lane
from scanner.aws.clients import Clients
from scanner.aws.settings import DoorSettings
from scanner.catalog import Call, load_catalog
from scanner.errors import GapError
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.model import Keys
from tests.conftest import Bench
from tests.liars import Liar, Lie, dripping, outcomes, reset, silent

Start = Callable[..., FakeAws]

QUICK = {"initial_wait_s": 0, "max_wait_s": 0}
SERIAL = {"execution": {"executor": "serial"}, "regions": ["us-east-1"], "enrich": "none"}
LISTS = ["describe_volumes", "list_users", "describe_log_groups", "describe_file_systems", "list_buckets"]
SERVICES = ["ec2:volume", "iam:user", "logs:log-group", "efs:file-system", "s3:bucket"]


def _scan(bench: Bench, url: str, **settings: Any) -> int:
    return bench.here("scan", bench.profile(url, **{**SERIAL, **settings}), "--no-cache").returncode


@pytest.mark.parametrize("fault", ["throttle", "error500", "error503"])
def test_a_call_that_fails_is_sent_max_attempts_times_and_never_more(bench: Bench, fake: Start, fault: str) -> None:
    server = fake(Fleet(items=1), (Rule(fault, operation="[dlg]*_[!c]*", service="[!s]*"), Rule(fault, service="s3")))
    settings = {"services": SERVICES, "collector": "both", "retry": {**QUICK, "max_attempts": 4}}
    assert _scan(bench, server.url, **settings) == 3
    sent = Counter({operation: count for (_, _, _, operation), count in server.calls.items()})
    calls = [*LISTS, "get_resources"]
    assert {call: sent[call] for call in calls} == dict.fromkeys(calls, 4)
    told = {one["operation"]: (one["calls"], one["retries"]) for one in bench.snapshot().manifest["operations"]}
    assert {call: told[call] for call in calls} == dict.fromkeys(calls, (4, 3))


def test_a_connection_that_breaks_is_tried_max_attempts_times(bench: Bench) -> None:
    with Liar(reset, LISTS) as liar:
        assert _scan(bench, liar.url, services=SERVICES, retry={**QUICK, "max_attempts": 3}) == 3
    assert {call: liar.calls[call] for call in LISTS} == dict.fromkeys(LISTS, 3)
    assert set(outcomes(bench.snapshot(), *LISTS).values()) == {("error", 0, "ConnectionClosedError")}


@pytest.mark.parametrize("account", [{}, {"role_arn": "arn:aws:iam::444455556666:role/reader"}])
def test_sts_is_asked_max_attempts_times(bench: Bench, fake: Start, account: dict[str, str]) -> None:
    server = fake(rules=(Rule("throttle", "sts"),))
    assert _scan(bench, server.url, accounts=[account], retry={**QUICK, "max_attempts": 3}) == 4
    assert sum(server.calls.values()) == 3


def test_what_was_throttled_for_a_while_is_complete_in_the_end(bench: Bench, fake: Start) -> None:
    server = fake(
        Fleet(items=5, page_size=3), (Rule("throttle", "ec2", times=2), Rule("error503", "ec2", after=3, times=1))
    )
    assert _scan(bench, server.url, services=["ec2:volume"], retry=QUICK) == 0
    assert outcomes(bench.snapshot(), "describe_volumes") == {"describe_volumes": ("ok", 5, "")}


def test_a_refused_connection_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    lane = _lane(f"http://127.0.0.1:{port}", max_attempts=3)
    with pytest.raises(GapError) as gap:
        lane.once(VOLUMES, {})
    assert (gap.value.outcome, gap.value.code) == ("error", "EndpointConnectionError")
    assert [(one.calls, one.retries) for one in lane.stats] == [(3, 2)]


def test_after_three_calls_that_gave_up_the_next_are_asked_once_until_one_is_answered(fake: Start) -> None:
    server = fake(Fleet(items=1), (Rule("error500", "ec2", times=3 * 4 + 2),))
    lane = _lane(server.url, max_attempts=4)
    sent = []
    for _ in range(6):
        with contextlib.suppress(GapError):
            lane.once(VOLUMES, {})
        sent.append(sum(server.calls.values()))
    assert sent == [4, 8, 12, 13, 14, 15]


def test_a_host_that_nobody_reaches_is_tried_once_by_the_lanes_that_come_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    sent = []
    for _ in range(5):  # as many accounts
        lane = _lane(url, max_attempts=3)
        with pytest.raises(GapError, match="EndpointConnectionError"):
            lane.once(VOLUMES, {})
        sent.append(lane.stats[0].calls)
    assert sent == [3, 3, 3, 1, 1]


def test_a_scan_of_a_host_that_nobody_can_resolve_ends_with_an_error_for_each_cell(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    profile = bench.profile(server.url, **{**SERIAL, "services": ["ec2", "iam:user"], "endpoint_url": None})
    environment = {"AWS_ENDPOINT_URL": server.url, "AWS_ENDPOINT_URL_EC2": "http://nowhere.invalid"}
    assert bench.here("scan", profile, "--no-cache", **environment).returncode == 3
    manifest = bench.snapshot().manifest
    ends = {(one["service"], one["outcome"]) for one in manifest["ledger"] if one["outcome"] != "skipped"}
    assert ends == {("ec2", "error"), ("iam", "ok")}
    assert {one["code"] for one in manifest["ledger"] if one["outcome"] == "error"} == {"EndpointConnectionError"}


@pytest.mark.parametrize("lie", [silent, dripping(head=True), dripping(head=False), dripping(head=False, close=True)])
def test_a_server_that_hangs_or_drips_is_a_timeout_of_the_call(lie: Lie) -> None:
    with Liar(lie, ["describe_volumes"]) as liar:
        lane = _lane(liar.url, max_attempts=3, call_deadline_s=0.4)
        with pytest.raises(GapError) as gap:
            lane.once(VOLUMES, {})
    assert [(one.calls, one.retries) for one in lane.stats] == [(1, 0)]
    assert (gap.value.outcome, gap.value.code) == ("timeout", "CallDeadline")


def test_a_later_page_that_drips_is_a_timeout_in_workers_too_and_keeps_the_pages_before(bench: Bench) -> None:
    with Liar(dripping(head=False), ["describe_volumes"], first=2) as liar:
        settings = {**SERIAL, "services": ["ec2:volume", "iam:user"], "execution": {"executor": "processes"}}
        # Long enough for a slow machine to be answered by STS.
        profile = bench.profile(liar.url, **settings, retry={**QUICK, "call_deadline_s": 12})
        assert bench.run("scan", profile, "--no-cache").returncode == 3
    found = outcomes(bench.snapshot(), "describe_volumes", "list_users")
    assert found == {"describe_volumes": ("timeout", 3, "CallDeadline"), "list_users": ("ok", 5, "")}


def test_a_server_that_takes_calls_and_says_nothing_is_asked_again_until_the_deadline(bench: Bench) -> None:
    retry = {**QUICK, "max_attempts": 2, "read_timeout_s": 4, "call_deadline_s": 60}
    with Liar(silent, ["describe_volumes"]) as liar:
        assert _scan(bench, liar.url, services=["ec2:volume"], retry=retry) == 3
    assert outcomes(bench.snapshot(), "describe_volumes") == {"describe_volumes": ("timeout", 0, "ReadTimeoutError")}
    assert liar.calls["describe_volumes"] == 2


def test_waits_between_attempts_end_with_the_deadline_too(fake: Start) -> None:
    server = fake(Fleet(items=1), (Rule("throttle", "ec2"),))
    lane = _lane(server.url, max_attempts=20, initial_wait_s=50_000, max_wait_s=50_000, call_deadline_s=30)
    with pytest.raises(GapError) as gap:
        lane.once(VOLUMES, {})
    assert gap.value.outcome == "throttled"


def test_a_cell_of_many_calls_ends_with_its_deadline_and_what_came_is_kept(bench: Bench) -> None:
    settings = {"services": ["s3:bucket"], "enrich": "all", "retry": {**QUICK, "cell_deadline_s": 3}}
    with Liar(silent, ["get_bucket_tagging"], first=3) as liar:
        assert _scan(bench, liar.url, **settings) == 3
    ledger = bench.snapshot().manifest["ledger"]
    line = next(one for one in ledger if one["call"] == "get_bucket_tagging")
    assert (line["outcome"], line["code"], line["resources"], line["affected"]) == ("timeout", "CellDeadline", 2, 3)
    assert outcomes(bench.snapshot(), "list_buckets") == {"list_buckets": ("ok", 5, "")}


VOLUMES = next(kind.list for kind in load_catalog().types if (kind.service, kind.kind) == ("ec2", "volume"))
ASSUME = Call("sts", "assume_role", "AssumeRole")


def _lane(url: str, service: str = "ec2", **settings: Any) -> Lane:
    door = DoorSettings(endpoint_url=url, **{"initial_wait_s": 0, "max_wait_s": 0, **settings})
    client = Clients(door, load_catalog().operations()).get(Keys("AKIA", "secret"), "us-east-1", service)
    return Lane(client, door)


@pytest.fixture
def slow_tls() -> Iterator[str]:
    """A server that begins TLS and never ends it: a byte of its hello at a time."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                connection, _ = server.accept()
                with connection:
                    # A handshake record of 16,000 bytes that are still to come.
                    for byte in b"\x16\x03\x03\x3e\x80" + bytes(16_000):
                        connection.sendall(bytes([byte]))
                        if stopped.wait(0.02):
                            return
            except OSError:
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        stopped.set()
    thread.join()


def test_a_tls_handshake_that_drips_is_a_timeout_of_the_call(slow_tls: str) -> None:
    lane = _lane(slow_tls, connect_timeout_s=60, call_deadline_s=0.4)
    with pytest.raises(GapError) as gap:
        lane.once(VOLUMES, {})
    assert (gap.value.outcome, gap.value.code) == ("timeout", "CallDeadline")


def test_credentials_may_be_renewed_long_after_a_cell_would_have_ended(fake: Start) -> None:
    lane = _lane(fake().url, "sts", cell_deadline_s=1e-9)
    asked = {"RoleArn": "arn:aws:iam::444455556666:role/reader", "RoleSessionName": "test"}
    assert [lane.once(ASSUME, asked)["AssumedRoleUser"]["Arn"].split(":")[4] for _ in range(2)] == ["444455556666"] * 2
