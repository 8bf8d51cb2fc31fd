"""How a scan starts: what takes long is begun first, and what is not asked for is not imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from scanner.fakeaws import FakeAws, Fleet
from tests.conftest import Bench


def imported(bench: Bench, *words: str) -> list[str]:
    """The modules that import statements of a run bring into its own process, in their order."""
    command = [sys.executable, "-X", "importtime", "-m", "scanner", *words]
    done = subprocess.run(command, cwd=bench.folder, env=bench.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    return [line.rpartition("|")[2].strip() for line in lines]


def test_the_fork_server_begins_before_the_program_imports_what_asks_aws(
    bench: Bench, fake: Callable[..., FakeAws]
) -> None:
    profile = bench.profile(fake(Fleet(items=1)).url, regions=["us-east-1"], services=["sqs"])
    modules = imported(bench, "scan", str(profile), "--quiet")
    # `_posixsubprocess` is what multiprocessing imports to start a process.
    assert modules.index("_posixsubprocess") < modules.index("botocore")
    assert bench.gaps() == []


def test_a_quiet_scan_does_without_rich(bench: Bench, fake: Callable[..., FakeAws]) -> None:
    profile = bench.profile(fake(Fleet(items=1)).url, regions=["us-east-1"], services=["sqs"])
    assert {name for name in imported(bench, "scan", str(profile), "--quiet") if name.startswith("rich.")} == set()


@pytest.mark.parametrize("words", [["version"], ["cache", "show"], ["schema", "record"]])
def test_a_command_is_built_without_the_others(bench: Bench, words: list[str]) -> None:
    # Options of `scan`, and what all others but these three share.
    assert {"scanner.cli.options", "scanner.cli.overrides", "scanner.cli.words"} & set(imported(bench, *words)) <= (
        {"scanner.cli.words"} if words[0] != "version" else set()
    )


def test_a_word_that_is_no_command_is_told_the_nearest_of_all(bench: Bench) -> None:
    done = bench.run("scna")
    assert done.returncode == 2
    assert "Did you mean 'scan'" in done.stderr
