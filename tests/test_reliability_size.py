"""A hundred thousand resources through the real program: found once, readable, and no memory that grows with them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from scanner.fakeaws import FakeAws, Fleet
from scanner.store.snapshots import Snapshot
from tests.conftest import Bench

_ACCOUNT = "111122223333"
_REGIONS = ("us-east-1", "eu-west-1")
# How many of 100 resources each type is, in each region (IAM: once); their lists give a thousand on a page.
_SHARES = {"sqs:queue": 40, "kms:key": 8, "iam:user": 4}

# The program itself, which says at its end what its own process has needed at the most.
_MEASURED = """
import atexit, re, sys
from pathlib import Path
from scanner.__main__ import main

def tell():
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    Path("peak_kb").write_text(peak[1])

atexit.register(tell)
main()
"""


@dataclass(frozen=True)
class Scanned:
    """A scan of so many resources."""

    snapshot: Snapshot
    stdout: str
    peak_kb: int
    expected: set[str]


def _scan(bench: Bench, resources: int) -> Scanned:
    counts = {kind: share * resources // 100 for kind, share in _SHARES.items()}
    profile = {"services": sorted(counts), "regions": list(_REGIONS), "enrich": "none", "execution": {"max_workers": 2}}
    with FakeAws(Fleet(per_type=counts)) as server:
        command = [*bench.command()[:1], "-c", _MEASURED, "scan", str(bench.profile(server.url, **profile))]
        done = subprocess.run(command, cwd=bench.folder, env=bench.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    peak_kb = int((bench.folder / "peak_kb").read_text())
    return Scanned(bench.snapshot(), done.stdout, peak_kb, set(_arns(counts)))


def _arns(counts: dict[str, int]) -> Iterator[str]:
    for region in _REGIONS:
        yield from (f"arn:aws:sqs:{region}:{_ACCOUNT}:queue-{at:05d}" for at in range(counts["sqs:queue"]))
        yield from (f"arn:aws:kms:{region}:{_ACCOUNT}:key/key-{at:05d}" for at in range(counts["kms:key"]))
    yield from (f"arn:aws:iam::{_ACCOUNT}:user/user-{at:05d}" for at in range(counts["iam:user"]))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    return _scan(Bench(tmp_path_factory.mktemp("large")), 100_000)


def test_all_of_100_000_resources_are_found_once(large: Scanned) -> None:
    arns = [record["resource_arn"] for record in large.snapshot.records()]
    assert len(arns) == 100_000
    assert set(arns) == large.expected
    totals = large.snapshot.manifest["totals"]
    # A hundred full pages and one STS call.
    assert (totals["duplicates"], totals["calls"]) == (0, 101)
    # One record a line, so that even this file can be read without holding it.
    with (large.snapshot.path / "resources.json").open("rb") as file:
        assert sum(line.startswith(b"{") or line.startswith(b"[{") for line in file) == 100_000
    large.snapshot.verify()


def test_the_report_of_100_000_resources_is_short_and_points_to_the_rest(large: Scanned) -> None:
    text = (large.snapshot.path / "report.md").read_text()
    assert len(text.encode()) < 200_000
    assert "**COMPLETE:**" in text
    assert "| Resources | 100,000 |" in text
    listed = [line for line in text.splitlines() if re.search(r"(queue|key|user)-\d{5}", line)]
    assert len(listed) == 500
    assert re.search(r"500 of 100,000.*`resources\.json`", text)


def test_the_table_of_100_000_resources_is_a_page_and_says_what_it_leaves_out(large: Scanned) -> None:
    lines = large.stdout.splitlines()
    assert len(lines) < 250
    assert "COMPLETE" in large.stdout
    assert "99,800 more" in large.stdout


def test_the_parents_memory_does_not_grow_with_the_resources(
    large: Scanned, tmp_path_factory: pytest.TempPathFactory
) -> None:
    small = _scan(Bench(tmp_path_factory.mktemp("small")), 10_000)
    assert {record["resource_arn"] for record in small.snapshot.records()} == small.expected
    assert large.peak_kb <= 1.3 * small.peak_kb, f"{large.peak_kb} kB for ten times what needed {small.peak_kb} kB"
