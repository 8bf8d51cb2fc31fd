"""Scans that are told to stop, or whose parent goes without a word: in any moment, however their workers hang."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.executors.starting import start_method
from scanner.fakeaws import FakeAws, Fleet
from scanner.fakeaws.server import Asked
from scanner.store.snapshots import load_snapshot
from tests.conftest import Bench, records
from tests.pages import install
from tests.processes import is_over, owner_of
from tests.terminal import Terminal

Start = Callable[..., FakeAws]

# No timeout ends a call in this file: if a scan waited for an answer, its test would not end.
_PROFILE: dict[str, Any] = {
    "services": ["sqs", "sns"],
    "retry": {"initial_wait_s": 0, "max_wait_s": 0, "read_timeout_s": 600, "call_deadline_s": 3600},
    "execution": {"max_workers": 1},  # eu-west-1 is whole when us-east-1 is first asked
    "cache": {"enabled": False},
}


class _Silence:
    """Never answers a service in us-east-1 until the test is over; `asks` is the client's port of the first request."""

    def __init__(self, service: str) -> None:
        self._service = service
        self.asks = 0
        self.heard, self.over = threading.Event(), threading.Event()

    def __call__(self, asked: Asked) -> None:
        if (asked.service, asked.region) == (self._service, "us-east-1"):
            self.asks = self.asks or asked.peer_port
            self.heard.set()
            self.over.wait()


def _start(bench: Bench, *args: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        bench.command("scan", *args), cwd=bench.folder, env=bench.environment(**environment), text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def _ended(process: subprocess.Popen[str]) -> str:
    """What was said on stderr, when the process and all that it started have gone."""
    process.wait(120)
    assert is_over(process.pid)
    assert process.stderr is not None
    errors = process.stderr.read()
    assert "Traceback" not in errors
    return errors


def _kept(bench: Bench) -> set[tuple[str, str]]:
    return {(one["region"], one["service"]) for one in records(bench.snapshot())}


@pytest.mark.parametrize(
    ("signum", "executor", "service"),
    [
        (signal.SIGINT, "serial", "sqs"),
        (signal.SIGHUP, "processes", "sqs"),
        (signal.SIGTERM, "processes", "sts"),
    ],
)
def test_a_signal_ends_a_scan_that_waits_for_a_server_that_never_answers(
    bench: Bench, fake: Start, signum: int, executor: str, service: str
) -> None:
    silence = _Silence(service)
    profile = bench.profile(fake(Fleet(items=2), on_call=silence).url, **_PROFILE)
    process = _start(bench, profile, "--set", f"execution.executor={executor}")
    assert silence.heard.wait(120)
    process.send_signal(signum)
    errors = _ended(process)
    silence.over.set()
    assert process.returncode == 128 + signum, errors
    if service == "sts":
        assert errors.endswith("interrupted\n")
        return
    assert _kept(bench) >= {("eu-west-1", "sqs"), ("eu-west-1", "sns")}
    manifest = bench.snapshot().manifest
    assert (manifest["interrupted"], manifest["exit_code"]) == (signal.Signals(signum).name, 128 + signum)
    assert {gap[3] for gap in bench.gaps()} == {"interrupted"}


def test_a_worker_that_does_not_even_take_signals_is_gone_with_the_scan(bench: Bench, fake: Start) -> None:
    silence = _Silence("sqs")
    process = _start(bench, bench.profile(fake(Fleet(items=2), on_call=silence).url, **_PROFILE))
    assert silence.heard.wait(120)
    os.kill(owner_of(silence.asks), signal.SIGSTOP)
    process.send_signal(signal.SIGTERM)
    _ended(process)
    silence.over.set()
    assert process.returncode == 143


# A filter that computes for ever, in one call that keeps Python's lock: no thread and no handler of the worker runs.
_ENDLESS = """
import re
from pathlib import Path
NAME, HELP = "endless", "Never comes to an end."
def words(given):
    return given
def blind(kind):
    return ""
def judge(words):
    def passes(record):
        if record["region"] == "us-east-1":
            Path(words[0]).touch()
            re.match("(a+)+$", "a" * 99 + "b")
        return True
    return passes
"""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_computes_for_ever_goes_with_its_scan(bench: Bench, fake: Start, signum: int) -> None:
    folder, marker = bench.folder / "installed", bench.folder / "marker"
    install(folder, "acme", {"aws_scanner.filters": {"endless": "acme_endless"}})
    (folder / "acme_endless.py").write_text(_ENDLESS)
    profile = bench.profile(fake(Fleet(items=1)).url, **_PROFILE, filters={"endless": [str(marker)]})
    process = _start(bench, profile, PYTHONPATH=str(folder))
    while not marker.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signum)
    _ended(process)
    assert process.returncode == (143 if signum == signal.SIGTERM else -signum)


