"""Killed, stopped and incomplete scans are gone on with: only what is unknown is asked, and the result is the same."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from scanner.api import scan
from scanner.errors import Interrupted
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.fakeaws.server import Asked
from scanner.model import Shard
from scanner.pipeline import Hooks
from scanner.store.locks import lock_folder
from scanner.store.snapshots import load_snapshot, scan_folders
from tests.conftest import Bench
from tests.processes import is_over

Start = Callable[..., FakeAws]

_SERVICES = ["sqs", "sns", "ec2:volume", "iam"]
_HERE: dict[str, Any] = {
    "services": _SERVICES,
    "execution": {"executor": "serial"},
    "cache": {"enabled": False},
    "enrich": "none",
}


def content(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file() and one.name != "manifest.json"}


def folders(bench: Bench) -> list[Path]:
    return scan_folders(bench.folder / "reports" / "test")


def known(bench: Bench) -> int:
    """How many of the seven units have a shard in the newest scan."""
    return len(list((folders(bench)[0] / "shards").glob("[!.]*.zst")))


def asked(server: FakeAws) -> set[tuple[str, str]]:
    """Which services were asked in which regions, but for who we are."""
    return {(region, service) for _, region, service, _ in server.calls if service != "sts"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, derived: list[Path]) -> dict[str, bytes]:
    """What a scan leaves that nobody disturbs."""
    bench = Bench(tmp_path_factory.mktemp("whole"))
    with FakeAws(Fleet(items=3)) as server:
        assert bench.here("scan", bench.profile(server.url, **_HERE), "--quiet").returncode == 0
    return content(bench.snapshot().path)


def _interrupted(bench: Bench, monkeypatch: pytest.MonkeyPatch, url: str, after: int, **more: Any) -> int:
    """A scan by the library that is stopped after so many units; the exit code of its snapshot."""
    left = [after]

    def stop(_: Shard) -> None:
        left[0] -= 1
        if not left[0]:
            raise Interrupted(15)

    for name, value in bench.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(bench.folder)
    return scan(bench.profile(url, **_HERE), hooks=Hooks(on_shard=stop), **more).exit_code


class _Killer:
    """Kills the scan when it first asks us-east-1, which gets no answer until the scan is gone."""

    def __init__(self) -> None:
        self._once, self.is_over = threading.Lock(), False
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, asked: Asked) -> None:
        if self.is_over or asked.region != "us-east-1" or asked.service in ("sts", "iam"):
            return
        while self.process is None:
            time.sleep(0.01)
        with self._once:
            self.process.kill()
        self.process.wait()
        # A worker that got its answer now could still finish the unit.
        assert is_over(self.process.pid)


def test_a_killed_scan_is_reported_as_far_as_it_came_and_gone_on_with_to_the_same_bytes(
    bench: Bench, fake: Start, whole: dict[str, bytes]
) -> None:
    killer = _Killer()
    server = fake(Fleet(items=3), on_call=killer)
    profile = bench.profile(server.url, **{**_HERE, "execution": {"max_workers": 1}})
    killer.process = subprocess.Popen(
        bench.command("scan", profile, "--quiet"), cwd=bench.folder, env=bench.environment(), start_new_session=True,
        text=True,
    )  # fmt: skip
    assert killer.process.wait(timeout=120) == -signal.SIGKILL
    assert is_over(killer.process.pid)
    (folder,) = folders(bench)
    assert [one.name for one in folder.iterdir()] == ["shards"]

    copy = bench.folder / "copy" / folder.name
    shutil.copytree(folder, copy)
    done = bench.here("report", copy)
    assert "INCOMPLETE: killed; " in done.stdout, done.stderr
    manifest = load_snapshot(copy).manifest
    assert (manifest["interrupted"], manifest["exit_code"]) == ("killed", 3)
    gaps = {(line["region"], line["outcome"]) for line in manifest["ledger"] if line["gap"]}
    assert gaps == {("us-east-1", "interrupted")}
    assert manifest["by_region"] == {"eu-west-1": 9, "global": 12}

    killer.is_over = True
    server.calls.clear()
    done = bench.here("scan", profile, "--resume", "--quiet")
    assert done.returncode == 0, done.stderr
    assert asked(server) == {("us-east-1", "sqs"), ("us-east-1", "sns"), ("us-east-1", "ec2")}
    assert content(bench.snapshot().path) == whole
    assert bench.snapshot().manifest["resumed"] == [folder.name]
    assert folders(bench) == [bench.snapshot().path]
    assert not (bench.snapshot().path / "shards").exists()


def test_only_the_units_with_gaps_are_asked_again(bench: Bench, fake: Start, whole: dict[str, bytes]) -> None:
    server = fake(Fleet(items=3), (Rule("deny", "sns", region="eu-west-1", times=1),))
    profile = bench.profile(server.url, **_HERE)
    assert bench.here("scan", profile, "--quiet").returncode == 3
    first = bench.snapshot().path
    before = content(first)
    server.calls.clear()
    done = bench.here("scan", profile, "--resume")
    assert done.returncode == 0, done.stderr
    assert f"resuming {first.name}" in done.stderr
    assert "6 of 7 units are known from it" in done.stderr
    assert asked(server) == {("eu-west-1", "sns")}
    assert content(bench.snapshot().path) == whole
    # The snapshot with the gap stays as it was, but for the shards that nobody needs any more.
    assert content(first) == before
    assert [(one / "shards").exists() for one in folders(bench)] == [False, False]


def test_what_a_stopped_scan_knows_survives_stop_after_stop(
    bench: Bench, fake: Start, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = fake(Fleet(items=3))
    assert _interrupted(bench, monkeypatch, server.url, 2) == 143
    # What is known comes first; then one more, and the next stop.
    assert _interrupted(bench, monkeypatch, server.url, known(bench) + 1, resume=True) == 143
    assert len(bench.snapshot().manifest["resumed"]) == 1
    left = 7 - known(bench)
    server.calls.clear()
    assert bench.here("scan", bench.folder / "test.yaml", "--resume", "--quiet").returncode == 0
    assert len(asked(server)) == left
    assert content(bench.snapshot().path) == whole


@pytest.mark.parametrize("damage", ["no journal", "half a journal", "a damaged shard"])
def test_a_journal_or_shard_that_is_damaged_costs_questions_never_bytes(
    bench: Bench, fake: Start, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    server = fake(Fleet(items=3))
    _interrupted(bench, monkeypatch, server.url, 3)
    shards, left = folders(bench)[0] / "shards", 7 - known(bench)
    journal, victim = shards / "journal.jsonl", sorted(shards.glob("*.sqs.*.zst"))[0]
    if damage == "no journal":
        journal.unlink()
    elif damage == "half a journal":
        journal.write_bytes(journal.read_bytes()[:-20])
    else:
        text = victim.read_bytes()
        victim.write_bytes(text[:-30] + bytes([text[-30] ^ 1]) + text[-29:])
    server.calls.clear()
    done = bench.here("scan", bench.folder / "test.yaml", "--resume", "--quiet")
    assert done.returncode == 0, done.stderr
    assert len(asked(server)) == left + (damage == "a damaged shard")
    assert content(bench.snapshot().path) == whole


def test_without_anything_to_resume_it_says_so_and_scans_all(
    bench: Bench, fake: Start, whole: dict[str, bytes]
) -> None:
    server = fake(Fleet(items=3))
    profile = bench.profile(server.url, **_HERE)
    done = bench.here("scan", profile, "--resume")
    assert done.returncode == 0
    assert "nothing to resume: there is no earlier scan of test; scanning all of it" in done.stderr
    first = bench.snapshot().path
    done = bench.here("scan", profile, "--resume")
    assert f"nothing to resume: reports/test/{first.name} is complete; scanning all of it" in done.stderr
    assert content(bench.snapshot().path) == whole


def test_answers_of_yesterday_do_not_stand_for_todays(bench: Bench, fake: Start) -> None:
    """A gap that stays must not freeze all that was answered beside it, however often a job resumes."""
    server = fake(Fleet(items=3), (Rule("deny", "sns", region="eu-west-1"),))
    profile = bench.profile(server.url, **_HERE)
    assert bench.here("scan", profile, "--quiet").returncode == 3
    began = bench.snapshot().manifest["started_at"]
    server.calls.clear()
    assert bench.here("scan", profile, "--resume", "--quiet").returncode == 3
    assert asked(server) == {("eu-west-1", "sns")}
    resumed = bench.snapshot()
    assert resumed.manifest["started_at"] == began

    path = resumed.path / "shards" / "plan.json"
    plan = orjson.loads(path.read_bytes())
    began = plan["said"]["manifest"]["started_at"] = (datetime.now(UTC) - timedelta(hours=12, minutes=1)).isoformat()
    path.write_bytes(orjson.dumps(plan))
    server.calls.clear()
    done = bench.here("scan", profile, "--resume", "--no-cache", "-r", "eu-west-1,us-east-1,eu-central-1")
    said = (
        f"not resumed: reports/test/{resumed.path.name} began at {began}, over 43,200 s ago (execution.resume_within_s)"
    )
    assert f"{said}; scanning all of it" in done.stderr, done.stderr
    assert ("eu-central-1", "sqs") in asked(server)
    assert ("us-east-1", "sqs") in asked(server)
    assert bench.snapshot().manifest["resumed"] == []


def test_a_scan_is_not_resumed_under_another_profile_or_catalog(
    bench: Bench, fake: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = fake(Fleet(items=3))
    _interrupted(bench, monkeypatch, server.url, 2)
    (folder,) = folders(bench)
    server.calls.clear()
    done = bench.here("scan", bench.folder / "test.yaml", "--resume", "-r", "us-east-1", "--tag-key", "Team")
    assert done.returncode == 2
    assert "cannot be resumed, for this has changed: profile: regions, profile: tags; give the options" in done.stderr
    path = folder / "shards" / "plan.json"
    plan = orjson.loads(path.read_bytes())
    plan["said"]["shape"]["the catalog"] = "0" * 64
    path.write_bytes(orjson.dumps(plan))
    done = bench.here("scan", bench.folder / "test.yaml", "--resume")
    assert (done.returncode, "this has changed: the catalog; " in done.stderr) == (2, True)
    assert server.calls.total() == 0


def test_an_account_that_answered_then_must_answer_now(
    bench: Bench, fake: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = fake(Fleet(items=3))
    _interrupted(bench, monkeypatch, server.url, 2)
    (folder,) = folders(bench)
    done = bench.here("scan", bench.folder / "test.yaml", "--resume", AWS_ACCESS_KEY_ID="AKIA444455556666")
    assert done.returncode == 4
    assert "111122223333 answered then and cannot be used now" in done.stderr
    assert folders(bench) == [folder]


def test_a_scan_under_way_is_neither_resumed_nor_reported(
    bench: Bench, fake: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = fake(Fleet(items=3))
    _interrupted(bench, monkeypatch, server.url, 2)
    (folder,) = folders(bench)
    (folder / "manifest.json").unlink()
    lock = lock_folder(folder)
    assert lock is not None
    done = bench.here("report", folder)
    assert (done.returncode, "this scan is still under way, in another process" in done.stderr) == (2, True)
    done = bench.here("scan", bench.folder / "test.yaml", "--resume")
    assert f"not resumed: reports/test/{folder.name} is being scanned or reported by another process" in done.stderr
    lock.release()
    assert folder in folders(bench)


def test_another_share_is_not_resumed(bench: Bench, fake: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = fake(Fleet(items=3))
    _interrupted(bench, monkeypatch, server.url, 1, shard="1/2")
    done = bench.here("scan", bench.folder / "test.yaml", "--resume", "--shard", "2/2")
    assert "nothing to resume: there is no earlier scan of test" in done.stderr
    done = bench.here("scan", bench.folder / "test.yaml", "--resume", "--shard", "1/2")
    assert (done.returncode, "units are known from it" in done.stderr) == (0, True)


def test_resuming_goes_with_neither_dry_run_nor_refresh(bench: Bench) -> None:
    profile = bench.profile("http://127.0.0.1:9", **_HERE)
    for other, said in (("--dry-run", "without --dry-run"), ("--refresh", "without --resume and --shard")):
        done = bench.here("scan", profile, "--resume", other)
        assert (done.returncode, said in done.stderr) == (2, True)
