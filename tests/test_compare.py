"""`scan --compare` as its users run it: the real program against a fake AWS whose fleet changes between two scans."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from scanner.cli.compare import Comparing, Comparison, worst_of
from scanner.cli.delivery import Target
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.formats.schema import schema_text
from scanner.profile import load_profile
from tests.builders import ACCOUNT, account, cell, record, selection, write_snapshot
from tests.conftest import Bench

Start = Callable[..., FakeAws]
HERE: dict[str, Any] = {"execution": {"executor": "serial"}}
SMALL: dict[str, Any] = {**HERE, "services": ["sqs", "ec2:volume"], "regions": ["us-east-1"]}


def scan(bench: Bench, *args: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    return bench.here("scan", bench.folder / "test.yaml", "--no-cache", *args)


def changes(bench: Bench) -> list[tuple[str, str, str]]:
    said = orjson.loads((bench.snapshot().path / "diff.json").read_bytes())
    jsonschema.Draft202012Validator(orjson.loads(schema_text("diff"))).validate(said)
    return [(one["change"], one["resource_type"], one["resource_id"]) for one in said["changes"]]


def test_the_first_comparison_has_nothing_to_compare_with_and_the_second_says_what_it_took(
    bench: Bench, fake: Start
) -> None:
    server = fake(Fleet(items=2))
    bench.profile(server.url, **SMALL)
    first = scan(bench, "--compare", "--fail-on-change")
    assert first.returncode == 0
    assert "not compared: test has no earlier snapshot of these accounts with the same filters" in first.stderr
    before = bench.snapshot().path
    assert not (before / "diff.json").exists()
    server.become(Fleet(items=2, per_type={"sqs:queue": 1, "ec2:volume": 3}))
    second = scan(bench, "-c")
    assert second.returncode == 0
    assert f"comparing with {Path('reports/test') / before.name}" in second.stderr
    assert changes(bench) == [("removed", "sqs:queue", "queue-00001"), ("added", "ec2:volume", "volume-00002")]
    assert "0 unknown, 1 removed, 1 added, 0 changed, 3 unchanged" in second.stdout
    assert "\x1b" not in second.stdout
    third = scan(bench, "--compare", "--fail-on-change")
    assert (third.returncode, changes(bench)) == (0, [])


def test_a_gated_change_exits_1_and_stands_in_the_manifest(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    bench.profile(server.url, **SMALL)
    scan(bench)
    server.become(Fleet(items=2))
    done = scan(bench, "--compare", "--fail-on-change", "--quiet")
    assert (done.returncode, done.stdout) == (1, "")
    manifest = orjson.loads((bench.snapshot().path / "manifest.json").read_bytes())
    jsonschema.Draft202012Validator(orjson.loads(schema_text("manifest"))).validate(manifest)
    assert manifest["exit_code"] == 1
    written = (bench.snapshot().path / "diff.json").read_bytes()
    assert manifest["files"]["diff.json"]["sha256"] == hashlib.sha256(written).hexdigest()


def test_a_denied_call_makes_unknown_what_it_would_have_listed_and_beats_the_gate(bench: Bench, fake: Start) -> None:
    bench.profile(fake(Fleet(items=2)).url, **SMALL)
    scan(bench)
    denied = fake(Fleet(items=1), (Rule("deny", "ec2", "describe_volumes"),))
    bench.profile(denied.url, **SMALL)
    done = scan(bench, "--compare", "--fail-on-change")
    assert done.returncode == 3
    assert changes(bench) == [
        ("unknown", "ec2:volume", "volume-00000"),
        ("unknown", "ec2:volume", "volume-00001"),
        ("removed", "sqs:queue", "queue-00001"),
    ]
    told = done.stdout[done.stdout.index("unknown: 2 resources") :]
    assert "not compared, in the new one: denied: 111122223333 us-east-1 ec2:volume describe_volumes" in told
    assert told.index("unknown: 2") < told.index("removed: 1") < told.index("2 unknown, 1 removed, 0 added")


def test_what_was_denied_before_is_not_added_now(bench: Bench, fake: Start) -> None:
    denied = fake(Fleet(items=1), (Rule("deny", "sqs", "list_queues"),))
    bench.profile(denied.url, **SMALL)
    assert scan(bench).returncode == 3
    bench.profile(fake(Fleet(items=1)).url, **SMALL)
    done = scan(bench, "--compare")
    assert done.returncode == 3
    assert bench.snapshot().manifest["totals"]["gaps"] == 0
    assert changes(bench) == [("unknown", "sqs:queue", "queue-00000")]


def test_a_denied_enrichment_is_unknown_and_no_change(bench: Bench, fake: Start) -> None:
    only = {**HERE, "services": ["sqs"], "regions": ["us-east-1"]}
    bench.profile(fake(Fleet(items=1)).url, **only)
    scan(bench)
    rules = (Rule("deny", "sqs", "list_queue_tags"), Rule("deny", "sqs", "get_queue_attributes"))
    bench.profile(fake(Fleet(items=1), rules).url, **only)
    assert scan(bench, "--compare").returncode == 3
    said = orjson.loads((bench.snapshot().path / "diff.json").read_bytes())
    assert [(one["change"], [field["path"] for field in one["fields"]]) for one in said["changes"]] == [
        ("unknown", ["tags", "configuration.attributes"])
    ]


def test_a_region_that_is_no_longer_asked_is_unknown(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    bench.profile(server.url, **HERE, services=["sqs"], regions=["us-east-1", "eu-west-1"])
    scan(bench)
    bench.profile(server.url, **HERE, services=["sqs"], regions=["us-east-1"])
    done = scan(bench, "--compare")
    assert done.returncode == 3
    assert changes(bench) == [("unknown", "sqs:queue", "queue-00000")]
    assert f"in the new one: not_asked: eu-west-1 of account {ACCOUNT} was not scanned" in done.stdout


def test_snapshots_of_other_filters_are_passed_over_or_refused_before_the_scan(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2))
    bench.profile(server.url, **SMALL)
    scan(bench)
    whole = bench.snapshot().path
    bench.profile(server.url, tags={"Environment": "Production"}, **SMALL)
    done = scan(bench, "--compare")
    assert done.returncode == 0
    assert "passed over 1 newer snapshot with other filters" in done.stderr
    assert "not compared: test has no earlier snapshot of these accounts with the same filters" in done.stderr
    asked = server.calls.copy()
    refused = scan(bench, "--compare-with", whole)
    assert refused.returncode == 2
    said = f"--compare-with {whole}: tag filters were none and are Environment=Production"
    assert said in refused.stderr
    assert server.calls == asked


def test_somebodys_narrow_scan_is_no_baseline_for_the_nightly_one(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    bench.profile(server.url, regions=["eu-west-1"], services=["sqs", "sns"])
    scan(bench)
    nightly = bench.snapshot().path
    scan(bench, "-s", "sqs")
    scan(bench, "-r", "us-east-1")
    done = scan(bench, "--compare", "--fail-on-change")
    assert (done.returncode, changes(bench)) == (0, []), done.stderr
    assert f"comparing with {Path('reports/test') / nightly.name}" in done.stderr
    assert "passed over 2 newer snapshots of another selection" in done.stderr

    # Where the profile has changed, none is alike: then the newest is it, and what it does not know is unknown.
    newest = bench.snapshot().path
    done = scan(bench, "--compare", "-s", "sqs,sns,kms")
    assert f"comparing with {Path('reports/test') / newest.name}" in done.stderr
    assert {kind for kind, *_ in changes(bench)} == {"unknown"}


def test_an_account_that_fails_for_a_night_changes_no_baseline(bench: Bench, fake: Start) -> None:
    other = {"role_arn": "arn:aws:iam::444455556666:role/reader"}
    server, alone = fake(Fleet(items=1)), fake(Fleet(items=1), (Rule("deny", "sts", "assume_role"),))
    both: dict[str, Any] = {"accounts": [{}, other], **SMALL}
    bench.profile(alone.url, **both)
    assert scan(bench).returncode == 3
    bench.profile(server.url, **both)
    assert scan(bench).returncode == 0
    whole = bench.snapshot().path
    bench.profile(alone.url, **both)
    done = scan(bench, "--compare")
    assert f"comparing with {Path('reports/test') / whole.name}" in done.stderr
    assert {(kind, record) for kind, _, record in changes(bench)} == {
        ("unknown", "queue-00000"),
        ("unknown", "volume-00000"),
    }


def test_a_baseline_is_found_behind_any_number_of_others(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    bench.profile(server.url, **SMALL)
    scan(bench)
    whole = bench.snapshot().path
    scan(bench, "--state", "available")
    narrow = bench.snapshot().path
    for number in range(110):
        shutil.copytree(narrow, narrow.with_name(f"{narrow.name[:-8]}{number:08x}"))
    done = scan(bench, "--compare", "--fail-on-change")
    assert "passed over 111 newer snapshots with other filters" in done.stderr
    assert f"comparing with {Path('reports/test') / whole.name}" in done.stderr


def test_a_snapshot_of_other_accounts_alone_is_no_baseline(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    bench.profile(server.url, **SMALL)
    scan(bench)
    other = {"role_arn": "arn:aws:iam::444455556666:role/reader"}
    bench.profile(server.url, accounts=[other], **SMALL)
    done = scan(bench, "--compare", "--fail-on-change")
    assert done.returncode == 0, done.stderr
    assert "passed over 1 newer snapshot of other accounts" in done.stderr
    assert "not compared: test has no earlier snapshot" in done.stderr


def test_an_interrupted_snapshot_is_passed_over(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    bench.profile(server.url, **SMALL)
    scan(bench)
    whole = bench.snapshot().path
    scan(bench)
    said = orjson.loads((bench.snapshot().path / "manifest.json").read_bytes())
    (bench.snapshot().path / "manifest.json").write_bytes(orjson.dumps({**said, "interrupted": "SIGINT"}))
    done = scan(bench, "--compare")
    assert "passed over 1 newer snapshot interrupted" in done.stderr
    assert f"comparing with {Path('reports/test') / whole.name}" in done.stderr
    assert (done.returncode, changes(bench)) == (0, [])


def test_a_given_file_without_a_ledger_is_compared_as_far_as_it_goes(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2))
    bench.profile(server.url, **SMALL)
    scan(bench)
    kept = bench.folder / "daily.json"
    kept.write_bytes((bench.snapshot().path / "resources.json").read_bytes())
    server.become(Fleet(items=1))
    done = scan(bench, "--compare-with", kept)
    assert done.returncode == 3
    assert "no manifest.json beside it lists it: nothing can be called removed or added, only unknown" in done.stderr
    assert {one[0] for one in changes(bench)} == {"unknown"}
    assert len(changes(bench)) == 2


def test_an_answer_from_the_cache_that_is_older_than_the_baseline_takes_nothing_away(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    profile = bench.profile(server.url, **HERE, services=["sqs"], regions=["us-east-1"])
    bench.here("scan", profile)
    units = bench.folder / "cache" / "aws-scanner" / "units"
    first = bench.snapshot().manifest["ledger"][0]["seen_at"]
    server.become(Fleet(items=2))
    while True:  # until the clock shows another second than the cached answer
        scan(bench)
        if bench.snapshot().manifest["ledger"][0]["seen_at"] > first:
            break
    assert list(units.glob("*.jsonl.zst"))
    done = bench.here("scan", profile, "--compare")
    assert done.returncode == 3
    assert changes(bench) == [("unknown", "sqs:queue", "queue-00001")]
    assert "older_answer" in done.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--fail-on-change",), "--fail-on-change means nothing without --compare or --compare-with"),
        (("--compare-with", "nowhere.json"), "nowhere.json: no such file or folder"),
        (("--compare-with", "test.yaml"), "is neither a snapshot nor a file of records (.json, .jsonl, .jsonl.zst)"),
        (("--refresh", "--compare"), "--refresh compares each pass with the last; it goes without --compare"),
        (("-i", "10"), "command line: --refresh-interval: would be ignored: it goes with --refresh"),
        (("--refresh", "-i", "4"), "'--refresh-interval' / '-i': 4 is not allowed; 5 to 300 seconds are"),
        (("--refresh-interval", "301"), "301 is not allowed; 5 to 300 seconds are"),
    ],
)
def test_a_bad_command_line_exits_2_before_anything_is_asked(
    bench: Bench, fake: Start, args: tuple[str, ...], said: str
) -> None:
    server = fake(Fleet(items=1))
    done = bench.here("scan", bench.profile(server.url, **SMALL), *args)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert not server.calls


def test_interrupted_beats_incomplete_beats_a_gate() -> None:
    assert [worst_of(scan, gate) for scan, gate in ((130, 3), (3, 0), (3, 1), (0, 3), (0, 1), (1, 0), (0, 0))] == [
        130, 3, 3, 3, 1, 1, 0,
    ]  # fmt: skip


# The file that --output names


def _concluded(folder: Path, output: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """What `scan test --compare --fail-on-change --output FILE` does around its scan, which found i-2."""
    monkeypatch.chdir(folder)
    (folder / "test.yaml").write_text("regions: [eu-west-1]\n")
    comparing = Comparing(compare=True, fail_on_change=True)
    comparison = Comparison(
        comparing, load_profile("test.yaml"), Target("json", None if output == "-" else Path(output), asked=True)
    )
    if Path(output).exists():
        Path(output).write_text("replaced by the scan")
    ledger = [cell()]
    said = selection(ledger, [account()])
    found = [record(resource_id="i-2")]
    snapshot = write_snapshot(folder / "reports" / "test" / "20260302T100000Z-bbbbbbbb", found, ledger, selection=said)
    return comparison.conclude(snapshot, quiet=False)


def test_the_file_that_output_replaces_is_the_baseline_where_there_is_no_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [record(resource_id="i-1"), record(resource_id="i-2")]
    (tmp_path / "daily-scan.json").write_bytes(b"[\n" + b",\n".join(map(orjson.dumps, before)) + b"\n]\n")
    assert _concluded(tmp_path, "daily-scan.json", monkeypatch) == 3
    told = capsys.readouterr()
    assert "comparing with daily-scan.json\ndaily-scan.json has no ledger" in told.err
    assert "1 unknown, 0 removed, 0 added, 0 changed, 1 unchanged" in told.out


def test_an_earlier_snapshot_is_a_better_baseline_than_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "daily-scan.json").write_bytes(b"[]\n")
    write_snapshot(tmp_path / "reports" / "test" / "20260301T100000Z-aaaaaaaa", [record(resource_id="i-1")], [cell()])
    assert _concluded(tmp_path, "daily-scan.json", monkeypatch) == 1
    told = capsys.readouterr()
    assert "comparing with reports/test/20260301T100000Z-aaaaaaaa" in told.err.replace(f"{tmp_path}/", "")
    assert "0 unknown, 1 removed, 1 added" in told.out


@pytest.mark.parametrize("content", ["# a report", '{"a": 1}'])
def test_a_file_that_is_no_report_of_ours_is_no_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (tmp_path / "daily-scan.json").write_text(content)
    assert _concluded(tmp_path, "daily-scan.json", monkeypatch) == 0
    told = capsys.readouterr().err
    assert "daily-scan.json: is no report to compare with" in told
    assert "not compared: prod has no earlier snapshot" in told


def test_changes_go_to_stderr_where_stdout_is_for_the_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_snapshot(tmp_path / "reports" / "test" / "20260301T100000Z-aaaaaaaa", [record(resource_id="i-1")], [cell()])
    assert _concluded(tmp_path, "-", monkeypatch) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "1 removed, 1 added" in told.err