def test_a_terminal_that_is_closed_ends_the_scan_with_all_its_processes(bench: Bench, fake: Start) -> None:
    silence = _Silence("sqs")
    profile = bench.profile(fake(Fleet(items=2), on_call=silence).url, **_PROFILE)
    terminal = Terminal(bench.command("scan", profile), bench.folder, bench.environment(TERM="xterm"))
    assert silence.heard.wait(120)
    terminal.hang_up()
    assert terminal.process.wait(120) == 129
    assert is_over(terminal.process.pid)
    silence.over.set()
    assert bench.snapshot().manifest["interrupted"] == "SIGHUP"


def test_under_nohup_the_end_of_the_terminal_ends_nothing(bench: Bench, fake: Start) -> None:
    silence = _Silence("sqs")
    profile = bench.profile(fake(Fleet(items=1), on_call=silence).url, **_PROFILE)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = _start(bench, profile)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert silence.heard.wait(120)
    os.killpg(process.pid, signal.SIGHUP)
    silence.over.set()
    errors = _ended(process)
    assert process.returncode == 0, errors
    assert len(_kept(bench)) == 4


# A format that takes as long as somebody looks at it: its first writer waits for ever.
_SLOW = """
import time
from pathlib import Path
NAMES, SUFFIX, FILE = ("slow",), "txt", "slow.txt"
def write(snapshot, out, *, limit=None):
    begun = Path("begun")
    if begun.exists():
        return
    begun.touch()
    while True:
        time.sleep(1)
"""


def test_a_second_signal_while_reports_are_written_ends_at_once_and_loses_nothing(bench: Bench, fake: Start) -> None:
    folder, silence = bench.folder / "installed", _Silence("sqs")
    install(folder, "acme", {"aws_scanner.formats": {"slow": "acme_slow"}})
    (folder / "acme_slow.py").write_text(_SLOW)
    server = fake(Fleet(items=2), on_call=silence)
    profile = bench.profile(server.url, **_PROFILE, reports={"formats": ["json", "slow"]})
    process = _start(bench, profile, PYTHONPATH=str(folder))
    assert silence.heard.wait(120)
    process.send_signal(signal.SIGINT)
    while not (bench.folder / "begun").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _ended(process)
    silence.over.set()
    assert process.returncode == 130
    (left,) = (one for one in (bench.folder / "reports" / "test").iterdir() if one.is_dir())
    done = bench.run("report", left, PYTHONPATH=str(folder))
    assert done.returncode == 0, done.stderr
    assert load_snapshot(left).manifest["interrupted"] == "SIGINT"
    assert _kept(bench) >= {("eu-west-1", "sqs"), ("eu-west-1", "sns")}


_LIBRARY = """
import os
from scanner import Hooks, scan

def crash(shard):
    {crash}

scan({profile!r}, hooks=Hooks(on_shard=crash))
"""


@pytest.mark.parametrize(
    ("crash", "code"),
    [("os._exit(9)", 9), ("raise ValueError('mine')", 1), ("os.kill(os.getpid(), 3)", -signal.SIGQUIT)],
)
def test_no_process_is_left_behind_by_a_program_that_crashes_in_a_scan(
    bench: Bench, fake: Start, crash: str, code: int
) -> None:
    profile = bench.profile(fake(Fleet(items=2), latency_s=0.02).url, **{**_PROFILE, "execution": {"max_workers": 2}})
    script = _LIBRARY.format(crash=crash, profile=str(profile))
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=bench.folder, env=bench.environment(), text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.wait(120) == code
    assert is_over(process.pid)
    assert process.stderr is not None
    assert re.findall("^[A-Z][A-Za-z]+Error.*", process.stderr.read(), re.MULTILINE) == ["ValueError: mine"] * (
        code == 1
    )


_NO_FORK = """
import sys, threading
from pathlib import Path
def hook(event, args):
    if event in ("os.fork", "os.forkpty") and threading.active_count() > 1:
        Path({marker!r}).write_text(" ".join(sys.argv))
sys.addaudithook(hook)
"""


def test_nothing_is_ever_forked_from_a_process_that_has_threads(bench: Bench, fake: Start) -> None:
    assert start_method() in ("forkserver", "spawn")
    folder, marker = bench.folder / "watched", bench.folder / "marker"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_NO_FORK.format(marker=str(marker)))
    watched = {"PYTHONPATH": str(folder), "PYTHONWARNINGS": "error::DeprecationWarning:multiprocessing"}
    done = bench.run("scan", bench.profile(fake(Fleet(items=1)).url, services=["sqs"]), **watched)
    assert done.returncode == 0, done.stderr
    assert Path(marker).exists() is False
