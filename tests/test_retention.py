"""What a scan leaves of earlier ones: the newest, `latest`, the last complete one, and whatever is not surely ours."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scanner.fakeaws import FakeAws, Fleet
from scanner.profile import load_profile
from scanner.retention import keep_newest
from scanner.store.cache import Cache, cache_folder
from scanner.store.locks import is_busy, lock_folder
from scanner.store.snapshots import Snapshot, load_snapshot, point_latest
from tests.builders import cell, write_snapshot
from tests.conftest import Bench

Start = Callable[..., FakeAws]


def _name(number: int) -> str:
    return f"202603{number:02d}T100000Z-{number:08x}"


def _snapshots(bench: Bench, count: int, incomplete: tuple[int, ...] = (), **said: Any) -> list[Snapshot]:
    folder = bench.folder / "reports" / "test"
    made = []
    for number in range(1, count + 1):
        outcome = "denied" if number in incomplete else "ok"
        name = _name(number)
        profile = {"name": "test", "digest": "0" * 64, "path": None}
        made.append(write_snapshot(folder / name, (), [cell(outcome=outcome)], scan_id=name, profile=profile, **said))
    point_latest(made[-1].path)
    return made


def _keep(bench: Bench, keep: int | None, newest: Snapshot, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is left in the folder of the profile's snapshots, and what was warned of."""
    monkeypatch.chdir(bench.folder)
    path = bench.profile("http://127.0.0.1:9", **({"reports": {"keep": keep}} if keep else {}))
    said: list[str] = []
    keep_newest(load_profile(path), load_snapshot(newest.path), said.append)
    assert said == []
    return sorted(os.listdir(newest.path.parent))


