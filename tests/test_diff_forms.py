"""What a diff reads and writes: snapshots and bare files in, text, JSON, Markdown and an exit code out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from scanner.diff.changes import Why
from scanner.diff.result import diff
from scanner.diff.sources import open_source
from scanner.diff.text import text_lines
from scanner.errors import SnapshotError
from scanner.formats.schema import schema_text
from scanner.model import Outcome
from tests.builders import ACCOUNT, account, cell, record, write_snapshot
from tests.test_diff import ONE, TWO, changes_of, compared, snapshot, verdicts

ROOT = Path(__file__).parents[1]


# What can be compared


def _bare(folder: Path, name: str, records: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    if name.endswith(".json"):
        text = b"[\n" + b",\n".join(orjson.dumps(one) for one in records) + b"\n]\n" if records else b"[]\n"
    else:
        text = b"".join(orjson.dumps(one) + b"\n" for one in records)
    (folder / name).write_bytes(text)
    return folder / name


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_bare_file_proves_no_removal_and_no_addition_but_a_change_of_what_was_read(tmp_path: Path, name: str) -> None:
    three = record(resource_id="i-3", state="running", tags={"Team": "a"}, configuration={"Type": "t3"})
    moved = {**three, "state": "stopped", "tags": {"Team": "b"}, "configuration": {"Type": "t4", "Key": "k"}}
    bare = _bare(tmp_path / "bare", name, [ONE, three])
    new = snapshot(tmp_path / "new", [TWO, moved], [cell()])
    with diff(open_source(bare), open_source(new.path)) as found:
        assert verdicts(changes_of(found)) == [
            ("unknown", "i-1", ["no_ledger"]),
            ("unknown", "i-2", ["no_ledger"]),
            ("unknown", "i-3", ["no_ledger"]),
            ("changed", "i-3", []),
        ]
        *_, unknown, changed = changes_of(found)
        assert [field.path for field in unknown.fields] == ["configuration.Key"]
        assert [field.path for field in changed.fields] == ["tags.Team", "state", "configuration.Type"]
        assert found.exit_code(fail_on_change=False) == 3


def test_an_old_manifest_without_a_selection_is_no_ledger(tmp_path: Path) -> None:
    old, new = (snapshot(tmp_path / name, [one], [cell()]) for name, one in (("old", ONE), ("new", TWO)))
    del old.manifest["selection"]
    (old.path / "manifest.json").write_bytes(orjson.dumps(old.manifest))
    found = compared(old, new)
    assert verdicts(found) == [("unknown", "i-1", ["no_ledger"]), ("unknown", "i-2", ["no_ledger"])]
    assert found[0].reasons[0].text.endswith("does not say its selection: it was made by an older version")


def test_a_file_of_a_snapshot_has_the_ledger_beside_it(tmp_path: Path) -> None:
    old, new = (snapshot(tmp_path / name, [one], [cell()]) for name, one in (("old", ONE), ("new", TWO)))
    found = compared(old.path / "resources.jsonl.zst", new.path / "manifest.json")
    assert verdicts(found) == [("removed", "i-1", []), ("added", "i-2", [])]


def test_a_file_beside_a_manifest_that_does_not_list_it_has_no_ledger(tmp_path: Path) -> None:
    old, new = (snapshot(tmp_path / name, [one], [cell()]) for name, one in (("old", ONE), ("new", TWO)))
    stray = _bare(old.path, "mine.jsonl", [ONE])
    assert verdicts(compared(stray, new)) == [("unknown", "i-1", ["no_ledger"]), ("unknown", "i-2", ["no_ledger"])]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b"[\n{}\n]\n", "record 1 is no record of aws-scanner: without 'resource_arn'"),
        ("a.json", b'[\n{\n"a": 1}]', "record 1 is no JSON object on a line of its own, as aws-scanner writes them"),
        ("a.jsonl", b"17\n", "record 1 is no JSON object"),
        ("a.csv", b"x", "is neither a snapshot nor a file of records (.json, .jsonl, .jsonl.zst)"),
        ("a.jsonl", orjson.dumps(TWO) + b"\n" + orjson.dumps(ONE), "is out of order"),
        ("a.jsonl", orjson.dumps(ONE) + b"\n" + orjson.dumps(ONE), "stands twice"),
        ("a.json", b"[\n" + orjson.dumps(ONE) + b",\n", "is cut off after record 1: its array has no end"),
    ],
)
def test_a_file_that_cannot_be_believed_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    new = snapshot(tmp_path / "new", [], [cell()])
    with pytest.raises(SnapshotError) as caught:
        compared(tmp_path / name, new)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert said in str(caught.value)


def test_records_that_were_changed_after_the_scan_are_refused(tmp_path: Path) -> None:
    old, new = (snapshot(tmp_path / name, [one], [cell()]) for name, one in (("old", ONE), ("new", TWO)))
    (old.path / "resources.jsonl.zst").write_bytes((new.path / "resources.jsonl.zst").read_bytes())
    with pytest.raises(SnapshotError, match="was changed after the scan"):
        compared(old, new)


# Memory, order and hostile text


def test_a_diff_of_50_000_resources_needs_no_more_memory_than_one_of_a_thousand(tmp_path: Path) -> None:
    peaks = []
    for count in (1_000, 50_000):
        both = []
        for name, offset in (("old", 0), ("new", count // 2)):
            cells = [cell("ec2:volume", call="describe_volumes")]
            many = (record("ec2:volume", f"vol-{number:08}") for number in range(offset, offset + count))
            both.append(write_snapshot(tmp_path / f"{name}{count}", many, cells, [account()]).path)
        code = (
            "import resource, sys\nfrom scanner.diff.result import diff\nfrom scanner.diff.sources import open_source\n"
            "from scanner.diff.text import text_lines\n"
            "with diff(*map(open_source, sys.argv[1:])) as found:\n"
            "    lines = sum(1 for _ in text_lines(found))\n"
            "print(lines, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run([sys.executable, "-c", code, *both], capture_output=True, text=True, check=True, cwd=ROOT)
        lines, peak = map(int, done.stdout.split())
        assert lines == count + 3
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 8_000, peaks


def _mixed(tmp_path: Path, text: str = "web") -> tuple[Path, Path]:
    queue = {"call": "list_queues"}
    ledger = [cell(), cell("sqs:queue", **queue)]
    gap = [cell(), cell("sqs:queue", "denied", code="AccessDenied", message=f"no {text}", **queue)]
    named = record(resource_id="i-3", tags={"Owner": text}, resource_name=text, state="running")
    old = snapshot(tmp_path / "old", [ONE, named, record("sqs:queue", "q", resource_name=text)], ledger)
    new = snapshot(tmp_path / "new", [TWO, {**named, "state": "stopped", "tags": {"Owner": f"{text}2"}}], gap)
    return old.path, new.path


def test_the_text_tells_the_unknown_first_then_removed_added_changed_and_totals(tmp_path: Path) -> None:
    old, new = _mixed(tmp_path)
    with diff(open_source(old), open_source(new)) as found:
        text = "\n".join(line for _, line in text_lines(found))
    arn = f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance"
    why = f"in the new one: denied: {ACCOUNT} eu-west-1 sqs:queue list_queues: AccessDenied: no web"
    assert text == "\n".join(
        [
            "unknown: 1 resource",
            f"  not compared, {why} (1 cell)",
            f"  [1] 1 resource, {why}",
            f"  ? sqs:queue  arn:aws:sqs:eu-west-1:{ACCOUNT}:queue/q (web)  only in the old one [1]",
            "removed: 1 resource",
            f"  - ec2:instance  {arn}/i-1",
            "added: 1 resource",
            f"  + ec2:instance  {arn}/i-2",
            "changed: 1 resource",
            f"  ~ ec2:instance  {arn}/i-3 (web)",
            "      tags.Owner: web -> web2",
            "      state: running -> stopped",
            "1 unknown, 1 removed, 1 added, 1 changed, 0 unchanged; 1 cell not compared",
        ]
    )


def _program(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scanner", "diff", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


HOSTILE = "\x1b[31m[/x] | <img src=x> \u202e\nrm -rf"


@pytest.mark.parametrize("format_", ["text", "markdown", "json"])
def test_hostile_text_is_harmless_in_every_form(tmp_path: Path, format_: str) -> None:
    done = _program(*_mixed(tmp_path, HOSTILE), "--format", format_)
    assert done.returncode == 3, done.stderr
    assert not any(mark in done.stdout for mark in ("\x1b", "\u202e" if format_ != "json" else "\x1b", "\nrm"))
    if format_ == "markdown":
        assert "<img" not in done.stdout
        assert r"\| &lt;img src=x&gt;" in done.stdout


def test_the_json_of_a_diff_fits_its_schema_and_has_everything(tmp_path: Path) -> None:
    old, new = _mixed(tmp_path)
    done = _program(old, new, "--format", "json")
    said = orjson.loads(done.stdout)
    jsonschema.Draft202012Validator(orjson.loads(schema_text("diff"))).validate(said)
    assert [one["change"] for one in said["changes"]] == ["unknown", "removed", "added", "changed"]
    counts = {"unknown": 1, "removed": 1, "added": 1, "changed": 1, "unchanged": 0, "cells_not_compared": 1}
    assert said["totals"] == counts
    assert said["changes"][3]["fields"][1] == {"path": "state", "old": "running", "new": "stopped"}
    empty = orjson.loads(_program(old, old, "--format", "json").stdout)
    assert (empty["changes"], empty["totals"]["unchanged"]) == ([], 3)


# The command


def test_the_exit_code_is_3_for_unknown_1_for_a_gated_change_else_0(tmp_path: Path) -> None:
    old, new = _mixed(tmp_path)
    assert _program(old, new, "--fail-on-change").returncode == 3
    sure = [snapshot(tmp_path / name, [one], [cell()]).path for name, one in (("a", ONE), ("b", TWO))]
    assert _program(*sure, "--fail-on-change").returncode == 1
    assert _program(*sure).returncode == 0
    same = _program(sure[0], sure[0], "--fail-on-change")
    assert (same.returncode, same.stderr) == (0, "")
    assert same.stdout == "0 unknown, 0 removed, 0 added, 0 changed, 1 unchanged\n"


def test_a_file_without_a_ledger_is_told_on_stderr_with_what_that_means(tmp_path: Path) -> None:
    bare = _bare(tmp_path, "a.jsonl", [ONE])
    new = snapshot(tmp_path / "new", [ONE], [cell()])
    done = _program(bare, new.path)
    assert done.returncode == 3
    assert done.stderr == (
        f"{bare} has no ledger: no manifest.json beside it lists it: "
        "nothing can be called removed or added, only unknown\n"
    )


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            ("nowhere", "nowhere"),
            "nowhere: no such file or folder; a snapshot folder, `latest` or the folder of a profile",
        ),
        ((ROOT / "docs", ROOT / "docs"), "a folder with neither manifest.json nor latest"),
        (("a", "b", "--format", "jsn"), "--format jsn: a diff has text, json, markdown; did you mean 'json'?"),
    ],
)
def test_a_bad_command_line_exits_2_with_what_is_wanted(args: tuple[object, ...], said: str) -> None:
    done = _program(*args)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_different_filters_exit_2(tmp_path: Path) -> None:
    old = snapshot(tmp_path / "old", [ONE], [cell()], selected={"tags": [{"keys": ["Team"], "values": []}]})
    done = _program(old.path, snapshot(tmp_path / "new", [ONE], [cell()]).path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"tag filters of account {ACCOUNT} were Team=* and are none" in done.stderr


def test_every_reason_of_a_diff_is_in_its_schema_and_on_its_page() -> None:
    why = orjson.loads(schema_text("diff"))["$defs"]["why"]["enum"]
    assert why == [*Why, *Outcome]
    page = (ROOT / "docs" / "diff.md").read_text(encoding="utf-8")
    assert [word for word in Why if f"`{word}`" not in page] == []
