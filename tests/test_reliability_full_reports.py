"""A reports disk that fills up while workers write: a gap that says so, not a crash of the worker."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from scanner.fakeaws import FakeAws, Fleet
from tests.conftest import Bench

Start = Callable[..., FakeAws]

_ON_SMALL = 'mount -t tmpfs -o size=60k none small && "$@"; code=$?; cp small/test/*/manifest.json .; exit $code'


def test_a_full_reports_disk_is_a_gap_that_says_so(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=3000))
    (bench.folder / "small").mkdir()
    profile = bench.profile(server.url, services=["sqs", "kms"], enrich="none", reports={"dir": "small"})
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", _ON_SMALL, "sh", *bench.command("scan", profile)]
    done = subprocess.run(command, cwd=bench.folder, env=bench.environment(), capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stdout
    assert "died twice" not in done.stdout
