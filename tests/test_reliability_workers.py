"""Workers that die for real: the process that asks for a chosen thing is killed while the fake AWS hears it."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from scanner.fakeaws import FakeAws, Fleet
from scanner.fakeaws.server import Asked
from tests.conftest import Bench, records
from tests.processes import owner_of

Start = Callable[..., FakeAws]

_PROFILE: dict[str, Any] = {
    "services": ["sqs", "sns", "kms", "ec2:volume", "ec2:vpc", "iam"],
    "regions": ["us-east-1", "eu-west-1"],
    "execution": {"max_workers": 2},
}


class Killer:
    """Kills the process that asks for this, the first `times` times it is asked."""

    def __init__(self, service: str, region: str, times: int) -> None:
        self._wanted = (service, region)
        self._left = times
        self.killed: list[int] = []
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> None:
        with self._lock:
            if (asked.service, asked.region) == self._wanted and self._left > 0:
                pid = owner_of(asked.peer_port)
                if pid not in self.killed:
                    self._left -= 1
                    self.killed.append(pid)
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What a scan finds when no worker dies."""
    bench = Bench(tmp_path_factory.mktemp("whole"))
    with FakeAws(Fleet(items=3)) as server:
        done = bench.here("scan", bench.profile(server.url, **_PROFILE), "--no-cache")
    assert done.returncode == 0, done.stderr
    return records(bench.snapshot())


@pytest.mark.parametrize(
    ("service", "region", "said", "calls"),
    [
        ("sqs", "eu-west-1", "eu-west-1", ["get_queue_attributes", "list_queue_tags", "list_queues"]),
        ("ec2", "us-east-1", "us-east-1", ["describe_volumes", "describe_vpcs"]),
        ("iam", "us-east-1", "global", []),
    ],
)
def test_a_unit_that_kills_its_worker_twice_is_lost_and_nothing_else_is(
    bench: Bench, fake: Start, whole: list[dict[str, Any]], service: str, region: str, said: str, calls: list[str]
) -> None:
    killer = Killer(service, region, times=2)
    server = fake(Fleet(items=3), on_call=killer)
    done = bench.here("scan", bench.profile(server.url, **_PROFILE), "--no-cache")
    assert done.returncode == 3, done.stderr
    assert len(killer.killed) == 2
    gaps = [line for line in bench.snapshot().manifest["ledger"] if line["gap"]]
    assert {(line["region"], line["service"], line["outcome"]) for line in gaps} == {(said, service, "lost")}
    assert {line["message"] for line in gaps} == {"its worker died twice: killed by SIGKILL"}
    assert [line["call"] for line in gaps] == calls or service == "iam"
    kept = [one for one in whole if (one["service"], one["region"]) != (service, said)]
    assert 0 < len(kept) < len(whole)
    assert records(bench.snapshot()) == kept
    assert "`lost`" in (bench.snapshot().path / "report.md").read_text()
    assert "Traceback" not in done.stderr


def test_a_lost_tagging_unit_is_named_too(bench: Bench, fake: Start) -> None:
    killer = Killer("resourcegroupstaggingapi", "eu-west-1", times=2)
    server = fake(Fleet(items=3), on_call=killer)
    done = bench.here("scan", bench.profile(server.url, tags={"Environment": None}), "--no-cache")
    assert done.returncode == 3, done.stderr
    assert bench.gaps() == [("eu-west-1", "*", "get_resources", "lost")]
    assert set(bench.snapshot().manifest["by_region"]) == {"us-east-1", "eu-west-1", "global"}


def test_a_unit_that_kills_its_worker_once_is_tried_again_and_complete(
    bench: Bench, fake: Start, whole: list[dict[str, Any]]
) -> None:
    killer = Killer("sqs", "eu-west-1", times=1)
    server = fake(Fleet(items=3), on_call=killer)
    done = bench.here("scan", bench.profile(server.url, **_PROFILE), "--no-cache")
    assert done.returncode == 0, done.stderr
    assert len(killer.killed) == 1
    assert "a worker died (killed by SIGKILL)" in done.stderr
    assert bench.gaps() == []
    assert records(bench.snapshot()) == whole


def test_every_worker_of_a_scan_dies_once_and_nothing_is_lost(
    bench: Bench, fake: Start, whole: list[dict[str, Any]]
) -> None:
    killers = [Killer("ec2", region, times=1) for region in ("us-east-1", "eu-west-1")]
    killers.append(Killer("iam", "us-east-1", times=1))

    def kill(asked: Asked) -> None:
        for killer in killers:
            killer(asked)

    server = fake(Fleet(items=3), on_call=kill)
    done = bench.here("scan", bench.profile(server.url, **_PROFILE), "--no-cache")
    assert done.returncode == 0, done.stderr
    assert [len(killer.killed) for killer in killers] == [1, 1, 1]
    assert records(bench.snapshot()) == whole


def test_a_lost_unit_is_asked_again_by_the_next_scan_and_the_rest_is_not(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=3), on_call=Killer("sqs", "eu-west-1", times=2))
    profile = bench.profile(server.url, **_PROFILE)
    assert bench.here("scan", profile).returncode == 3
    before = server.calls.copy()
    assert bench.here("scan", profile).returncode == 0
    asked = {(region, service) for _, region, service, _ in server.calls - before}
    assert asked == {("us-east-1", "sts"), ("eu-west-1", "sqs")}
    assert bench.snapshot().manifest["by_type"]["sqs:queue"] == 6


def test_a_profile_may_expect_a_lost_unit(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2), on_call=Killer("sns", "us-east-1", times=2))
    expect = [{"region": "us-east-1", "service": "sns", "outcome": "lost"}]
    done = bench.here("scan", bench.profile(server.url, **_PROFILE, expect=expect), "--no-cache")
    assert done.returncode == 0, done.stderr
    assert re.search(r"expected: lost +111122223333 us-east-1 +sns:topic", done.stdout)
