"""Read-only: whatever is not on the catalog's allow-list raises on every way in, before a request, and is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import Session

from scanner.aws.calls import Lane
from scanner.aws.clients import Clients, chain_session
from scanner.aws.guard import take_refused
from scanner.aws.operations import Parts, prepare
from scanner.aws.settings import DoorSettings
from scanner.catalog import Call, load_catalog
from scanner.errors import ReadOnlyViolation
from scanner.fakeaws import FakeAws, Fleet
from scanner.model import CallStats, Keys
from tests.conftest import Bench

Start = Callable[..., FakeAws]
KEYS = Keys("AKIA111122223333", "secret")
ALLOWED = load_catalog().operations()
NOT_A_READ = Call("ec2", "terminate_instances", "TerminateInstances")

WAYS: dict[str, Callable[[Any], Any]] = {
    "a method": lambda ec2: ec2.terminate_instances(InstanceIds=["i-1"]),
    "a raw call": lambda ec2: ec2._make_api_call("TerminateInstances", {"InstanceIds": ["i-1"]}),
    "a presigned URL": lambda ec2: ec2.generate_presigned_url("terminate_instances", {"InstanceIds": ["i-1"]}),
    "a prepared call": lambda ec2: prepare(Parts(ec2), "terminate_instances")({"InstanceIds": ["i-1"]}),
    "a lane": lambda ec2: Lane(ec2, DoorSettings()).once(NOT_A_READ, {"InstanceIds": ["i-1"]}),
    "a paginator": lambda ec2: ec2.get_paginator("describe_spot_price_history").paginate().build_full_result(),
    "a waiter": lambda ec2: ec2.get_waiter("spot_instance_request_fulfilled").wait(),
}


@pytest.fixture(autouse=True)
def _none_counted() -> Iterator[None]:
    take_refused()
    yield
    take_refused()


def client(server: FakeAws, service: str, allowed: frozenset[tuple[str, str]] = ALLOWED) -> Any:
    return Clients(DoorSettings(endpoint_url=server.url), allowed).get(KEYS, "us-east-1", service)


@pytest.mark.parametrize("model", ["cut", "whole"])
@pytest.mark.parametrize("way", WAYS)
def test_on_every_way_in_it_raises_makes_no_request_and_is_counted(fake: Start, way: str, model: str) -> None:
    server = fake(Fleet(items=1))
    ec2 = client(server, "ec2", ALLOWED if model == "cut" else frozenset({("sqs", "list_queues")}))
    with pytest.raises(ReadOnlyViolation, match="is not on the catalog's read-only allow-list"):
        WAYS[way](ec2)
    assert sum(server.calls.values()) == 0
    (counted,) = take_refused()
    assert (counted.service, counted.calls) == ("ec2", 0)
    assert counted.refused >= 1


@pytest.mark.parametrize(
    ("service", "made"),
    [
        ("s3", lambda s3: s3.generate_presigned_post("bucket", "key")),
        ("s3", lambda s3: s3.generate_presigned_url("put_object", {"Bucket": "b", "Key": "k"})),
        ("rds", lambda rds: rds.generate_db_auth_token("host", 5432, "admin")),
        ("rds", lambda rds: rds.generate_presigned_url("describe_db_instances")),
    ],
)
def test_nothing_is_presigned_for_anybody_not_even_a_read(
    fake: Start, service: str, made: Callable[[Any], Any]
) -> None:
    with pytest.raises(ReadOnlyViolation, match=f"{service}:generate_"):
        made(client(fake(), service))
    assert [one.refused for one in take_refused()] == [1]


def test_no_mutating_operation_of_any_service_of_the_catalog_can_be_called(fake: Start) -> None:
    server, tried = fake(), 0
    for service in sorted({service for service, _ in ALLOWED}):
        others = [name for name in Session().get_service_model(service).operation_names if _is_other(service, name)]
        made = client(server, service)
        for name in others[:: max(1, len(others) // 12)]:
            for call in (lambda: made._make_api_call(name, {}), lambda: getattr(made, xform_name(name))):  # noqa: B023
                with pytest.raises(ReadOnlyViolation):
                    call()
                tried += 1
    assert sum(server.calls.values()) == server.unknown == 0
    assert sum(one.refused for one in take_refused()) == tried > 300


def _is_other(service: str, name: str) -> bool:
    return (service, xform_name(name)) not in ALLOWED


def test_what_is_allowed_goes_through_on_every_way(fake: Start) -> None:
    server = fake(Fleet(items=3, page_size=2))
    ec2 = client(server, "ec2")
    assert len(ec2.get_paginator("describe_vpcs").paginate().build_full_result()["Vpcs"]) == 3
    assert ec2._make_api_call("DescribeVpcs", {})["Vpcs"]
    assert ec2.describe_vpcs()["Vpcs"]
    assert prepare(Parts(ec2), "describe_vpcs")({})["Vpcs"]
    with pytest.raises(AttributeError, match="no attribute 'describe_nothing_at_all'"):
        ec2.describe_nothing_at_all()
    assert take_refused() == ()


def test_the_sessions_of_the_credential_chain_make_its_own_calls_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    sts = chain_session(None).create_client(
        "sts", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with pytest.raises(ReadOnlyViolation, match="sts:get_session_token"):
        sts.get_session_token()
    assert take_refused() == (CallStats("sts", "get_session_token", refused=1),)


def test_a_scan_refuses_nothing_and_says_so(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    assert bench.here("scan", bench.profile(server.url, services=["sqs", "s3"]), "--quiet").returncode == 0
    assert bench.snapshot().manifest["refused_calls"] == {}


def test_what_was_refused_in_a_worker_is_in_the_manifest(bench: Bench, fake: Start) -> None:
    # A plug-in is code of the user's: an executor of this kind runs whatever it likes beside the worker.
    (bench.folder / "reaching.py").write_text(
        "from scanner.aws.clients import Clients\n"
        "from scanner.aws.settings import DoorSettings\n"
        "from scanner.executors import serial\n"
        "from scanner.errors import ReadOnlyViolation\n"
        "NAME = 'reaching'\n"
        "def run(jobs, make_worker, *, slots, tell):\n"
        "    for job in jobs:\n"
        "        worker = make_worker()\n"
        "        sqs = worker._clients.get(job.keys, 'us-east-1', 'sqs')\n"
        "        try:\n"
        "            sqs.delete_queue(QueueUrl='x')\n"
        "        except ReadOnlyViolation:\n"
        "            pass\n"
        "        yield from serial.run([job], lambda: worker, slots=1, tell=tell)\n"
    )
    entry = bench.folder / "reaching-1.0.dist-info"
    entry.mkdir()
    (entry / "METADATA").write_text("Metadata-Version: 2.1\nName: reaching\nVersion: 1.0\n")
    (entry / "entry_points.txt").write_text("[aws_scanner.executors]\nreaching = reaching\n")
    server = fake(Fleet(items=1))
    told = {"services": ["sqs"], "regions": ["us-east-1"], "execution": {"executor": "reaching"}}
    done = bench.run("scan", bench.profile(server.url, **told), PYTHONPATH=str(bench.folder))
    assert bench.snapshot().manifest["refused_calls"] == {"sqs:delete_queue": 1}
    assert all(operation != "delete_queue" for *_, operation in server.calls)
    assert "Refused: sqs:delete_queue (1): not on the read-only allow-list" in done.stderr
    report = (bench.snapshot().path / "report.md").read_text()
    assert "**Refused:** sqs:delete\\_queue (1): not on" in report.split("## Summary")[0]
