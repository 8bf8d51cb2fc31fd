"""What tests share: a fake AWS per test, a profile written to disk, and the real program in a subprocess."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import HealthCheck, settings
from platformdirs import user_cache_dir
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from scanner.aws.clients import preload
from scanner.catalog import load_catalog
from scanner.catalog.digests import type_digests
from scanner.cli.app import run
from scanner.demo import DemoServer
from scanner.demo.truth import Seen, inventory
from scanner.fakeaws import FakeAws
from scanner.store.snapshots import Snapshot, load_snapshot

# A machine that pauses for a moment is no failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# In the background, or under nohup, these are ignored, and so they would be by all that tests start and signal.
for _signum in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_signum) is signal.SIG_IGN:
        signal.signal(_signum, signal.SIG_DFL)

# Some containers have it: each of the hundreds of processes that tests start would compile the whole program anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA111122223333", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test"}


# Files whose tests share something dear (a seeded fleet, a large scan) are run by one of the parallel testers.
_TOGETHER = {
    "test_demo.py": "demo",
    "test_demo_server.py": "demo",
    "test_founding_examples.py": "demo",
    "test_fault_matrix.py": "matrix",
    "test_fleet_requests.py": "fleet_requests",
    "test_kills.py": "kills",
    "test_resume.py": "resume",
    "test_reliability_size.py": "size",
    "test_reliability_stopped.py": "stopped",
    "test_reliability_workers.py": "workers",
    "test_scan.py": "scan",
}


class Together(LoadScopeScheduling):
    """Tests one by one to whoever is free, but for those of `_TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        return _TOGETHER.get(nodeid.partition("::")[0].rpartition("/")[2], nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)


@dataclass
class Bench:
    """A folder of its own with a home, and the program to run in it."""

    folder: Path

    @classmethod
    def in_folder(cls, folder: Path, derived: list[Path]) -> Bench:
        """A bench in an empty folder, with what the program would derive from its data at the first run."""
        cache = folder / "cache" / "aws-scanner"
        for made in (folder / "home", cache):
            made.mkdir(parents=True)
        for path in derived:
            if path.exists():
                shutil.copy(path, cache)
        return cls(folder)

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        home = {"HOME": str(self.folder / "home"), "XDG_CACHE_HOME": str(self.folder / "cache")}
        none = {
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return {**kept, **home, **none, **KEYS, **more}

    def profile(self, url: str, **settings: Any) -> Path:
        path = self.folder / "test.yaml"
        base = {
            "endpoint_url": url,
            "regions": ["us-east-1", "eu-west-1"],
            "retry": {"initial_wait_s": 0, "max_wait_s": 0},
        }
        path.write_text(yaml.safe_dump({**base, **settings}))
        return path

    def command(self, *args: object) -> list[str]:
        return [sys.executable, "-m", "scanner", *map(str, args)]

    def run(self, *args: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*args), cwd=self.folder, env=self.environment(**environment), capture_output=True, text=True
        )

    def here(self, *args: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """The same as `run` in this process: a second less, for the many variants of what `run` has shown once."""
        command, out, err = self.command(*args), io.BytesIO(), io.BytesIO()
        before, folder, argv = dict(os.environ), Path.cwd(), sys.argv
        try:
            os.environ.clear()
            os.environ.update(self.environment(**environment))
            os.chdir(self.folder)
            sys.argv = ["aws-scanner", *map(str, args)]
            with contextlib.redirect_stdout(_text(out)), contextlib.redirect_stderr(_text(err)):
                code = _exit_code()
        finally:
            sys.argv = argv
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(before)
        return subprocess.CompletedProcess(command, code, *map(_read, (out, err)))

    def snapshot(self) -> Snapshot:
        return load_snapshot(self.folder / "reports" / "test")

    def gaps(self) -> list[tuple[str, str, str, str]]:
        ledger = self.snapshot().manifest["ledger"]
        return [
            (line["region"], line["resource_type"], line["call"], line["outcome"]) for line in ledger if line["gap"]
        ]


def _read(raw: io.BytesIO) -> str:
    return raw.getvalue().decode().replace("\r\n", "\n")  # as subprocess reads text


def _text(raw: io.BytesIO) -> io.TextIOWrapper:
    text = io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=True)
    raw.close = lambda: None  # type: ignore[method-assign]  # what was written is read after the stream is gone
    return text


def _exit_code() -> int:
    try:
        run()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


@pytest.fixture(scope="session")
def derived() -> list[Path]:
    """The compiled catalog and the cut models, made once: each run of the program in a new home would need a second."""
    catalog = load_catalog()
    preload(sorted({service for service, _ in catalog.operations()}), catalog.operations())
    type_digests(catalog, ())
    folder = Path(user_cache_dir("aws-scanner"))
    return [folder / f"catalog-{catalog.version}.json", *folder.glob("model-*.json"), *folder.glob("digests-*.json")]


@pytest.fixture(scope="session")
def demo_server() -> Iterator[DemoServer]:
    """The demo's server and fleet, for reading; seeding it takes many seconds."""
    with DemoServer.start() as started:
        yield started


@pytest.fixture(scope="session")
def demo_fleet(demo_server: DemoServer) -> list[Seen]:
    """All that the demo's fleet has, as plain boto3 sees it."""
    return inventory(demo_server.environment())


@pytest.fixture
def bench(tmp_path: Path, derived: list[Path]) -> Bench:
    return Bench.in_folder(tmp_path, derived)


@pytest.fixture
def fake() -> Iterator[Callable[..., FakeAws]]:
    started: list[FakeAws] = []

    def start(*args: Any, **kwargs: Any) -> FakeAws:
        started.append(FakeAws(*args, **kwargs).start())
        return started[-1]

    yield start
    for one in started:
        one.stop()


def records(snapshot: Snapshot) -> list[dict[str, Any]]:
    return list(orjson.loads((snapshot.path / "resources.json").read_bytes()))
