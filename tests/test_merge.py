"""Merging: shards make the whole, order and repetition change no byte, records follow the cell that holds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import jsonschema
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner.diff.result import diff
from scanner.diff.sources import open_source
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.formats.schema import schema_text
from scanner.merge.engine import merge
from scanner.store.snapshots import Snapshot, load_snapshot
from tests.builders import ACCOUNT, OTHER_ACCOUNT, account, cell, record, selection, write_snapshot
from tests.conftest import Bench

Start = Callable[..., FakeAws]

_HERE: dict[str, Any] = {"execution": {"executor": "serial"}, "cache": {"enabled": False}}
_BOTH: dict[str, Any] = {
    **_HERE,
    "services": ["sqs", "sns", "ec2:volume", "iam"],
    "collector": "both",
    "enrich": "none",
}
_TYPES = ("sqs:queue", "ec2:volume")
_TIMES = ("2026-03-01T10:00:00Z", "2026-03-02T10:00:00Z")


def content(folder: Path, *, without: Sequence[str] = ()) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file() and one.name not in without}


# In memory where there is such a place: what is synchronized to a disk costs a hundred times as much there.
_FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None


def merged(*snapshots: Snapshot) -> Snapshot:
    folder = snapshots[0].path.parent / f"merged-{uuid4().hex[:8]}"
    return merge([one.path for one in snapshots], folder, (), folder.parent)


# --- the laws, on snapshots of a few cells each, in any state -------------------------------------------------------

_CELLS = st.fixed_dictionaries(
    {
        "outcome": st.sampled_from(["ok", "ok", "empty", "denied", "throttled"]),
        "seen_at": st.sampled_from(_TIMES),
        "found": st.sets(st.integers(0, 2), max_size=3),
        "state": st.sampled_from(["on", "off"]),
    }
)
_PLACES = st.sampled_from(
    [(a, r, t) for a in (ACCOUNT, OTHER_ACCOUNT) for r in ("eu-west-1", "us-east-1") for t in _TYPES]
)
_TAGGING = st.sampled_from([(a, r, "*") for a in (ACCOUNT, OTHER_ACCOUNT) for r in ("eu-west-1", "us-east-1")])
_SCANS = st.tuples(st.dictionaries(st.one_of(_PLACES, _TAGGING), _CELLS, max_size=5), st.booleans())


def _records(places: dict[Any, Any]) -> Iterator[dict[str, Any]]:
    made: dict[Any, dict[str, Any]] = {}
    for (account_id, region, kind), said in places.items():
        if said["outcome"] != "ok":
            continue
        for number in said["found"]:
            if kind != "*":
                one = record(kind, f"x-{number}", account_id=account_id, region=region, state=said["state"])
                made[account_id, kind, one["resource_arn"]] = one
    for (account_id, region, kind), said in places.items():
        if kind == "*" and said["outcome"] == "ok":
            for number in said["found"]:
                tags = {"state": said["state"]}
                one = record(_TYPES[0], f"x-{number}", account_id=account_id, region=region, tags=tags)
                key = (account_id, _TYPES[0], one["resource_arn"])
                if key in made:
                    made[key] = {**made[key], "tags": tags, "sources": ["services", "tagging"]}
                else:
                    made[key] = {**one, "configuration": None, "sources": ["tagging"]}
    order = ("partition", "account_id", "resource_type", "resource_arn", "region")
    yield from sorted(made.values(), key=lambda one: tuple(one[name] for name in order))


def _ledger(places: dict[Any, Any]) -> list[dict[str, Any]]:
    lines = []
    for (account_id, region, kind), said in places.items():
        service = kind.partition(":")[0] if kind != "*" else "resourcegroupstaggingapi"
        call = "get_resources" if kind == "*" else "list"
        place = {"account_id": account_id, "region": region, "service": service, "call": call}
        lines.append(cell(kind, said["outcome"], seen_at=said["seen_at"], **place))
    names = ("account_id", "region", "service", "resource_type", "call")
    return sorted(lines, key=lambda one: tuple(one[name] for name in names))


def _scan(folder: Path, at: int, drawn: tuple[dict[Any, Any], bool]) -> Snapshot:
    places, shut = drawn
    accounts = [account(), account(OTHER_ACCOUNT, "other")]
    ledger = _ledger(places)
    if shut and not any(place[0] == OTHER_ACCOUNT for place in places):
        accounts[1] |= {"outcome": "credentials", "message": "refused", "regions": []}
        door = {"account_id": OTHER_ACCOUNT, "region": "*", "service": "sts", "call": "assume_role", "seen_at": ""}
        ledger.append(cell("*", "credentials", **door))
        ledger.sort(key=lambda one: (one["account_id"], one["region"]))
    listed = [one for one in accounts if one["outcome"] == "ok"]
    said = selection(ledger, listed)
    return write_snapshot(
        folder / f"s{at}", _records(places), ledger, accounts,
        scan_id=f"scan-{at}", started_at=_TIMES[at % 2], plan="0" * 12, selection=said, shard=None,
    )  # fmt: skip


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_SCANS, min_size=3, max_size=3))
def test_order_grouping_and_repetition_change_no_byte(drawn: list[Any]) -> None:
    with tempfile.TemporaryDirectory(dir=_FAST) as name:
        a, b, c = (_scan(Path(name), at, one) for at, one in enumerate(drawn))
        wanted = content(merged(a, b, c).path)
        assert content(merged(c, a, b).path) == wanted
        assert content(merged(merged(a, b), c).path) == wanted
        assert content(merged(a, merged(c, b)).path) == wanted
        assert content(merged(merged(a, b), merged(b, c), a, a).path) == wanted


# --- whose answer holds ---------------------------------------------------------------------------------------------


def _one(folder: Path, outcome: str, seen_at: str, *ids: str, **said: Any) -> Snapshot:
    ledger = [cell("sqs:queue", outcome, seen_at=seen_at, call="list_queues")]
    found = [record("sqs:queue", one) for one in sorted(ids)]
    return write_snapshot(folder, found, ledger, [account()], scan_id=folder.name, plan="0" * 12, **said)


def _ids(snapshot: Snapshot) -> list[str]:
    return [one["resource_id"] for one in load_snapshot(snapshot.path).records()]


def test_the_later_answer_holds_and_what_it_does_not_have_is_gone(tmp_path: Path) -> None:
    older = _one(tmp_path / "older", "ok", _TIMES[0], "a", "b")
    newer = _one(tmp_path / "newer", "ok", _TIMES[1], "b", "c")
    found = merged(newer, older)
    assert _ids(found) == ["b", "c"]
    assert [line["seen_at"] for line in found.manifest["ledger"]] == [_TIMES[1]]


def test_an_answer_holds_against_a_later_gap(tmp_path: Path) -> None:
    answer = _one(tmp_path / "answer", "ok", _TIMES[0], "a")
    gap = _one(tmp_path / "gap", "denied", _TIMES[1])
    found = merged(gap, answer)
    assert (_ids(found), found.exit_code, found.complete) == (["a"], 0, True)


def test_accounts_of_their_own_are_put_side_by_side(tmp_path: Path) -> None:
    one = _one(tmp_path / "one", "ok", _TIMES[0], "a")
    other = write_snapshot(
        tmp_path / "other",
        [record("sqs:queue", "z", account_id=OTHER_ACCOUNT)],
        [cell("sqs:queue", account_id=OTHER_ACCOUNT)],
        [account(OTHER_ACCOUNT, "other")],
        scan_id="other",
        profile={"name": "other", "digest": "1" * 64, "path": None},
    )
    found = merged(one, other)
    assert _ids(found) == ["a", "z"]
    assert found.manifest["profile"]["name"] == "merged"
    assert [one["id"] for one in found.manifest["accounts"]] == [ACCOUNT, OTHER_ACCOUNT]
    assert found.manifest["by_account"] == {ACCOUNT: 1, OTHER_ACCOUNT: 1}
    jsonschema.validate(
        orjson.loads((found.path / "manifest.json").read_bytes()), orjson.loads(schema_text("manifest"))
    )


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"endpoint_url": "http://127.0.0.1:9"}, "asked different endpoints: "),
        ({"selection": selection([], [account()], tags=[{"keys": ["K"], "values": []}])}, "made with different tags"),
        ({"selection": selection([], [account()], filters={"state": ["on"]})}, "made with different filters"),
        (
            {"selection": {**selection([], [account()]), "types": {"sqs:queue": "f" * 12}}},
            "made with different catalogs",
        ),
        ({"schema_version": 2}, "schema_version is 2; this program reads 1"),
    ],
)
def test_what_cannot_stand_in_one_snapshot_is_refused(bench: Bench, said: dict[str, Any], reason: str) -> None:
    one = _one(bench.folder / "one", "ok", _TIMES[0], "a")
    other = _one(bench.folder / "other", "ok", _TIMES[0], "a", **said)
    done = bench.here("merge", one.path, other.path, "--output", "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert not (bench.folder / "out").exists()


def test_a_damaged_snapshot_and_a_folder_in_use_are_refused(bench: Bench) -> None:
    one = _one(bench.folder / "one", "ok", _TIMES[0], "a")
    done = bench.here("merge", one.path, "--output", bench.folder)
    assert done.returncode == 2
    assert "is not empty, and no merge of the same snapshots" in done.stderr
    (one.path / "resources.jsonl.zst").write_bytes(b"")
    done = bench.here("merge", one.path, "--output", "out")
    assert done.returncode == 2
    assert "its checksum differs" in done.stderr


# --- shards ---------------------------------------------------------------------------------------------------------


def test_all_shards_together_are_the_whole_scan_and_without_one_it_is_incomplete(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake(Fleet(items=3)).url, **_BOTH)
    assert bench.here("scan", profile, "--quiet").returncode == 0
    whole = bench.snapshot()
    shards = []
    for number in (1, 2, 3):
        done = bench.here("scan", profile, "--shard", f"{number}/3")
        assert done.returncode == 0, done.stderr
        assert f"of shard {number}/3 answered" in done.stderr
        shards.append(bench.snapshot())
        assert shards[-1].manifest["shard"] == {"number": number, "of": 3}
    cells = [{(c["region"], c["resource_type"], c["call"]) for c in one.manifest["ledger"]} for one in shards]
    assert sum(map(len, cells)) == len(set.union(*cells)) == whole.manifest["totals"]["cells"]

    paths = [one.path for one in shards]
    done = bench.here("merge", *paths[::-1])
    assert (done.returncode, done.stdout.strip()) == (0, str(bench.snapshot().path.relative_to(bench.folder)))
    found = bench.snapshot()
    beside = ("manifest.json", "parts.jsonl.zst")
    assert content(found.path, without=beside) == content(whole.path, without=beside)
    again = bench.here("merge", *paths)
    assert again.returncode == 0
    found.verify()

    with diff(open_source(whole.path), open_source(found.path)) as changes:
        assert (changes.totals.unchanged, changes.has_changes) == (whole.manifest["totals"]["resources"], False)

    done = bench.here("merge", *paths[:2], "--output", "two")
    assert done.returncode == 3
    assert "INCOMPLETE: missing: shard 3/3 of test; " in done.stderr
    assert "**INCOMPLETE:** missing: shard 3/3 of test; " in (bench.folder / "two" / "report.md").read_text()


def test_a_shard_never_says_that_the_rest_of_the_plan_is_gone(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake(Fleet(items=3)).url, **_BOTH)
    bench.here("scan", profile, "--quiet")
    whole = bench.snapshot().path
    bench.here("scan", profile, "--quiet", "--shard", "1/2")
    with diff(open_source(whole), open_source(bench.snapshot().path)) as found:
        assert (found.has_changes, found.has_unknown) == (False, True)
    done = bench.here("scan", profile, "--quiet", "--shard", "2/2", "--compare")
    assert done.returncode == 0
    assert "not compared: test has no earlier snapshot" in done.stderr


@pytest.mark.parametrize("text", ["0/3", "4/3", "a/b", "1", "1/0", "-1/3", "1/3/5", "", "1/99999", "１/３"])
def test_a_shard_that_is_none_is_refused(bench: Bench, text: str) -> None:
    done = bench.here("scan", bench.profile("http://127.0.0.1:9", **_HERE), f"--shard={text}")
    assert done.returncode == 2
    assert f"command line: --shard: {text!r} is not NUMBER/OF: 1/10 to 10/10" in done.stderr


def test_a_dry_run_of_a_shard_shows_that_shard(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake(Fleet(items=1)).url, **_BOTH)
    plans = [bench.here("scan", profile, "--dry-run", "--shard", f"{number}/2").stdout for number in (1, 2)]
    units = [int(line.split()[0]) for text in plans for line in text.splitlines() if " unit" in line]
    assert sum(units) == 9


def test_an_account_that_a_shard_could_not_enter_stays_a_gap_of_the_merge(bench: Bench, fake: Start) -> None:
    accounts = [{"role_arn": f"arn:aws:iam::{one}:role/r", "id": one} for one in (ACCOUNT, OTHER_ACCOUNT)]
    profile = {**_HERE, "services": ["sqs"], "regions": ["us-east-1"], "accounts": accounts}
    server = fake(Fleet(items=2), (Rule("deny", "sts", "assume_role", times=1),))
    path = bench.profile(server.url, **profile)
    codes = [bench.here("scan", path, "--quiet", "--shard", f"{number}/2").returncode for number in (1, 2)]
    folders = sorted(one for one in (bench.folder / "reports" / "test").iterdir() if one.is_dir())
    done = bench.here("merge", *folders)
    assert (sorted(codes), done.returncode) == ([0, 3], 3)
    assert [line["region"] for line in bench.snapshot().manifest["ledger"] if line["gap"]] == ["*"]


def test_a_gate_that_the_merged_snapshot_fails_is_said(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake(Fleet(items=1)).url, regions=["us-east-1"], services=["sqs"], min_resources=1000)
    assert [bench.here("scan", profile, "-q", "--no-cache").returncode for _ in range(2)] == [1, 1]
    done = bench.here("merge", *sorted((bench.folder / "reports" / "test").glob("2*")), "-q")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "min_resources: the scan is complete and found 1 resources; at least 1,000 were wanted"
    )
