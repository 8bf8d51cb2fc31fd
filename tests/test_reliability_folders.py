"""Folders that cannot be used: a cache that cannot be kept costs the cache, reports that cannot be written the scan."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scanner.fakeaws import FakeAws, Fleet
from scanner.model import Shard
from scanner.store.cache import Cache, cache_folder
from scanner.store.shards import ShardWriter
from tests.conftest import Bench, records

Start = Callable[..., FakeAws]

_SERVICES = ["sqs", "sns", "iam"]
_OTHER_USER = 54_321


def _a_file(folder: Path) -> Path:
    path = folder / "a-file"
    path.write_text("not a folder")
    return path


def _below_a_file(folder: Path) -> Path:
    return _a_file(folder) / "below"


def _a_dangling_link(folder: Path) -> Path:
    path = folder / "link"
    path.symlink_to(folder / "nowhere")
    return path


def _units_is_a_link(folder: Path) -> Path:
    (folder / "elsewhere").mkdir()
    (folder / "made").mkdir()
    (folder / "made" / "units").symlink_to(folder / "elsewhere")
    return folder / "made"


def _of_another_user(folder: Path) -> Path:
    """A folder of somebody else's: made so by root, found by others."""
    if os.geteuid() != 0:
        return Path("/usr")
    path = folder / "foreign"
    path.mkdir(mode=0o777)
    os.chown(path, _OTHER_USER, _OTHER_USER)
    return path


def _with_units_of_another_user(folder: Path) -> Path:
    if os.geteuid() != 0:
        return Path("/usr")
    (folder / "half" / "units").mkdir(parents=True)
    os.chown(folder / "half" / "units", _OTHER_USER, _OTHER_USER)
    return folder / "half"


def _name_too_long(folder: Path) -> Path:
    return folder / ("x" * 300)


def _that_takes_no_files(_: Path) -> Path:
    return Path("/proc/aws-scanner")


_UNUSABLE = [
    _a_file,
    _below_a_file,
    _a_dangling_link,
    _units_is_a_link,
    _of_another_user,
    _with_units_of_another_user,
    _name_too_long,
    _that_takes_no_files,
]


@pytest.mark.parametrize("unusable", _UNUSABLE)
def test_an_unusable_cache_folder_is_one_warning_and_a_scan_without_cache(
    bench: Bench, fake: Start, unusable: Callable[[Path], Path]
) -> None:
    server = fake(Fleet(items=2))
    folder = unusable(bench.folder)
    done = bench.run("scan", bench.profile(server.url, services=_SERVICES, cache={"dir": str(folder)}))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("WARNING") == 1
    assert "scanning without it" in done.stderr
    assert "Traceback" not in done.stderr
    assert bench.snapshot().manifest["totals"]["gaps"] == 0
    assert {line["cached"] for line in bench.snapshot().manifest["ledger"]} == {False}


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "HOME"])
def test_the_users_own_cache_folder_may_be_unusable(bench: Bench, fake: Start, variable: str) -> None:
    home = {"XDG_CACHE_HOME": "", variable: str(_below_a_file(bench.folder))}
    profile = bench.profile(fake(Fleet(items=2)).url, services=_SERVICES, regions=["enabled"])
    done = bench.run("scan", profile, **home)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("WARNING") == 1
    assert "scanning without it" in done.stderr


# As in a container that runs as a bare number: no HOME, no line in /etc/passwd.
_UNKNOWN_USER = """
import pwd, sys
from scanner.__main__ import main

def unknown(uid):
    raise KeyError(uid)

pwd.getpwuid = unknown
main()
"""


def test_a_user_whom_the_system_does_not_know_scans_without_a_cache(bench: Bench, fake: Start) -> None:
    execution = {"executor": "serial"}
    profile = bench.profile(fake(Fleet(items=2)).url, services=_SERVICES, execution=execution)
    environment = bench.environment()
    del environment["HOME"], environment["XDG_CACHE_HOME"]
    command = [*bench.command()[:1], "-c", _UNKNOWN_USER, "scan", str(profile)]
    done = subprocess.run(command, cwd=bench.folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "set HOME, XDG_CACHE_HOME or `cache.dir`; scanning without it" in done.stderr
    assert bench.snapshot().manifest["totals"]["gaps"] == 0
    assert {path.name for path in bench.folder.iterdir()} == {"home", "cache", "test.yaml", "reports"}


def test_what_we_cannot_read_in_the_cache_is_asked_again(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2))
    profile = bench.profile(server.url, services=["sqs"], cache={"dir": "kept"})
    bench.run("scan", profile)
    whole = records(bench.snapshot())
    units = sorted((bench.folder / "kept" / "units").glob("*.jsonl.zst"))
    assert len(units) == 2
    units[0].unlink()
    units[0].symlink_to("/proc/self/mem")
    units[1].write_bytes(b"")
    done = bench.run("scan", profile)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("asking AWS again") == 2
    assert records(bench.snapshot()) == whole


