"""Scans that are stopped with too much to reduce at once, or cannot write what they found: `report` finishes them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.fakeaws import FakeAws, Fleet
from scanner.fakeaws.server import Asked
from scanner.store.snapshots import load_snapshot
from tests.conftest import Bench, records

Start = Callable[..., FakeAws]

_SERVICES = ["sqs", "sns", "ec2:volume", "iam"]
# One worker: eu-west-1 and the global services are whole when us-east-1 is first asked.
_PROFILE: dict[str, Any] = {"services": _SERVICES, "execution": {"max_workers": 1}, "cache": {"enabled": False}}
_MUCH = {**_PROFILE, "reports": {"finish_at_once_mb": 0}}


class _Stopper:
    """Sends a signal to the scan when it first asks us-east-1, which gets no answer until the scan is gone."""

    def __init__(self, signum: int) -> None:
        self._signum, self._once = signum, threading.Lock()
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, asked: Asked) -> None:
        if asked.region != "us-east-1" or asked.service in ("sts", "iam"):
            return
        while self.process is None:
            time.sleep(0.01)
        with self._once:
            if self._signum:
                self.process.send_signal(self._signum)
                self._signum = 0
        self.process.wait()


def _stopped(bench: Bench, fake: Start, signum: int = signal.SIGTERM) -> tuple[Path, int, str]:
    """Scan, and stop in us-east-1; the snapshot's folder, the exit code and what was said on stderr."""
    stopper = _Stopper(signum)
    profile = bench.profile(fake(Fleet(items=4), on_call=stopper).url, **_MUCH)
    stopper.process = subprocess.Popen(
        bench.command("scan", profile), cwd=bench.folder, env=bench.environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    _, errors = stopper.process.communicate(timeout=120)
    assert stopper.process.returncode == 128 + signum, errors
    (folder,) = (one for one in (bench.folder / "reports" / "test").iterdir() if one.is_dir())
    return folder, stopper.process.returncode, errors


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What a scan finds that nobody stops."""
    bench = Bench(tmp_path_factory.mktemp("whole"))
    with FakeAws(Fleet(items=4)) as server:
        done = bench.run("scan", bench.profile(server.url, **_PROFILE))
    assert done.returncode == 0, done.stderr
    return records(bench.snapshot())


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_report_finishes_a_scan_that_was_stopped_with_much(
    bench: Bench, fake: Start, whole: list[dict[str, Any]], signum: int, code: int
) -> None:
    folder, exit_code, errors = _stopped(bench, fake, signum)
    assert exit_code == code, errors
    assert f"aws-scanner report reports/test/{folder.name}" in errors
    assert [path.name for path in folder.iterdir()] == ["shards"]
    assert not (folder.parent / "latest").exists()

    done = bench.run("report", folder)
    assert done.returncode == 0, done.stderr
    assert "stopped by SIG" in done.stdout
    manifest = load_snapshot(folder).manifest
    name = signal.Signals(signum).name
    assert (manifest["exit_code"], manifest["interrupted"]) == (code, name)
    gaps = {(line["region"], line["outcome"]) for line in manifest["ledger"] if line["gap"]}
    assert gaps == {("us-east-1", "interrupted")}
    kept = [one for one in whole if one["region"] != "us-east-1"]
    assert records(load_snapshot(folder)) == kept
    assert manifest["totals"]["resources"] == len(kept)
    assert f"**INCOMPLETE:** stopped by {name}" in (folder / "report.md").read_text()
    assert (folder / "shards" / "plan.json").exists()  # for --resume
    load_snapshot(folder).verify()


def test_a_finished_scan_is_reported_again_without_being_made_again(bench: Bench, fake: Start) -> None:
    folder, _, _ = _stopped(bench, fake)
    first = bench.run("report", folder, "--format", "json")
    files = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = bench.run("report", folder, "--format", "json")
    assert first.returncode == again.returncode == 0, again.stderr
    assert first.stdout == again.stdout
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == files
    assert load_snapshot(folder.parent).path == folder


def test_what_is_finished_late_does_not_become_the_latest(bench: Bench, fake: Start) -> None:
    folder, _, _ = _stopped(bench, fake)
    time.sleep(1.1)  # names of snapshots begin with the second they were started
    assert bench.run("scan", bench.profile(fake(Fleet(items=1)).url, **_PROFILE)).returncode == 0
    newer = bench.snapshot().path
    assert newer != folder
    assert bench.run("report", folder).returncode == 0
    assert bench.snapshot().path == newer


def test_a_shard_that_is_gone_or_damaged_is_an_error_never_a_shorter_inventory(bench: Bench, fake: Start) -> None:
    folder, _, _ = _stopped(bench, fake)
    shard = next(path for path in (folder / "shards").iterdir() if "eu-west-1.sqs" in path.name)
    content = shard.read_bytes()
    for damage in (None, content[: len(content) // 2], content[:-9] + b"x" * 9):
        shard.unlink()
        if damage is not None:
            shard.write_bytes(damage)
        done = bench.run("report", folder)
        assert done.returncode == 2
        assert shard.name in done.stderr
        assert "Traceback" not in done.stderr
        assert not (folder / "manifest.json").exists()
        shard.write_bytes(content)
    assert bench.run("report", folder).returncode == 0
    assert load_snapshot(folder).manifest["by_type"]["sqs:queue"] == 4


_SAID = '{"manifest": {}, "shape": {}, "formats": [], "rows": {}, "expect": [], "operations": []}'
_ELSEWHERE = f'{{"journal": 1, "said": {_SAID}, "calls": [[]], "units": [["../../x", "", "", "", "", true, 0]]}}'


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"journal": 1}', _ELSEWHERE])
def test_what_says_how_to_finish_a_scan_is_refused_where_it_is_damaged(bench: Bench, text: str) -> None:
    folder = bench.folder / "reports" / "test" / "20260101T000000Z-0a1b2c3d"
    (folder / "shards").mkdir(parents=True)
    (folder / "shards" / "plan.json").write_text(text)
    done = bench.run("report", folder)
    assert done.returncode == 2
    assert "plan.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_scan_that_cannot_write_its_reports_is_kept_and_finished_by_report(
    bench: Bench, fake: Start, whole: list[dict[str, Any]]
) -> None:
    blocked: list[Path] = []

    def block(asked: Asked) -> None:
        if asked.service == "sqs" and not blocked:
            (folder,) = (bench.folder / "reports" / "test").iterdir()
            blocked.append(folder / "resources.json")
            blocked[0].mkdir()

    profile = bench.profile(fake(Fleet(items=4), on_call=block).url, **_PROFILE)
    done = bench.run("scan", profile)
    assert done.returncode == 2
    folder = blocked[0].parent
    assert f"what was found is kept: aws-scanner report reports/test/{folder.name}" in done.stderr
    assert "Traceback" not in done.stderr
    os.rmdir(blocked[0])
    assert bench.run("report", folder).returncode == 0
    assert records(load_snapshot(folder)) == whole
    assert load_snapshot(folder).manifest["exit_code"] == 0


def test_the_limit_is_a_setting(bench: Bench) -> None:
    done = bench.run("plan", bench.profile("http://127.0.0.1:9", **_PROFILE), "--offline")
    assert "reports.finish_at_once_mb = 64  [default]" in done.stdout
    done = bench.run("plan", bench.profile("http://127.0.0.1:9", **_MUCH), "--offline")
    assert "reports.finish_at_once_mb = 0  [" in done.stdout


_SIGNAL_WHILE_LOGGING = """
import os, signal, sys
from loguru import logger
from scanner.cli.talk import on_signals, set_up_log
from scanner.errors import Interrupted

class Stderr:
    signals = [signal.SIGTERM]

    def write(self, text):
        while self.signals:
            os.kill(os.getpid(), self.signals.pop())

    def flush(self): ...
    def isatty(self): return False

sys.stderr = Stderr()
set_up_log("INFO")
on_signals()
try:
    logger.warning("a gap")
except Interrupted as stop:
    sys.exit(stop.exit_code)
"""


def test_a_signal_that_comes_while_a_line_is_logged_is_not_swallowed(bench: Bench) -> None:
    done = subprocess.run([*bench.command()[:1], "-c", _SIGNAL_WHILE_LOGGING], capture_output=True, text=True)
    assert done.returncode == 143, done.stderr