def test_the_newest_are_kept_and_by_default_all(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _snapshots(bench, 5)
    assert _keep(bench, None, made[-1], monkeypatch) == [*(_name(n) for n in range(1, 6)), "latest"]
    assert _keep(bench, 2, made[-1], monkeypatch) == [_name(4), _name(5), "latest"]


def test_the_newest_complete_one_and_latest_outlive_many_that_are_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _snapshots(bench, 6, incomplete=(3, 4, 5, 6))
    point_latest(made[0].path)
    assert _keep(bench, 2, made[-1], monkeypatch) == [_name(1), _name(2), _name(5), _name(6), "latest"]


def test_what_is_not_surely_a_snapshot_of_this_profile_is_left_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _snapshots(bench, 6)
    folder = made[0].path.parent
    elsewhere = bench.folder / "elsewhere"
    write_snapshot(elsewhere)
    made[0].path.rename(folder / "kept-by-hand")
    (folder / _name(1)).symlink_to(elsewhere)
    write_snapshot(made[1].path, scan_id=_name(2), profile={"name": "other", "digest": "", "path": None})
    (made[2].path / "manifest.json").write_text("{}")
    lock = lock_folder(made[3].path)
    left = _keep(bench, 1, made[-1], monkeypatch)
    assert left == [*(_name(n) for n in (1, 2, 3, 4, 6)), "kept-by-hand", "latest"]
    assert load_snapshot(elsewhere).path == elsewhere
    assert lock is not None
    lock.release()
    assert _name(4) not in _keep(bench, 1, made[-1], monkeypatch)


def test_an_unfinished_scan_is_kept_for_a_week(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _snapshots(bench, 3)
    for number, days in ((1, 1), (2, 8)):
        (made[number - 1].path / "manifest.json").unlink()
        shards = made[number - 1].path / "shards"
        shards.mkdir()
        (shards / "plan.json").write_text("{}")
        os.utime(shards, (time.time() - days * 86_400,) * 2)
    assert _keep(bench, 1, made[-1], monkeypatch) == [_name(1), _name(3), "latest"]


def test_a_stopped_scan_removes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _snapshots(bench, 3, interrupted="SIGTERM")
    assert _keep(bench, 1, made[-1], monkeypatch) == [_name(1), _name(2), _name(3), "latest"]


def test_temporary_files_of_killed_runs_are_swept_from_reports(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _snapshots(bench, 2)
    old, young = made[0].path / ".report.md.123.abcd1234.tmp", made[0].path / ".report.md.124.abcd1234.tmp"
    pointer, foreign = made[0].path.parent / ".latest.9.x_y9.tmp", made[0].path / "mine.tmp"
    begun = made[0].path.parent / _name(9)
    (begun / "shards").mkdir(parents=True)
    for path in (old, young, pointer, foreign):
        path.write_text("")
    for path in (old, pointer, foreign, begun / "shards"):
        os.utime(path, (time.time() - 7200,) * 2)
    assert _keep(bench, None, made[-1], monkeypatch) == [_name(1), _name(2), "latest"]
    assert [path.exists() for path in (old, young, foreign)] == [False, True, True]


def test_only_our_own_old_files_are_swept_from_a_cache(tmp_path: Path) -> None:
    folder = cache_folder(tmp_path)
    ours = [folder / f"{'a' * 64}.jsonl.zst", folder / f".{'a' * 64}.7.tmp", folder / f"{'b' * 64}.json"]
    foreign = [folder / "notes.json", folder / "x.tmp", folder / f"{'c' * 64}.json", folder / f"{'d' * 64}.jsonl.zst"]
    ours[0].write_bytes(b"\x28\xb5\x2f\xfd damaged")
    ours[1].write_text("")
    ours[2].write_text(f'{{"key":"{"b" * 64}","written_at":"2026-01-01T00:00:00+00:00","answer":[]}}')
    for path in foreign:
        path.write_text("{precious}")
    for path in (*ours, *foreign):
        os.utime(path, (time.time() - 7200,) * 2)
    young = folder / f"{'e' * 64}.json"
    young.write_bytes(ours[2].read_bytes().replace(b"b", b"e"))
    said: list[str] = []
    Cache(folder, 600, said.append).sweep()
    assert (said, sorted(folder.iterdir())) == ([], sorted([*foreign, young]))


def test_a_scan_keeps_as_many_as_the_profile_says_and_finds_home_folders(bench: Bench, fake: Start) -> None:
    settings = {"services": ["sqs"], "execution": {"executor": "serial"}, "enrich": "none", "regions": ["us-east-1"]}
    folders = {"reports": {"dir": "~/reports", "keep": 1}, "cache": {"dir": "~/kept"}}
    profile = bench.profile(fake(Fleet(items=1)).url, **settings, **folders)
    for _ in range(2):
        done = bench.here("scan", profile, "--quiet")
        assert done.returncode == 0, done.stderr
    left = sorted(os.listdir(bench.folder / "home" / "reports" / "test"))
    assert [bool(re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", one)) for one in left] == [True, False]
    assert list((bench.folder / "home" / "kept" / "units").glob("*.zst"))
    assert not (bench.folder / "~").exists()
    assert bench.here("scan", profile, "--set", "reports.keep=0").returncode == 2


def test_a_look_at_whether_a_folder_is_busy_takes_it_from_nobody(tmp_path: Path) -> None:
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            is_busy(tmp_path)

    with ThreadPoolExecutor(2) as others:
        looking = [others.submit(look) for _ in range(2)]
        try:
            for _ in range(200):
                lock = lock_folder(tmp_path)
                assert lock is not None
                assert is_busy(tmp_path)
                lock.release()
        finally:
            done.set()
    assert [one.result() for one in looking] == [None, None]
    assert not is_busy(tmp_path)


def test_scans_that_clean_up_at_once_have_nothing_to_say_of_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever one of them looks at, another one may have removed or replaced since."""
    monkeypatch.chdir(bench.folder)
    loaded = load_profile(bench.profile("http://127.0.0.1:9", reports={"keep": 1}))
    said: list[str] = []
    old = time.time() - 30 * 24 * 3600
    with ThreadPoolExecutor(4) as scans:
        for _ in range(15):
            made = _snapshots(bench, 6)
            folder, newest = made[0].path.parent, load_snapshot(made[-1].path)
            for one in [folder, *(snapshot.path for snapshot in made)]:
                for number in range(10):
                    left = one / f".latest.32317.{number:08x}.tmp"
                    left.write_text("")
                    os.utime(left, (old, old))
            cleaning = [scans.submit(keep_newest, loaded, newest, said.append) for _ in range(4)]
            cleaning.append(scans.submit(lambda path: [point_latest(path) for _ in range(50)], made[-1].path))
            for future in cleaning:
                future.result()
            assert said == []
            assert sorted(os.listdir(folder)) == [_name(6), "latest"]
