"""Scans that are killed at seeded moments, counted in requests and files, and what is left of them afterwards."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scanner.errors import SnapshotError
from scanner.fakeaws import FakeAws, Fleet
from scanner.fakeaws.server import Asked
from scanner.store.journal import PLAN, SHARDS
from scanner.store.snapshots import MANIFEST, load_snapshot
from tests.conftest import Bench
from tests.processes import is_over, owner_of, session

_PROFILE: dict[str, Any] = {
    "services": ["sqs", "sns", "ec2:vpc", "ec2:volume", "iam:role"],
    "cache": {"enabled": False},
    "execution": {"max_workers": 2, "service_workers": 2},
}
_FILES = 28  # about as many as a scan makes
VICTIMS = ("worker", "parent", "parent at a file", "fork server")
_TEMPORARY = ("*.tmp", ".merge.*", ".run.*")


@dataclass(frozen=True, slots=True)
class Kill:
    """Who dies, and at which request of its scan, or (for "parent at a file") at which file that it makes."""

    victim: str
    at: int

    def __str__(self) -> str:
        return f"{self.victim}, {self.at}"


@dataclass(slots=True)
class Kills:
    """What came of many kills; the lists name what must not be, each with its kill."""

    tried: Counter[str] = field(default_factory=Counter)
    survived: int = 0
    orphans: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)


class _Gun:
    """Kills at the n-th request that the fake AWS hears."""

    def __init__(self) -> None:
        self.heard = 0
        self._aim: tuple[Kill, subprocess.Popen[bytes]] | None = None
        self._lock = threading.Lock()

    def aim(self, kill: Kill | None, process: subprocess.Popen[bytes] | None) -> None:
        """Count from the beginning, for this kill."""
        with self._lock:
            self.heard, self._aim = 0, (kill, process) if kill and process else None

    def __call__(self, asked: Asked) -> None:
        """Hear a request before it is answered."""
        with self._lock:
            self.heard += 1
            if self._aim and self.heard == self._aim[0].at:
                kill, process = self._aim
                with contextlib.suppress(ProcessLookupError):
                    os.kill(_target_of(kill, process, asked), signal.SIGKILL)


def _target_of(kill: Kill, process: subprocess.Popen[bytes], asked: Asked) -> int:
    if kill.victim == "worker":
        return owner_of(asked.peer_port)
    if kill.victim == "fork server":
        return next((pid for pid in session(process.pid) if _is_fork_server(pid, process.pid)), process.pid)
    return process.pid


def _is_fork_server(pid: int, parent: int) -> bool:
    try:
        is_child = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]) == parent
        return is_child and b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


class Victims:
    """One fake AWS, one profile, one snapshot of a scan that nobody disturbed, and scans beside it that are killed."""

    def __init__(self, bench: Bench, server: FakeAws, gun: _Gun) -> None:
        self._bench, self._gun = bench, gun
        self._profile = bench.profile(server.url, **_PROFILE)
        self._reports = bench.folder / "reports" / "test"
        done = bench.here("scan", self._profile, "--quiet")
        assert done.returncode == 0, done.stderr
        self._first = bench.snapshot().path
        self._whole = _content(self._first)
        self.requests, self.files = gun.heard, 0
        self.files = len(self._run(None)[1])

    def choose(self, victim: str, chance: random.Random) -> Kill:
        """A moment in which this one dies."""
        if victim == "parent at a file":
            # Not all that were seen: a poll sees more or less of them, and a seed must mean the same kills.
            return Kill(victim, chance.randint(1, min(self.files, _FILES)))
        # The first request is the parent's own, to STS, while the fork server still imports.
        return Kill(victim, chance.randint(2 if victim == "worker" else 1, self.requests))

    def try_out(self, kill: Kill, kills: Kills) -> None:
        """One scan with one kill, and the next scan after it."""
        kills.tried[kill.victim] += 1
        process, _ = self._run(kill)
        if not is_over(process.pid):
            kills.orphans.append(f"{kill}: {len(session(process.pid))} processes")
            for pid in session(process.pid):
                os.kill(pid, signal.SIGKILL)
        found = list(self._unreadable())
        kills.unreadable += [f"{kill}: {one}" for one in found]
        same = self._ends_alike(process, kill, kills)
        kills.survived += same and not found
        for folder in self._reports.iterdir():
            if folder.is_dir() and folder != self._first:
                shutil.rmtree(folder)
        (self._reports / "latest").write_text(self._first.name + "\n")

    def _run(self, kill: Kill | None) -> tuple[subprocess.Popen[bytes], set[Path]]:
        """A scan in processes of its own, with the kill; the scan, and the files that were seen to be made by it."""
        with (self._bench.folder / "stderr").open("wb") as errors:
            process = subprocess.Popen(
                self._bench.command("scan", self._profile, "--quiet"), cwd=self._bench.folder,
                env=self._bench.environment(), stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
            )  # fmt: skip
        at_file = kill is not None and kill.victim == "parent at a file"
        self._gun.aim(None if at_file else kill, process)
        if kill and not at_file:
            process.wait()
            return process, set()
        before, seen = _files(self._reports), set[Path]()
        while process.poll() is None:
            seen |= _files(self._reports) - before
            if kill and len(seen) >= kill.at:
                process.kill()
            time.sleep(0.002)
        return process, seen

    def _unreadable(self) -> Iterator[str]:
        """Snapshots that say they are whole and are not; what `latest` names is one of them."""
        for folder in (self._reports, *(one for one in self._reports.iterdir() if (one / MANIFEST).exists())):
            try:
                load_snapshot(folder).verify()
            except SnapshotError as error:
                yield str(error)

    def _ends_alike(self, process: subprocess.Popen[bytes], kill: Kill, kills: Kills) -> bool:
        """Whether the scan, or the one after it where its parent was killed, gives the bytes of the undisturbed one."""
        code, errors = process.returncode, (self._bench.folder / "stderr").read_text()
        if code == -signal.SIGKILL:
            done = self._bench.here("scan", self._profile, "--quiet", "--resume")
            code, errors = done.returncode, done.stderr
        strays = [path for glob in _TEMPORARY for path in self._bench.folder.rglob(glob)]
        # A scan that was killed before it had a plan: the next one sweeps its folder when it is an hour old.
        kills.strays += [
            f"{kill}: {path.name}" for path in strays if (path.parent / PLAN).exists() or not _is_young(path)
        ]
        if code == 0 and _content(self._bench.snapshot().path) == self._whole:
            return True
        kills.different.append(f"{kill}: exit code {code} {errors}")
        return False


def _is_young(path: Path) -> bool:
    is_young_kind = path.parent.name == SHARDS or path.name.startswith(".latest.")
    return is_young_kind and time.time() - path.stat().st_mtime < 3600


def _files(folder: Path) -> set[Path]:
    found = set()
    for path, _, names in os.walk(folder):
        found |= {Path(path, name) for name in names}
    return found


def _content(snapshot: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in snapshot.iterdir() if path.is_file() and path.name != MANIFEST}


@contextlib.contextmanager
def victims(bench: Bench) -> Iterator[Victims]:
    """The fake AWS and what is scanned of it, for as long as kills are tried."""
    gun = _Gun()
    with FakeAws(Fleet(items=3), on_call=gun) as server:
        yield Victims(bench, server, gun)


def run_kills(count: int, seed: int, folder: Path) -> Kills:
    """Try `count` kills at moments that the seed chooses, in `folder`."""
    (folder / "home").mkdir(parents=True, exist_ok=True)
    chance, kills = random.Random(seed), Kills()
    with victims(Bench(folder)) as scans:
        for number in range(count):
            scans.try_out(scans.choose(VICTIMS[number % len(VICTIMS)], chance), kills)
    return kills
