"""Under every fault no cell is wrongly `ok`, each planned cell has an outcome, and what was seen is kept."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.catalog import models
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.fakeaws.faults import faults
from tests.conftest import Bench, records
from tests.faultmatrix import LISTS, ORACLE, REGIONS, TAGGING, Matrix, exit_code_of
from tests.flaky import FAILURES, Flaky


@pytest.fixture(scope="module")
def server() -> Iterator[FakeAws]:
    with FakeAws() as fake:
        yield fake


@pytest.fixture(scope="module")
def matrix(server: FakeAws, tmp_path_factory: pytest.TempPathFactory, derived: list[Path]) -> Matrix:
    return Matrix(Bench.in_folder(tmp_path_factory.mktemp("matrix"), derived), server)


def test_the_oracle_knows_every_fault() -> None:
    assert list(ORACLE) == list(faults())


def test_the_services_speak_every_protocol() -> None:
    found = [models.service_model(service) for service in LISTS]
    protocols = {model.resolved_protocol for model in found if model}
    assert (len(found), protocols) == (8, {"ec2", "query", "json", "rest-json", "rest-xml"})


def test_without_faults_every_cell_is_whole(matrix: Matrix) -> None:
    assert matrix.undisturbed.exit_code == 0
    sizes = {cell: [len(page) for page in pages] for cell, pages in matrix.pages.items() if cell[1] != TAGGING}
    assert sizes == {(place, service): [2, 2, 2] for place in REGIONS for service in LISTS if service != TAGGING}


@pytest.mark.parametrize("fault", faults())
def test_a_fault_costs_what_it_must_and_says_so(fault: str, matrix: Matrix, server: FakeAws) -> None:
    scanned, expected = matrix.run(fault), matrix.expected(fault)
    assert scanned.ends == expected
    assert scanned.planned == matrix.undisturbed.planned
    assert scanned.exit_code == exit_code_of(expected)
    assert not server.counts.mutating
    hit = {service for name, service, _ in server.counts.faults if name == fault}
    assert hit == set(LISTS) or fault == "bucket"  # on a slow machine nothing is above its rate


_BY_GLOB: dict[str, Any] = {
    "services": ["sqs"],
    "regions": ["us-east-?", "!us-east-2"],
    "execution": {"executor": "serial"},
}


@pytest.mark.parametrize(("fault", "outcome"), [("invalid_key", "credentials"), ("opt_in", "error")])
@pytest.mark.parametrize("operation", ["list_queues", "get_queue_attributes"])
def test_a_region_that_has_answered_is_not_disabled(
    fault: str, outcome: str, operation: str, bench: Bench, fake: Callable[..., FakeAws]
) -> None:
    rule = Rule(fault, "sqs", operation, page="later" if operation == "list_queues" else "any")
    server = fake(Fleet(items=6, page_size=2), (rule,))
    # Named by a glob: a disabled region would be no gap, and the scan complete without the later pages.
    profile = bench.profile(server.url, **_BY_GLOB)
    assert bench.here("scan", profile, "--quiet").returncode == 3
    assert bench.gaps() == [("us-east-1", "sqs:queue", operation, outcome)]


def test_a_region_that_never_answers_is_disabled(bench: Bench, fake: Callable[..., FakeAws]) -> None:
    server = fake(Fleet(items=2), (Rule("invalid_key", region="us-east-1", service="sqs"),))
    profile = bench.profile(server.url, **_BY_GLOB)
    assert bench.here("scan", profile, "--quiet").returncode == 0
    outcomes = {line["outcome"] for line in bench.snapshot().manifest["ledger"] if line["call"] == "list_queues"}
    assert outcomes == {"region_disabled"}


def test_a_scan_of_which_five_calls_in_a_hundred_fail_equals_one_without_failures(
    bench: Bench, server: FakeAws
) -> None:
    flaky = Flaky(bench, server, ["sqs", "ecs", "iam", "lambda", "s3", "ec2:volume", "ec2:vpc"])
    before = server.counts.calls.total(), server.counts.faults.copy()
    assert flaky.scan(seed=1) == flaky.whole
    assert flaky.whole.exit_code == 0
    asked, spoiled = server.counts.calls.total() - before[0], server.counts.faults - before[1]
    assert {fault for fault, _, _ in spoiled} == set(FAILURES)
    assert 0.03 < spoiled.total() / asked < 0.07


def test_the_page_of_figures_tells_of_all_faults_and_of_nothing_that_is_wrong() -> None:
    text = (Path(__file__).parent.parent / "docs/reliability.md").read_text()
    figures = re.findall(r"^\| (.+) \| (\d+) \| (\d*) \|$", text, re.MULTILINE)
    assert [name for name, value, wanted in figures if wanted and value != wanted] == []
    assert ("faults tried", str(len(faults())), "") in figures
    assert re.findall(r"^\| `(\w+)` \| `", text, re.MULTILINE) == list(faults())
    assert {"cells wrongly `ok`", "mutating calls"} <= {name for name, _, wanted in figures if wanted == "0"}


def test_calls_that_failed_leave_no_connections_open(bench: Bench, fake: Callable[..., FakeAws]) -> None:
    server = fake(Fleet(items=1), (Rule("deny", "sqs"), Rule("error500", "sns"), Rule("html", "ecs")))
    profile = bench.profile(server.url, services=["sqs", "sns", "ecs"], execution={"executor": "serial"})
    gc.collect()
    before = _sockets()
    gc.disable()  # a worker's collector runs seldom
    try:
        assert bench.here("scan", profile, "--quiet").returncode == 3
        # Each region's three clients had one connection at least, and each has two ends in this process.
        assert _settled(before + 4) <= before + 4
    finally:
        gc.enable()


def _sockets() -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # a thread of the server may close it just now
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return found


def _settled(aim: int) -> int:
    """The sockets that are open once the server has noticed which are closed."""
    until = time.monotonic() + 20
    while _sockets() > aim and time.monotonic() < until:
        time.sleep(0.02)
    return _sockets()


def test_what_a_list_told_is_kept_where_its_description_is_not_answered(
    bench: Bench, fake: Callable[..., FakeAws]
) -> None:
    described = [
        Rule("deny", "ecs", f"describe_{one}")
        for one in ("clusters", "services", "container_instances", "task_definition")
    ]
    server = fake(Fleet(items=3, children=1, page_size=2))
    profile = bench.profile(
        server.url, services=["ecs"], regions=["us-east-1"], execution={"executor": "serial"}, cache={"enabled": False}
    )
    bench.here("scan", profile, "--quiet")
    whole = records(bench.snapshot())
    server.obey(*described)
    assert bench.here("scan", profile, "--quiet").returncode == 3
    found = records(bench.snapshot())
    assert [one["resource_arn"] for one in found] == [one["resource_arn"] for one in whole]
    undescribed = [one for one in found if one["resource_type"] != "ecs:capacity-provider"]
    assert len(undescribed) == 12
    assert {(str(one["tags"]), one["state"]) for one in undescribed} == {("None", None)}
    gaps = {(kind, call) for _, kind, call, outcome in bench.gaps() if outcome == "denied"}
    assert {("ecs:cluster", "describe_clusters"), ("ecs:task-definition", "describe_task_definition")} <= gaps
