"""`scan --refresh`: each pass shows what changed, needs no more memory or disk, and it ends when it is told to."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.fakeaws.server import Asked
from tests.conftest import Bench
from tests.processes import is_over

Start = Callable[..., FakeAws]
ROOT = Path(__file__).parents[1]
ONE = {"services": ["sqs"], "regions": ["us-east-1"]}

_SCRIPT = """
import sys
from scanner.cli.refresh import watch
from scanner.cli.watch import Lines
from scanner.profile import load_profile

class Measured(Lines):
    def changed(self, number, snapshot, diff):
        super().changed(number, snapshot, diff)
        status = open("/proc/self/status").read()
        print("rss", number, status.split("VmRSS:")[1].split()[0], flush=True)

if __name__ == "__main__":
    settings = {"cache": {"enabled": False}, "execution": {"executor": sys.argv[2]}}
    raise SystemExit(watch(load_profile(sys.argv[1], settings), 0.0, Measured(), passes=int(sys.argv[3])))
"""


def _watched(bench: Bench, profile: Path, executor: str, passes: int) -> subprocess.CompletedProcess[str]:
    script = bench.folder / "watch.py"
    script.write_text(_SCRIPT)
    environment = bench.environment(PYTHONPATH=str(ROOT))
    command = [sys.executable, str(script), str(profile), executor, str(passes)]
    return subprocess.run(command, cwd=bench.folder, env=environment, capture_output=True, text=True)


def _snapshots(bench: Bench) -> list[Path]:
    return sorted(path.parent for path in (bench.folder / "reports" / "test").glob("*/manifest.json"))


def test_memory_and_disk_do_not_grow_from_pass_to_pass(bench: Bench, fake: Start) -> None:
    # What each pass leaves behind is the same for many small passes as for few big ones.
    server = fake(Fleet(items=5))
    done = _watched(bench, bench.profile(server.url, **ONE), "serial", 24)
    assert done.returncode == 0, done.stderr
    rss_kb = {int(number): int(size) for number, size in re.findall(r"^rss (\d+) (\d+)$", done.stdout, re.MULTILINE)}
    assert len(rss_kb) == 23
    assert rss_kb[24] - rss_kb[8] < 1_500, rss_kb
    found = _snapshots(bench)
    assert len(found) == 2
    assert bench.snapshot().path in found
    assert len(list((bench.folder / "reports" / "test").iterdir())) == 3


def test_every_pass_asks_again_and_tells_what_changed_since_the_last(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2), (Rule("deny", "sqs", "list_queues", after=1, times=1),))
    done = _watched(bench, bench.profile(server.url, **ONE), "processes", 4)
    told = [
        line.split(" ", 1)[1] for line in done.stdout.splitlines() if re.match(r"\d{4}-\d\d-\d\dT[\d:]+Z pass", line)
    ]
    assert told == [
        "pass 1: COMPLETE: 3 of 3 cells answered; 2 resources",
        "pass 2: 2 unknown, 0 removed, 0 added, 0 changed, 0 unchanged; 3 cells not compared",
        "pass 3: 2 unknown, 0 removed, 0 added, 0 changed, 0 unchanged; 3 cells not compared",
        "pass 4: 0 unknown, 0 removed, 0 added, 0 changed, 2 unchanged",
    ]
    diff = orjson.loads((bench.snapshot().path / "diff.json").read_bytes())
    assert diff["totals"]["unchanged"] == 2


def test_a_later_pass_that_fails_is_told_and_tried_again(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1), (Rule("deny", "sts", "get_caller_identity", after=1, times=1),))
    done = _watched(bench, bench.profile(server.url, **ONE), "serial", 3)
    assert done.returncode == 0, done.stderr
    assert "pass 2 failed: no account has usable credentials" in done.stderr
    assert "pass 3: 0 unknown, 0 removed, 0 added, 0 changed, 1 unchanged" in done.stdout


def test_a_first_pass_that_fails_ends_it_with_its_own_code(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1), (Rule("invalid_key", "sts"),))
    done = bench.run("scan", bench.profile(server.url, **ONE), "--refresh")
    assert done.returncode == 4
    assert "no account has usable credentials" in done.stderr


# Ctrl-C


@contextmanager
def _refreshing(bench: Bench, profile: Path, *args: str) -> Iterator[subprocess.Popen[str]]:
    command = bench.command("scan", profile, "--refresh", "--refresh-interval", "5", *args)
    process = subprocess.Popen(
        command, cwd=bench.folder, env=bench.environment(PYTHONUNBUFFERED="1"), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str], part: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if part in line:
            return line
    raise AssertionError(f"ended without {part!r}: {process.stderr.read() if process.stderr else ''}")


def test_ctrl_c_between_passes_exits_130_with_the_last_pass_kept_and_no_process_left(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2))
    with _refreshing(bench, bench.profile(server.url, **ONE)) as process:
        _line(process, "pass 1: COMPLETE")
        server.become(Fleet(items=3))
        assert "0 unknown, 0 removed, 1 added, 0 changed, 2 unchanged" in _line(process, "pass 2: ")
        assert "+ sqs:queue" in _line(process, "queue-00002")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert is_over(process.pid)
    assert len(_snapshots(bench)) == 2
    assert bench.snapshot().manifest["totals"]["resources"] == 3
    assert "Traceback" not in errors


def test_ctrl_c_within_a_pass_keeps_the_pass_before_as_the_latest(bench: Bench, fake: Start) -> None:
    armed, heard, over = threading.Event(), threading.Event(), threading.Event()

    def hold(asked: Asked) -> None:
        if armed.is_set() and asked.service != "sts":
            heard.set()
            over.wait()

    with _refreshing(bench, bench.profile(fake(Fleet(items=2), on_call=hold).url, **ONE)) as process:
        _line(process, "pass 1: COMPLETE")
        whole = bench.snapshot().path
        armed.set()
        assert heard.wait(120)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        over.set()
        assert process.returncode == 143, errors
        assert is_over(process.pid)
    assert _snapshots(bench) == [whole]
    assert bench.snapshot().path == whole
    assert sorted(path.name for path in whole.parent.iterdir()) == sorted([whole.name, "latest"])


def test_on_a_terminal_the_picture_is_drawn_in_place_and_ctrl_c_gives_the_cursor_back(
    bench: Bench, fake: Start
) -> None:
    server = fake(Fleet(items=2))
    profile = bench.profile(server.url, **ONE)
    ours, theirs = pty.openpty()
    environment = {**bench.environment(TERM="xterm-256color", COLUMNS="100", LINES="30")}
    environment.pop("CI", None)
    command = bench.command("scan", profile, "--refresh", "-i", "5")
    process = subprocess.Popen(
        command, cwd=bench.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        _until(ours, "next pass in")
        server.become(Fleet(items=3))
        screen = _until(ours, "changed in pass 2")
        assert "\x1b[1A" in screen  # the cursor goes up: the picture replaces itself
        assert "queue-00002" in screen + _until(ours, "next pass in")
        process.send_signal(signal.SIGINT)
        assert "\x1b[?25h" in _until(ours, "\x1b[?25h")  # the cursor is shown again
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert is_over(process.pid)


def _until(terminal: int, part: str) -> str:
    """What a terminal shows until some text has come."""
    seen = ""
    while part not in seen:
        ready, _, _ = select.select([terminal], [], [], 120)
        assert ready, seen
        seen += os.read(terminal, 65536).decode(errors="replace")
    return seen
