"""`python -m bench.accounts [COUNT ...]`: scans of many accounts on a fake AWS, and what they take of this machine.

The peak memory of a scan must not depend on how many accounts it has: the parent's and each worker's are printed apart.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import yaml

from bench.run import session
from scanner.fakeaws import FakeAws, Fleet
from scanner.store.snapshots import load_snapshot

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1")
SERVICES = ("sqs", "sns", "ec2:vpc", "kms", "iam:role")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figures:
    """One scan. Memory is the most that a process ever held (VmHWM), in MB; `workers_mb` is the largest worker's."""

    accounts: int
    exit_code: int
    cells: int
    answered: int
    resources: int
    calls: int
    wall_s: float
    cpu_s: float
    parent_mb: float
    workers_mb: float
    open_files: int


@dataclass(slots=True)
class _Peaks:
    """What the processes of a session have held at the most; the kernel keeps the peak of memory itself."""

    leader: int
    memory_mb: dict[int, float] = field(default_factory=dict)
    cpu_s: dict[int, float] = field(default_factory=dict)
    open_files: int = 0
    look_again: float = 0.0

    def look(self) -> None:
        """Look at all of them; who they are is found out four times a second."""
        if time.monotonic() > self.look_again:
            self.look_again = time.monotonic() + 0.25
            for pid in session(self.leader):
                self.memory_mb.setdefault(pid, 0.0)
        for pid in self.memory_mb:
            with contextlib.suppress(OSError, StopIteration):
                rows = Path(f"/proc/{pid}/status").read_text().splitlines()
                self.memory_mb[pid] = next(int(row.split()[1]) / 1024 for row in rows if row.startswith("VmHWM"))
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                self.cpu_s[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
        with contextlib.suppress(OSError):
            self.open_files = max(self.open_files, len(os.listdir(f"/proc/{self.leader}/fd")))


def many_accounts(count: int, folder: Path, services: tuple[str, ...] = SERVICES, workers: int = 4) -> Figures:
    """Scan so many accounts in four regions, each by a role of its own; `folder` is for what that needs."""
    folder.mkdir(parents=True, exist_ok=True)
    with FakeAws(Fleet(items=3)) as server:
        profile = _profile(folder, server.url, count, services, workers)
        command = [sys.executable, "-m", "scanner", "scan", str(profile), "--no-cache", "--quiet"]
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=_environment(folder), stdout=subprocess.DEVNULL, start_new_session=True
        )
        peaks = _Peaks(process.pid)
        while process.poll() is None:
            peaks.look()
            time.sleep(0.01)
        wall_s = time.perf_counter() - started
    totals = load_snapshot(folder / "reports" / "many").manifest["totals"]
    return Figures(
        count,
        process.returncode,
        **{name: totals[name] for name in ("cells", "answered", "resources", "calls")},
        wall_s=wall_s,
        cpu_s=sum(peaks.cpu_s.values()),
        parent_mb=peaks.memory_mb[process.pid],
        workers_mb=max(mb for pid, mb in peaks.memory_mb.items() if pid != process.pid),
        open_files=peaks.open_files,
    )


def _profile(folder: Path, url: str, count: int, services: tuple[str, ...], workers: int) -> Path:
    said = {
        "endpoint_url": url,
        "regions": list(REGIONS),
        "services": list(services),
        "accounts": [{"role_arn": f"arn:aws:iam::{100_000_000_000 + at}:role/scanner"} for at in range(count)],
        "execution": {"max_workers": workers},
    }
    path = folder / "many.yaml"
    path.write_text(yaml.safe_dump(said))
    return path


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    files = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    keys = {"AWS_ACCESS_KEY_ID": "AKIA111122223333", "AWS_SECRET_ACCESS_KEY": "fake"}
    return {**kept, **files, **keys, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}


def main(counts: list[int]) -> Iterator[Figures]:
    """A scan for each count, smallest first."""
    for count in sorted(counts):
        with tempfile.TemporaryDirectory() as name:
            yield many_accounts(count, Path(name))


if __name__ == "__main__":
    for figures in main([int(one) for one in sys.argv[1:]] or [20, 50, 200]):
        sys.stdout.write(orjson.dumps(figures).decode() + "\n")
        sys.stdout.flush()
