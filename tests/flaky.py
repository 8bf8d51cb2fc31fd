"""An AWS of which five calls in a hundred fail at random, by a seed, and scans that must not show it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanner.fakeaws import FakeAws, Fleet, Rule
from tests.conftest import Bench

FAILURES = ("throttle", "error500", "error503", "reset")
SHARE = 0.05
_VOLATILE = ("calls", "seen_at")
_SERVICES = ["ec2", "elbv2", "rds", "sns", "sqs", "ecs", "dynamodb", "kms", "lambda", "eks", "s3", "iam"]


@dataclass(frozen=True, slots=True)
class Content:
    """What a scan leaves, but for the times and numbers of requests in its manifest."""

    exit_code: int
    files: dict[str, bytes]
    ledger: list[dict[str, Any]]


class Flaky:
    """A server, and `whole`, the scan of it that nothing disturbed."""

    def __init__(self, bench: Bench, server: FakeAws, services: list[str] | None = None) -> None:
        self._bench, self._server = bench, server
        server.become(Fleet(items=3, children=1, page_size=2))
        self._profile = bench.profile(
            server.url,
            services=services or _SERVICES,
            collector="both",
            retry={"initial_wait_s": 0, "max_wait_s": 0, "max_attempts": 8},
            execution={"executor": "serial"},
            limits={"rate_per_s": 1000, "burst": 10_000},
        )
        self.whole = self.scan()

    def scan(self, seed: int | None = None) -> Content:
        """A scan; with a seed, of an AWS that fails."""
        rules = [Rule(fault, probability=SHARE / len(FAILURES), seed=seed or 0) for fault in FAILURES]
        self._server.obey(*(rules if seed is not None else ()))
        done = self._bench.here("scan", self._profile, "--no-cache", "--quiet")
        snapshot = self._bench.snapshot()
        ledger = [
            {name: value for name, value in line.items() if name not in _VOLATILE}
            for line in snapshot.manifest["ledger"]
        ]
        return Content(done.returncode, _files(snapshot.path), ledger)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}
