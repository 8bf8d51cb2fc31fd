"""Memory: a worker that takes too much costs its unit, whoever notices; containers are told what they may use."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.executors.machine import Machine
from scanner.fakeaws import FakeAws, Fleet
from scanner.means import slots_for, worker_memory_mb
from scanner.profile import Execution
from tests.conftest import Bench, records
from tests.pages import install

Start = Callable[..., FakeAws]

# A filter is foreign code in the worker. This one asks for more than there is when it sees a queue of eu-west-1.
_GREEDY = """
import os, time
from pathlib import Path
NAME, HELP = "greedy", "Takes memory."
def words(given):
    return given
def blind(kind):
    return ""
def judge(words):
    def passes(record):
        if (record["resource_type"], record["region"]) == ("sqs:queue", "eu-west-1"):
            take(*words)
        return True
    return passes
def take(how, marker):
    times = Path(marker)
    times.write_text(times.read_text() + "x")
    if how == "once" and times.read_text() != "x":
        return
    if how == "refused":
        raise MemoryError
    held = b"x" * (200 << 20)
    while True:
        time.sleep(1)
"""
_PROFILE: dict[str, Any] = {
    "services": ["sqs", "sns"],
    "execution": {"max_workers": 2, "worker_memory_mb": 150},
    "cache": {"enabled": False},
}
_CEILING = (
    "it took more than 150 MB, the ceiling of execution.worker_memory_mb: raise that, or lower "
    "execution.service_workers"
)
_REFUSED = "memory was refused to it: raise `ulimit -v`, or lower execution.max_workers"


def _greedy(bench: Bench, url: str, how: str, executor: str = "processes") -> tuple[Any, int]:
    """A scan with the filter; what became of it, and how often the filter was greedy."""
    folder, marker = bench.folder / "installed", bench.folder / "marker"
    install(folder, "acme", {"aws_scanner.filters": {"greedy": "acme_greedy"}})
    (folder / "acme_greedy.py").write_text(_GREEDY)
    marker.write_text("")
    profile = bench.profile(url, **_PROFILE, filters={"greedy": [how, str(marker)]})
    done = bench.run("scan", profile, "--set", f"execution.executor={executor}", PYTHONPATH=str(folder))
    assert "Traceback" not in done.stderr
    return done, len(marker.read_text())


@pytest.mark.parametrize(
    ("how", "executor", "said", "times"),
    [
        ("grows", "processes", f"its worker died twice: {_CEILING}", 2),
        ("refused", "processes", f"its worker died twice: {_REFUSED}", 2),
        ("refused", "serial", "this process was refused memory: raise `ulimit -v`, or lower", 2),
    ],
)
def test_a_unit_that_takes_too_much_memory_is_lost_and_the_ledger_says_what_to_do(
    bench: Bench, fake: Start, how: str, executor: str, said: str, times: int
) -> None:
    done, greedy = _greedy(bench, fake(Fleet(items=2)).url, how, executor)
    assert done.returncode == 3, done.stderr
    gaps = [line for line in bench.snapshot().manifest["ledger"] if line["gap"]]
    assert {(line["region"], line["service"], line["outcome"]) for line in gaps} == {("eu-west-1", "sqs", "lost")}
    assert all(line["message"].startswith(said) for line in gaps)
    assert greedy == times
    found = {(one["service"], one["region"]) for one in records(bench.snapshot())}
    assert found == {("sns", "us-east-1"), ("sns", "eu-west-1"), ("sqs", "us-east-1")}


def test_a_unit_that_takes_too_much_once_is_tried_again_and_complete(bench: Bench, fake: Start) -> None:
    done, greedy = _greedy(bench, fake(Fleet(items=1)).url, "once")
    assert done.returncode == 0, done.stderr
    assert re.search(rf"a worker died \({re.escape(_CEILING)}\) with [12] units unfinished", done.stderr)
    assert greedy == 2
    assert len(records(bench.snapshot())) == 4


def _tree(root: Path, **files: str) -> Machine:
    for name, text in {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:   8388608 kB\n", **files}.items():
        path = root / name.replace("|", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Machine(root)


_SECOND = {
    "proc|self|cgroup": "0::/ci/job\n",
    "sys|fs|cgroup|ci|job|memory.max": "max\n",
    "sys|fs|cgroup|ci|job|memory.current": "1048576\n",
    "sys|fs|cgroup|ci|memory.max": "1073741824\n",
    "sys|fs|cgroup|ci|memory.current": "805306368\n",
    "sys|fs|cgroup|ci|memory.stat": "anon 1\ninactive_file 268435456\n",
    "sys|fs|cgroup|ci|job|memory.events": "low 0\noom 3\noom_kill 2\n",
    "sys|fs|cgroup|ci|cpu.max": "50000 100000\n",
}
_FIRST = {
    "proc|self|cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/\n",
    "sys|fs|cgroup|memory|memory.limit_in_bytes": "536870912\n",  # the container sees its own group as the top one
    "sys|fs|cgroup|memory|memory.usage_in_bytes": "268435456\n",
    "sys|fs|cgroup|memory|memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
    "sys|fs|cgroup|cpu,cpuacct|cpu.cfs_quota_us": "100000\n",
    "sys|fs|cgroup|cpu,cpuacct|cpu.cfs_period_us": "100000\n",
}
_NO_LIMITS = {
    "proc|self|cgroup": "0::/\n",
    "sys|fs|cgroup|cpu.max": "max 100000\n",
    "sys|fs|cgroup|memory.max": "max\n",
}


@pytest.mark.parametrize(
    ("files", "free_mb", "one_core", "kills"),
    [(_SECOND, 512, True, 2), (_FIRST, 256, True, 4), (_NO_LIMITS, 8192, False, 0), ({}, 8192, False, 0)],
    ids=["cgroup v2", "cgroup v1", "no limits", "no control groups"],
)
def test_a_container_has_what_its_control_groups_leave(
    tmp_path: Path, files: dict[str, str], free_mb: int, one_core: bool, kills: int
) -> None:
    machine = _tree(tmp_path, **files)
    assert machine.free_mb == free_mb
    assert machine.out_of_memory_kills == kills
    assert machine.cores == (1 if one_core else Machine().cores)


@pytest.mark.parametrize(
    ("said", "slots", "ceiling_mb"),
    [
        ({}, None, 1024),
        ({"memory_limit_mb": 300}, 2, 300),
        ({"memory_limit_mb": 300, "worker_memory_mb": 150}, 2, 150),
        ({"memory_limit_mb": 1000, "worker_memory_mb": 600}, 1, 600),
        ({"memory_limit_mb": 200, "worker_memory_mb": 600}, 1, 200),
        ({"worker_memory_mb": 4096}, None, 4096),
    ],
)
def test_the_memory_of_one_and_of_all_fit_together(said: dict[str, int], slots: int | None, ceiling_mb: int) -> None:
    execution = Execution(**said)
    assert slots_for(execution, 99) == (slots or slots_for(Execution(), 99))
    assert worker_memory_mb(execution) == ceiling_mb


def test_the_doctor_says_what_a_worker_may_take(bench: Bench) -> None:
    done = bench.here("doctor", bench.profile("http://127.0.0.1:9", execution={"worker_memory_mb": 700}))
    assert re.search(r"workers of 8 threads, up to 700 MB each", done.stdout), done.stdout
