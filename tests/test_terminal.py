"""The program on a terminal, on none, and in a pipe that is closed: what people see, and what scripts are spared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from scanner.fakeaws import FakeAws, Fleet
from scanner.fakeaws.server import Answer, Asked, Raw
from tests.conftest import Bench
from tests.processes import is_over, session
from tests.terminal import Terminal, screen

Start = Callable[..., FakeAws]

BAR = re.compile(r"\d+%(\|.*\|)? [\d,]+/[\d,]+ cells \d\d:\d\d<")
DOING = r"resources, [\d,]+ calls.*, (global|us-east-1|eu-west-1): \w+ \w+"


def _slow(fake: Start, go: threading.Event) -> FakeAws:
    """An AWS that takes its time, and answers one call only when it is told to: until then no scan of it ends."""

    def hold(asked: Asked) -> None:
        if asked.operation == "list_roles":
            go.wait(120)

    return fake(Fleet(items=12, page_size=3), latency_s=0.08, on_call=hold)


def _scan(bench: Bench, url: str, *more: object, **environment: str) -> tuple[list[str], dict[str, str]]:
    profile = bench.profile(url, services=["ec2", "s3", "iam", "ecs"])
    ambient = {name: value for name, value in bench.environment().items() if name not in ("CI", "NO_COLOR")}
    return bench.command("scan", profile, "--no-cache", *more), {**ambient, "TERM": "xterm", **environment}


def _bars(rows: list[str]) -> list[str]:
    return [row for row in rows if BAR.search(row) or "^C" in row]


def test_a_bar_without_colours_tells_how_far_a_scan_is_and_leaves_no_trace(
    bench: Bench, fake: Start, tmp_path: Path
) -> None:
    go = threading.Event()
    command, environment = _scan(bench, _slow(fake, go).url, NO_COLOR="1")
    with (tmp_path / "stdout").open("wb") as stdout:
        terminal = Terminal(command, bench.folder, environment, 140, stdout)
        terminal.wait_for(BAR.pattern + ".*" + DOING)
        go.set()
        assert terminal.end() == 0, terminal.text
    assert _bars(screen(terminal.text, 140)) == []
    assert "\x1b" not in terminal.text
    assert not {"\x1b", "\r"} & set((tmp_path / "stdout").read_text())


def test_a_bar_fits_its_terminal_when_that_is_resized(bench: Bench, fake: Start) -> None:
    go = threading.Event()
    command, environment = _scan(bench, _slow(fake, go).url)
    terminal = Terminal(command, bench.folder, environment, 140)
    terminal.wait_for(r"%\|.*\| [\d,]+/")
    terminal.resize(60)
    # What was being drawn at that moment may still be wide.
    terminal.wait_for(r"\r {59}\r")
    before = len(terminal.text)
    terminal.wait_for(r"(\r *\d+%[^\r]*){3}\r", before)
    drawn = [part for part in terminal.text[before:].split("\r") if BAR.search(part)]
    terminal.resize(140)
    terminal.wait_for(r"%\|.*\| [\d,]+/", len(terminal.text))
    go.set()
    assert terminal.end() == 0, terminal.text
    assert len(drawn) >= 3
    assert max(map(len, drawn)) < 60
    assert _bars(screen(terminal.text, 140)) == []


def test_ctrl_c_keeps_what_was_finished_and_leaves_a_clean_line_and_no_process(bench: Bench, fake: Start) -> None:
    go = threading.Event()
    command, environment = _scan(bench, _slow(fake, go).url)
    terminal = Terminal(command, bench.folder, environment)
    terminal.wait_for(BAR.pattern + ".*" + DOING)
    terminal.type(b"\x03")
    assert terminal.end() == 130, terminal.text
    go.set()
    assert is_over(terminal.process.pid)
    assert _bars(screen(terminal.text, 120)) == []
    assert "stopping; what was finished is being written" in terminal.text
    assert "Traceback" not in terminal.text
    assert bench.snapshot().manifest["interrupted"] == "SIGINT"
    assert (bench.snapshot().path / "report.md").is_file()


def test_ctrl_c_while_processes_are_still_starting_is_no_traceback(bench: Bench, fake: Start) -> None:
    command, environment = _scan(bench, fake(Fleet(items=2), latency_s=0.5).url)
    terminal = Terminal(command, bench.folder, environment)
    # The scan, the tracker of its semaphores, and the fork server, which imports for a while.
    terminal.wait_until(lambda: len(session(terminal.process.pid)) >= 3 or None)
    terminal.type(b"\x03")
    assert terminal.end() == 130, terminal.text
    assert is_over(terminal.process.pid)
    assert "Traceback" not in terminal.text
    assert "KeyboardInterrupt" not in terminal.text


def test_ci_means_plain_lines_without_a_bar_on_a_terminal(bench: Bench, fake: Start, tmp_path: Path) -> None:
    command, environment = _scan(bench, fake(Fleet(items=2), latency_s=0.02).url, CI="1")
    with (tmp_path / "stdout").open("wb") as stdout:
        terminal = Terminal(command, bench.folder, environment, stdout=stdout)
        assert terminal.end() == 0, terminal.text
    assert "cells" in terminal.text
    assert not BAR.search(terminal.text)
    assert "\x1b" not in terminal.text
    assert "\r" not in terminal.text.replace("\r\n", "\n")


def test_quiet_says_nothing_on_a_terminal(bench: Bench, fake: Start) -> None:
    command, environment = _scan(bench, fake(Fleet(items=2)).url, "--quiet")
    terminal = Terminal(command, bench.folder, environment)
    assert terminal.end() == 0
    assert terminal.text == ""


def test_without_any_terminal_there_is_no_escape_sequence_and_no_bar(bench: Bench, fake: Start) -> None:
    command, environment = _scan(bench, fake(Fleet(items=2), latency_s=0.02).url)
    done = subprocess.run(
        command, cwd=bench.folder, env=environment, start_new_session=True, stdin=subprocess.DEVNULL,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0
    assert not {b"\x1b"[0], b"\r"[0]} & set(done.stdout + done.stderr)
    assert not BAR.search(done.stderr.decode())
    # Scans that are shorter than half a minute say no more than that they begin.
    assert b" so far" not in done.stderr


def test_a_reader_who_has_seen_enough_is_no_error(bench: Bench, fake: Start) -> None:
    bench.run("scan", bench.profile(fake(Fleet(items=300)).url, services=["sqs"], enrich="none"))
    for args in (["report", bench.snapshot().path], ["report", bench.snapshot().path, "-f", "jsonl"], ["types"]):
        process = subprocess.Popen(
            bench.command(*args), cwd=bench.folder, env=bench.environment(), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read().decode() in ("", _places(bench))
        assert process.wait() == 0, args


def _places(bench: Bench) -> str:
    names = [*sorted(bench.snapshot().manifest["files"]), "manifest.json"]
    return "".join(f"{bench.snapshot().path / name}\n" for name in names)


class _Hanging(FakeAws):
    """One region does not answer until it is let go."""

    gate = threading.Event()

    def handle(self, raw: Raw) -> Answer:
        if "/eu-west-1/sqs/" in raw.headers.get("Authorization", ""):
            self.gate.wait(60)
        return super().handle(raw)


# The line is due every 30 s; nobody should wait for that in a test.
_OFTEN = """
import sys
from pathlib import Path
from scanner.cli.talk import Progress, set_up_log
from scanner.pipeline import scan
from scanner.profile import load_profile
set_up_log("INFO")
loaded = load_profile(sys.argv[1], {})
progress = Progress(loaded.catalog, quiet=False, every_s=0.3)
scan(loaded, progress.hooks())
progress.close()
"""


def test_without_a_terminal_a_region_that_hangs_is_named_again_and_again(bench: Bench) -> None:
    with _Hanging(Fleet(items=2)) as server:
        profile = bench.profile(server.url, services=["sqs"], cache={"enabled": False})
        process = subprocess.Popen(
            [sys.executable, "-c", _OFTEN, str(profile)], cwd=bench.folder, env=bench.environment(CI="1"), text=True,
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stderr
        named = r"INFO    3 of 6 cells, 2 resources, \d+ calls, \d+ s so far, about \d+ s left; slowest: eu-west-1: "
        seen, lines = 0, []
        for line in process.stderr:
            lines.append(line)
            seen += bool(re.search(named + "sqs list_queues", line))
            if seen == 3:
                server.gate.set()
        assert process.wait() == 0
    assert seen >= 3, "".join(lines)
    assert os.fspath(bench.folder) not in "".join(lines)
