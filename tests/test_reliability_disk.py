"""Damaged bytes, several scans at once, clocks that jump, disks that fill up: what was there stays whole."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scanner.fakeaws import FakeAws, Fleet
from scanner.model import CallStats, Cell, Outcome
from scanner.store.cache import Cache, cache_folder
from scanner.store.ledger import LedgerWriter
from scanner.store.shards import ShardWriter, cached, read_shard
from scanner.store.snapshots import load_snapshot, point_latest
from scanner.store.sorter import Sorter
from tests.builders import record, write_snapshot
from tests.conftest import Bench, records

Start = Callable[..., FakeAws]

_HERE: dict[str, Any] = {"services": ["sqs", "sns"], "execution": {"executor": "serial"}, "enrich": "none"}


def test_a_shard_with_any_byte_changed_never_gives_another_answer(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path / "unit.jsonl.zst", "unit", "k" * 64)
    for number in range(8):
        writer.add(record("sqs:queue", f"q-{number}"))
    cells = (Cell("111122223333", "eu-west-1", "sqs", "sqs:queue", "list_queues", Outcome.OK, 8),)
    shard = writer.finish(cells, (CallStats("sqs", "list_queues", 1),))
    rows = list(read_shard(tmp_path / "unit.jsonl.zst"))
    said: list[str] = []
    folder, into = cache_folder(tmp_path / "cache"), tmp_path / "into"
    cache = Cache(folder, 600, said.append)
    path = folder / f"{'k' * 64}.jsonl.zst"
    text = (tmp_path / "unit.jsonl.zst").read_bytes()
    taken = []
    for at in range(len(text)):
        path.write_bytes(text[:at] + bytes([text[at] ^ 1 << at % 8]) + text[at + 1 :])
        found = cache.get("k" * 64, into)
        if found is not None:
            # A bit that compression leaves without a meaning: nothing of the answer has changed.
            taken.append(at)
            assert found == replace(cached(shard), path=str(into))
            assert list(read_shard(into)) == rows
    assert (len(taken) + len(said), len(taken) < 20) == (len(text), True)
    assert all(str(path) in one and one.endswith("; asking AWS again") for one in said)


def test_two_scans_at_once_share_cache_and_reports_without_damage(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake(Fleet(items=20), latency_s=0.02).url, **_HERE)
    both = [
        subprocess.Popen(
            bench.command("scan", profile, "--quiet"), cwd=bench.folder, env=bench.environment(), text=True,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    errors = [one.communicate(timeout=120)[1] for one in both]
    assert ([one.returncode for one in both], errors) == ([0, 0], ["", ""])
    folders = [one for one in (bench.folder / "reports" / "test").iterdir() if one.is_dir()]
    found = [load_snapshot(one) for one in folders]
    assert len(found) == 2
    for one in found:
        one.verify()
    assert records(found[0]) == records(found[1])
    assert bench.snapshot().path in folders
    done = bench.here("scan", profile, "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert {line["cached"] for line in bench.snapshot().manifest["ledger"]} == {True}


def test_a_clock_that_went_back_hides_neither_the_new_scan_nor_the_old_one(bench: Bench, fake: Start) -> None:
    future = write_snapshot(bench.folder / "reports" / "test" / "29990101T000000Z-00000000", [record()])
    point_latest(future.path)
    before = (future.path / "manifest.json").read_bytes()
    profile = bench.profile(fake(Fleet(items=2)).url, **_HERE)
    assert bench.here("scan", profile, "--quiet").returncode == 0
    assert bench.snapshot().path != future.path
    assert (future.path / "manifest.json").read_bytes() == before
    future.verify()


def test_an_answer_of_the_future_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    writer = ShardWriter(tmp_path / "unit.jsonl.zst", "unit", "k" * 64)
    writer._head = replace(writer._head, written_at="2999-01-01T00:00:00Z")
    cache = Cache(cache_folder(tmp_path / "cache"), 600, said.append)
    cache.put("k" * 64, writer.finish((), ()))
    assert cache.get("k" * 64, tmp_path / "into") is None
    assert said == [f"cache: {tmp_path}/cache/units/{'k' * 64}.jsonl.zst: is dated in the future; asking AWS again"]


def test_a_disk_that_is_full_leaves_the_old_snapshot_and_says_what_and_where(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2))
    profile = bench.profile(server.url, **_HERE)
    assert bench.here("scan", profile, "--quiet").returncode == 0
    old = bench.snapshot()
    server.become(Fleet(items=700))
    # No file may grow beyond 200 KiB: resources.json would be larger, its shards are not.
    command = ["bash", "-c", 'ulimit -f 200; exec "$@"', "bash", *bench.command("scan", profile, "--no-cache")]
    done = subprocess.run(command, cwd=bench.folder, env=bench.environment(), capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    (line,) = (one for one in done.stderr.splitlines() if "File too large" in one)
    assert "resources.json: cannot be written: File too large; what was found is kept: aws-scanner report" in line
    assert "Traceback" not in done.stderr
    assert bench.snapshot().path == old.path
    old.verify()
    done = bench.here("report", line.rpartition(" ")[2])
    assert done.returncode == 0, done.stderr
    assert bench.snapshot().manifest["totals"]["resources"] == 2800


def test_what_is_sorted_and_the_ledger_hold_no_more_than_their_bounds(tmp_path: Path) -> None:
    sorter = Sorter(lambda row: (row["key"],), tmp_path, spill_bytes=1000)
    wanted = [f"{(number * 7919) % 3000:05d}" for number in range(3000)]
    for key in wanted:
        sorter.add({"key": key})
        assert sum(len(text) for _, text in sorter._rows) <= 1100
        assert len(list(tmp_path.iterdir())) <= 64
    assert [line.decode() for line in sorter.lines()] == [f'{{"key":"{key}"}}' for key in sorted(wanted)]
    sorter.discard()
    assert list(tmp_path.iterdir()) == []
    ledger = LedgerWriter(tmp_path)
    for number in range(6000):
        ledger.add(Cell("1" * 12, f"r-{number % 60:02d}", "s", f"s:{number:05d}", "list", Outcome.OK), "")
    lines = ledger.sorted()
    assert len(list(tmp_path.iterdir())) == 1
    assert [line["region"] for line in lines] == sorted(f"r-{number % 60:02d}" for number in range(6000))
    assert (len(lines), lines[-1]["resource_type"], lines[5999]) == (6000, "s:05999", lines[-1])


def test_a_ledger_cut_off_or_shortened_is_an_error_never_a_smaller_plan(bench: Bench, fake: Start) -> None:
    bench.here("scan", bench.profile(fake(Fleet(items=1)).url, **_HERE), "--quiet")
    path = bench.snapshot().path / "manifest.json"
    text = path.read_bytes()
    lines = text.splitlines(keepends=True)
    for damaged in (text[:-20], b"".join(lines[:-4] + lines[-3:]), text.replace(b'"outcome":', b'"outcome"', 1)):
        path.write_bytes(damaged)
        done = bench.here("report", path.parent)
        assert (done.returncode, "manifest.json" in done.stderr, "Traceback" in done.stderr) == (2, True, False)