# A file system of 64 KiB where the kernel lets us mount one for ourselves; else one that takes no files at all.
_SMALL = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
_ON_SMALL = 'mount -t tmpfs -o size=64k none small && head -c 60000 /dev/zero > small/full; exec "$@"'


def test_a_full_cache_folder_is_one_warning_and_a_scan_without_cache(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1000))
    small = bench.folder / "small"
    small.mkdir()
    may_mount = shutil.which("unshare") and subprocess.run([*_SMALL, "mount -t tmpfs none small"], cwd=bench.folder)
    full = may_mount and may_mount.returncode == 0
    cache = {"dir": str(small if full else "/proc/none")}
    profile = bench.profile(server.url, services=["sqs", "sns"], enrich="none", cache=cache)
    command = bench.command("scan", profile)
    command = [*_SMALL, _ON_SMALL, "sh", *command] if full else command
    done = subprocess.run(command, cwd=bench.folder, env=bench.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("WARNING") == 1
    assert ("No space left on device; nothing more of this scan is kept" in done.stderr) == bool(full)
    assert "Traceback" not in done.stderr
    assert bench.snapshot().manifest["totals"]["resources"] == 4000


def _shard(folder: Path, name: str) -> Shard:
    writer = ShardWriter(folder / f"{name}.jsonl.zst", name, name)
    for number in range(300):
        identity = os.urandom(20).hex() + str(number)
        row = dict.fromkeys(("partition", "account_id", "resource_type", "region"), "")
        writer.add({**row, "resource_arn": identity, "resource_id": identity})
    return writer.finish((), ())


def _keep_two(folder: Path, shards: list[Shard], said: multiprocessing.Queue[str]) -> None:
    # No file may grow beyond 4 KiB: a disk that refuses in the middle of a file.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    cache = Cache(folder, 600, said.put)
    for shard in shards:
        cache.put(shard.unit, shard)
    cache.put_answer("regions", ["eu-west-1"])


def test_a_disk_that_refuses_leaves_no_half_file_and_is_told_once(tmp_path: Path) -> None:
    shards = [_shard(tmp_path, name) for name in ("one", "two")]
    # On another file system the cache must copy: a link would need no space.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = cache_folder(Path(name))
        context = multiprocessing.get_context("spawn")
        said: multiprocessing.Queue[str] = context.Queue()
        child = context.Process(target=_keep_two, args=(folder, shards, said))
        child.start()
        child.join()
        assert child.exitcode == 0
        assert said.get() == f"cache: {folder}: File too large; nothing more of this scan is kept"
        assert said.empty()
        assert list(folder.iterdir()) == []


def _a_read_only_place(_: Path) -> Path:
    return Path("/proc/reports")


@pytest.mark.parametrize(
    ("unusable", "reason"),
    [
        (_a_file, "is not a folder"),
        (_below_a_file, "is not a folder"),
        (_name_too_long, "File name too long"),
        (_a_read_only_place, "/proc"),
    ],
)
def test_a_reports_folder_that_cannot_be_written_is_said_before_aws_is_asked(
    bench: Bench, fake: Start, unusable: Callable[[Path], Path], reason: str
) -> None:
    server = fake(Fleet(items=1))
    folder = unusable(bench.folder)
    done = bench.run("scan", bench.profile(server.url, services=["sqs"], reports={"dir": str(folder)}))
    assert done.returncode == 2, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("reports cannot be written: "))
    assert reason in line
    assert line.endswith("name another folder: `reports.dir` in the profile, or --set reports.dir=FOLDER")
    assert "Traceback" not in done.stderr
    assert server.calls.total() <= (1 if unusable is _a_read_only_place else 0)


def test_a_profiles_folder_that_is_a_file_is_said_before_aws_is_asked(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    (bench.folder / "reports").mkdir()
    (bench.folder / "reports" / "test").write_text("")
    done = bench.run("scan", bench.profile(server.url, services=["sqs"]))
    assert done.returncode == 2
    assert "reports/test: is not a folder" in done.stderr
    assert server.calls.total() == 0
