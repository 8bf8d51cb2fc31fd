"""Reports: complete, honest about what is unknown, the same bytes for the same fleet, harmless whatever a tag says."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
import tracemalloc
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt
from rich.console import Console
from rich.table import Table

from scanner import formats
from scanner.errors import ProfileError
from scanner.formats.notices import notice_lines
from scanner.formats.sample import Sample
from scanner.formats.schema import SCHEMAS, schema_text
from scanner.formats.summary import render_summary
from scanner.formats.table import TABLE_MINIMUM_WIDTH, render_table
from scanner.formats.text import csv_cell, markdown_cell, printable, rich_text, shortened
from scanner.model import Outcome
from scanner.store.coverage import MEANINGS, REMEDIES, coverage_of
from scanner.store.snapshots import Snapshot
from tests.builders import ACCOUNT, OTHER_ACCOUNT, account, cell, many, record, write_snapshot

ROOT = Path(__file__).parent.parent
ONE_OF_EACH = ("csv", "json", "jsonl", "markdown", "table")
HOSTILE = (
    "<script>alert(1)</script>",
    "![x](https://evil.example/p.png)",
    "[click](javascript:alert(1)) <https://evil.example> www.evil.example a@evil.example",
    "a | b || c \\| d \\",
    "`code` ``` *bold* __bold__ ~~gone~~ # h1 $x$ &lt;b&gt; &#x202e;",
    "[/red] [bold]x [link=https://evil.example]y[/link] :boom:",
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x9b2J \x7f\x00\x08",
    "user\u202egnp.exe \u2066x\u2069 \u200b\u200e\ufeff\u00ad \u2028 \u2029 \U000e0041",
    "line\nbreak\r\n| injected | row |",
    '=HYPERLINK("https://evil.example")',
    "  =1+1",
    "＝1+1",
    "\ud800 lone \udfff",
    "e\u0301\u0302\u0303" * 40,
    "x" * 5000,
)
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.one_of(st.sampled_from("|`<>&[]()*_#!\\~$:/@.\n\r\t =+-w\x1b\u202e\ud800"), st.characters())),
    st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Zs", "Cn", "Co", "Mn"]), max_size=20),
)


def written(name: str, snapshot: Snapshot, limit: int | None = None) -> bytes:
    out = io.BytesIO()
    formats.get(name).write(snapshot, out, limit=limit)
    return out.getvalue()


def report(snapshot: Snapshot, limit: int | None = None) -> str:
    return written("markdown", snapshot, limit).decode()


def on_terminal(snapshot: Snapshot, width: int = 200, limit: int | None = None) -> str:
    console = Console(file=io.StringIO(), width=width)
    render_table(snapshot, console, limit)
    render_summary(snapshot, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def assert_no_controls(text: str, allowed: str = "\n") -> None:
    found = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - set(allowed)
    assert not found, f"control characters came through: {sorted(map(ascii, found))}"


def fleet() -> list[dict[str, Any]]:
    tags = {"Environment": "Production", "Name": "web"}
    return [
        record(
            "ec2:instance", "i-0001", resource_name="web", tags=tags, state="running", cfn_type="AWS::EC2::Instance"
        ),
        record("ec2:instance", "i-0002", created_at="2026-01-02T03:04:05Z", region="us-east-1"),
        record("ecs:service", "web-cluster/web", tags=None, sources=["services", "tagging"]),
        record("iam:role", "admin", region="global", resource_arn=None, ownership=None, configuration=None),
    ]


# The registry


def test_the_formats_are_the_modules_of_the_folder() -> None:
    assert formats.names() == ("csv", "iam-missing", "json", "jsonl", "markdown", "md", "ndjson", "table")
    assert [formats.get(name).FILE for name in ONE_OF_EACH] == [
        "resources.csv",
        "resources.json",
        "resources.jsonl",
        "report.md",
        "report.txt",
    ]
    assert all(formats.get(name).FILE.endswith(formats.get(name).SUFFIX) for name in formats.names())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("jsn", 'unknown report format "jsn"; did you mean "json"?'),
        ("Markdown", 'unknown report format "Markdown"; did you mean "markdown"?'),
        ("pdf", 'unknown report format "pdf"; known are csv, iam-missing, json, jsonl, markdown, md, ndjson, table'),
    ],
)
def test_an_unknown_format_is_refused_with_the_nearest(name: str, said: str) -> None:
    with pytest.raises(ProfileError) as caught:
        formats.get(name)
    assert caught.value.problems == [said]


def test_a_new_file_in_the_folder_is_a_new_format(tmp_path: Path) -> None:
    (tmp_path / "yell.py").write_text(
        "NAMES = ('yell',)\nSUFFIX = '.txt'\nFILE = 'yell.txt'\ndef write(*_, **__): ...\n"
    )
    code = f"from scanner import formats; formats.__path__.append({str(tmp_path)!r}); print(formats.get('yell').FILE)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "yell.txt\n"


def test_naming_the_formats_imports_no_rich() -> None:
    code = "import sys; from scanner import formats; formats.names(); print('rich' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "False\n"


# json, jsonl, csv


def test_json_is_one_array_with_a_record_on_each_line(tmp_path: Path) -> None:
    text = written("json", write_snapshot(tmp_path / "s", fleet()))
    assert orjson.loads(text) == fleet()
    assert [orjson.loads(line.rstrip(b",")) for line in text.splitlines()[1:-1]] == fleet()
    assert list(orjson.loads(text)[0]) == list(record())


def test_an_empty_scan_is_an_empty_array_and_no_lines(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "s")
    assert written("json", snapshot) == b"[]\n"
    assert written("jsonl", snapshot) == b""
    assert written("csv", snapshot).count(b"\r\n") == 1


def test_jsonl_is_a_record_a_line(tmp_path: Path) -> None:
    text = written("ndjson", write_snapshot(tmp_path / "s", fleet()))
    assert [orjson.loads(line) for line in text.splitlines()] == fleet()
    assert text.endswith(b"}\n")


@pytest.mark.parametrize(("name", "lines"), [("json", 4), ("jsonl", 2), ("csv", 3)])
def test_a_limit_cuts_every_plain_format(tmp_path: Path, name: str, lines: int) -> None:
    assert len(written(name, write_snapshot(tmp_path / "s", fleet()), limit=2).splitlines()) == lines


def test_csv_has_fixed_columns_and_tells_no_tags_from_tags_not_read(tmp_path: Path) -> None:
    text = written("csv", write_snapshot(tmp_path / "s", fleet()))
    rows = list(csv.DictReader(io.StringIO(text.decode(), newline="")))
    assert text.startswith(
        b"resource_type,resource_id,resource_name,region,account_id,account_name,resource_arn,state,"
    )
    assert [row["tags"] for row in rows] == ['{"Environment":"Production","Name":"web"}', "{}", "", "{}"]
    assert [row["resource_id"] for row in rows] == ["i-0001", "i-0002", "web-cluster/web", "admin"]
    assert (rows[1]["created_at"], rows[3]["resource_arn"], rows[3]["ownership"]) == ("2026-01-02T03:04:05Z", "", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "＝"])
def test_no_csv_cell_starts_a_formula(tmp_path: Path, start: str) -> None:
    snapshot = write_snapshot(tmp_path / "s", [record(resource_name=f'{start}cmd|"x"!A1,\n')])
    row = next(csv.DictReader(io.StringIO(written("csv", snapshot).decode(), newline="")))
    assert row["resource_name"] == f'\'{printable(start)}cmd|"x"!A1,\\n'


def test_a_hostile_tag_in_csv_is_still_json_and_still_itself(tmp_path: Path) -> None:
    tags = {text.encode("utf-8", "replace").decode(): text.encode("utf-8", "replace").decode() for text in HOSTILE}
    text = written("csv", write_snapshot(tmp_path / "s", [record(tags=tags)])).decode()
    assert orjson.loads(next(csv.DictReader(io.StringIO(text, newline="")))["tags"]) == tags
    assert_no_controls(text, "\r\n")


# report.md


def test_a_complete_scan_says_so_and_where_everything_is(tmp_path: Path) -> None:
    ledger = [cell(resources=2), cell("ecs:service"), cell("iam:role", region="global"), cell("sqs:queue", "empty")]
    text = report(write_snapshot(tmp_path / "s", fleet(), ledger))
    assert text.startswith("# AWS inventory: prod\n\n**COMPLETE:** 4 of 4 cells answered.\n\n## Summary\n")
    assert "| Resources | 4 |\n" in text
    assert "| Cells answered | 4 of 4 (100 %) |\n| Gaps | 0 |\n| Expected gaps | 0 |\n" in text
    assert "## By account\n\n| Account | Resources | Unknown cells |\n| --- | --- | --- |\n" in text
    assert f"| {ACCOUNT} (prod) | 4 | 0 |\n" in text
    assert "| eu-west-1 | 2 | 0 |\n" in text
    assert "| ec2:instance | 2 | 0 |\n" in text
    assert "Asked for, answered, and found nowhere: sqs:queue.\n" in text
    assert "All 4 resources.\n" in text
    assert "| i-0001 | web | eu-west-1 | 111122223333 | running | Environment=Production, Name=web |\n" in text
    assert "| web-cluster/web |  | eu-west-1 | 111122223333 |  | not read |\n" in text


def test_a_gap_is_named_with_its_reason_and_a_remedy_before_any_resource(tmp_path: Path) -> None:
    denial = {"call": "list_queues", "code": "AccessDenied", "message": "not authorized: sqs:ListQueues"}
    ledger = [
        cell(),
        cell("sqs:queue", "denied", **denial),
        cell("sqs:queue", "denied", region="us-east-1", **denial),
        cell("sns:topic", "throttled", call="list_topics", code="Throttling", affected=7),
    ]
    text = report(write_snapshot(tmp_path / "s", fleet(), ledger))
    assert "\n**INCOMPLETE:** 3 of 4 cells unknown. What is unknown may exist" in text
    assert f"- `denied`, 2 cells. {REMEDIES[Outcome.DENIED]}\n" in text
    assert (
        f"| `denied` | {ACCOUNT} (prod) | eu-west-1, us-east-1 | sqs:queue | list\\_queues | 2 "
        "| AccessDenied | not authorized: sqs:ListQueues |\n"
    ) in text
    assert f"| `throttled` | {ACCOUNT} (prod) | eu-west-1 | sns:topic | list\\_topics | 7 | Throttling |  |\n" in text
    assert "| sqs:queue | 0 | 2 |\n" in text
    assert text.index("### Gaps") < text.index("## By account") < text.index("## Resources")
    assert "Asked for, answered" not in text


def test_an_expected_gap_is_shown_apart_and_leaves_the_scan_complete(tmp_path: Path) -> None:
    ledger = [cell(), cell("sqs:queue", "denied", expected=True, call="list_queues")]
    text = report(write_snapshot(tmp_path / "s", fleet(), ledger))
    assert "**COMPLETE:** 1 of 2 cells answered, 1 gap expected by the profile.\n" in text
    assert "### Gaps that the profile expects\n" in text
    assert "iam-missing.json" not in text  # no remedy is wanted, and there is no such file
    assert "### Gaps\n" not in text
    assert "| sqs:queue | 0 | 1 |\n" in text


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            {"tags": [{"keys": ["Env", "Stage"], "values": ["a|b"]}], "filters": {"state": ["running"]}},
            "Filtered: only resources with tag Env or Stage = a|b and state running are in it",
        ),
        ({"tags": [{"keys": [], "values": ["x"]}]}, "Filtered: only resources with tag of any key = x are in it"),
        (
            {"all_services": True},
            "Tagged only: the tagging API tells of resources that have, or had, tags; --collector both finds all",
        ),
        ({"all_services": True, "collector": "both"}, ""),
    ],
)
def test_what_is_left_out_on_purpose_is_said_before_anything_else(
    tmp_path: Path, said: dict[str, Any], line: str
) -> None:
    snapshot = write_snapshot(tmp_path / "s")
    snapshot.manifest["selection"].update(said)
    assert list(notice_lines(snapshot.manifest)) == [line] * bool(line)
    word, _, text = line.partition(": ")
    assert (f"**{word}:** {markdown_cell(text, 600)}\n" in report(snapshot)) is bool(line)


def test_answers_that_are_no_resources_are_counted_by_outcome(tmp_path: Path) -> None:
    outcomes = ["ok", "empty", "cached", "skipped", "not_enabled", "not_enabled", "not_available", "region_disabled"]
    text = report(write_snapshot(tmp_path / "s", fleet(), [cell(f"a:{n}", o) for n, o in enumerate(outcomes)]))
    answers = re.findall(r"^\| `(\w+)` \| (\d+) \| ", text, re.MULTILINE)
    assert answers == [
        ("ok", "3"),
        ("skipped", "1"),
        ("not_available", "1"),
        ("not_enabled", "2"),
        ("region_disabled", "1"),
    ]


def test_an_account_without_credentials_stands_at_the_top(tmp_path: Path) -> None:
    broken = account(OTHER_ACCOUNT, "dev", outcome="credentials", message="ExpiredToken: renew it", regions=[])
    snapshot = write_snapshot(tmp_path / "s", fleet(), [cell()], [account(), broken])
    text = report(snapshot)
    assert text.index(f"- **Account {OTHER_ACCOUNT} (dev) was not scanned** (credentials): ExpiredToken") < 400
    assert "**INCOMPLETE:** 1 account not scanned; 0 of 1 cell unknown." in text
    assert f"| {OTHER_ACCOUNT} (dev) | 0 | all |\n" in text
    assert "| Accounts scanned | 1 of 2 |\n" in text
    assert f"account {OTHER_ACCOUNT} (dev) was not scanned: credentials: ExpiredToken: renew it\n" in on_terminal(
        snapshot
    )


def test_an_account_of_unknown_id_is_still_named(tmp_path: Path) -> None:
    broken = account(None, "dev", outcome="credentials", message="no credentials were found", caller_arn=None)
    text = report(write_snapshot(tmp_path / "s", [], [], [broken]))
    assert "- **Account of unknown id (dev) was not scanned** (credentials): no credentials were found\n" in text
    assert "None were found, but not everything was answered: see above.\n" in text


def test_an_interrupted_scan_is_incomplete_whatever_its_cells_say(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "s", fleet(), [cell()], interrupted="SIGTERM")
    assert "**INCOMPLETE:** stopped by SIGTERM; 0 of 1 cell unknown." in report(snapshot)
    assert "INCOMPLETE: stopped by SIGTERM" in on_terminal(snapshot)


def test_a_share_is_never_rounded_up_to_all(tmp_path: Path) -> None:
    ledger = [cell(f"a:{n}") for n in range(2999)] + [cell("a:x", "error")]
    assert "| Cells answered | 2,999 of 3,000 (99.9 %) |" in report(write_snapshot(tmp_path / "s", (), ledger))


def test_a_plan_without_cells_is_not_called_complete(tmp_path: Path) -> None:
    assert (
        coverage_of(write_snapshot(tmp_path / "s", (), []).manifest).verdict() == "NOTHING ASKED: the plan has no cells"
    )


def test_every_gap_has_a_remedy_and_every_answer_a_meaning() -> None:
    gaps = {outcome for outcome in Outcome if outcome.is_gap} | {Outcome.REGION_DISABLED}
    assert REMEDIES.keys() == gaps
    assert MEANINGS.keys() == {o for o in Outcome if not o.is_gap} - {Outcome.EMPTY, Outcome.CACHED}


@given(st.lists(st.sampled_from("abcde")), st.integers(1, 8))
@example(list("aabccccda"), 8)
@settings(max_examples=500)
def test_a_sample_is_as_even_as_the_places_allow(places: list[str], most: int) -> None:
    sample = Sample(most, lambda place: (place,))
    for place in places:
        sample.offer(place, place)
    taken, there = Counter(row[0] for row in sample.rows), Counter(places)
    assert taken.total() == min(most, len(places))
    # A place has fewer rows than another one only where it has no more, or by the one that cannot be shared.
    assert all(taken[one] >= max(taken.values()) - 1 or taken[one] == count for one, count in there.items())


def test_the_rows_of_a_type_are_from_all_its_accounts_and_regions(tmp_path: Path) -> None:
    places = [(account_id, region) for account_id in (ACCOUNT, OTHER_ACCOUNT) for region in ("eu-west-1", "us-east-1")]
    found = [
        record("ec2:volume", f"vol-{at}{n:03}", account_id=account_id, region=region)
        for at, (account_id, region) in enumerate(places)
        for n in range(100)
    ]
    rows = re.findall(r"^\| (vol-\d+) \|", report(write_snapshot(tmp_path / "s", found), 10), re.MULTILINE)
    assert sorted(Counter(row[:5] for row in rows).values()) == [2, 2, 3, 3]


def test_the_rows_are_spread_over_the_types_and_the_rest_is_pointed_to(tmp_path: Path) -> None:
    records = [*many(1000), *(record("ec2:vpc", f"vpc-{n}") for n in range(3)), record("sqs:queue", "q")]
    snapshot = write_snapshot(tmp_path / "s", records)
    assert re.findall(r"^### (\S+) \((.+)\)$", report(snapshot, 20), re.MULTILINE) == [
        ("ec2:volume", "16 of 1,000"),
        ("ec2:vpc", "3 of 3"),
        ("sqs:queue", "1 of 1"),
    ]
    pointer = (
        "20 of 1,004 resources, spread over types, accounts and regions. The other 984 are in `resources.jsonl.zst`."
    )
    assert f"\n{pointer}\n" in report(snapshot, 20)
    (tmp_path / "s" / "resources.json").write_text("")
    assert "The other 504 are in `resources.json`.\n" in report(snapshot)
    assert "\n0 of 1,004 resources" in report(snapshot, 0)


def test_a_report_stays_below_the_step_summary_limit_whatever_is_in_it(tmp_path: Path) -> None:
    wide = "&" * 3000
    records = [record(f"a:{n % 40}{wide}", f"{n}{wide}", resource_name=wide, tags={wide: wide}) for n in range(2000)]
    ledger = [cell(f"b:{n}{wide}", "denied", region=wide, code=wide, message=wide, call=wide) for n in range(1000)]
    text = report(write_snapshot(tmp_path / "s", records, ledger), limit=100_000)
    assert len(text.encode()) < 1 << 20
    assert "850 more lines of gaps are in the ledger of `manifest.json`." in text
    assert "stops here to stay below 1 MiB" in text
    fits = report(write_snapshot(tmp_path / "t", records), limit=100_000)
    assert len(fits.encode()) < 1 << 20
    assert "stops here" not in fits
    assert len(re.findall(r"^### ", fits, re.MULTILINE)) == 41


# The terminal


def test_the_table_is_at_least_86_wide_and_loses_no_character_of_an_arn(tmp_path: Path) -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener-rule/app/web/50dc6c495c0c9188/9683b2d02a6cabee"
    snapshot = write_snapshot(
        tmp_path / "s", [record("elasticloadbalancing:listener-rule", "app/web", resource_arn=arn)]
    )
    console = Console(file=io.StringIO(), width=40)
    render_table(snapshot, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert TABLE_MINIMUM_WIDTH == 86
    assert {len(line) for line in lines} == {86}
    column = lines[1].index("Resource ARN")
    assert "".join(line[column:].strip() for line in lines[3:]) == arn
    assert re.split(r"\s{2,}", lines[1].strip()) == ["Region", "Resource Type", "Resource ID", "Resource ARN"]


def test_the_columns_have_their_colours(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system="standard")
    render_table(write_snapshot(tmp_path / "s", fleet()[:1]), console)
    row = console.file.getvalue().splitlines()[3]  # type: ignore[attr-defined]
    colours = re.findall(r"\x1b\[(\d+)m(\S+?)\s*\x1b\[0m", row)
    assert [(code, text[:9]) for code, text in colours] == [
        ("34", "eu-west-1"),
        ("33", "ec2:insta"),
        ("32", "i-0001"),
        ("37", "arn:aws:e"),
    ]


def test_the_table_shows_the_first_rows_and_where_the_others_are(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "s", many(300))
    text = on_terminal(snapshot, limit=3)
    assert text.count("vol-") == 6
    how = f"see {tmp_path / 's' / 'resources.jsonl.zst'}, or: aws-scanner report {tmp_path / 's'} --format csv"
    assert f"… 297 more: {how}\n" in text
    assert "… 100 more" in on_terminal(snapshot)
    assert "more: see" not in on_terminal(snapshot, limit=300)
    assert on_terminal(snapshot, limit=0).startswith("… 300 more: see")


def test_the_summary_names_gaps_before_totals(tmp_path: Path) -> None:
    ledger = [
        cell(),
        cell("sqs:queue", "denied", call="list_queues", code="AccessDenied", message="no"),
        cell("sns:topic", "denied", call="list_topics", expected=True),
    ]
    console = Console(file=io.StringIO(), width=80)
    render_summary(write_snapshot(tmp_path / "s", fleet(), ledger), console)
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "INCOMPLETE: 1 of 3 cells unknown, 1 gap expected by the profile",
        f"  denied  {ACCOUNT} (prod) eu-west-1  sqs:queue  list_queues: AccessDenied: no",
        f"  expected: denied  {ACCOUNT} (prod) eu-west-1  sns:topic  list_topics",
        f"  denied: {REMEDIES[Outcome.DENIED]}",
        "4 resources of 3 types in 2 regions, 1 of 1 account scanned",
        "  ec2:instance 2, ecs:service 1, iam:role 1",
        " Region     Resources  Unknown  Most of them                  ",
        " eu-west-1          2        2  ec2:instance 1, ecs:service 1 ",
        " global             1        0  iam:role 1                    ",
        " us-east-1          1        0  ec2:instance 1                ",
        "3 requests, 0 retried, 0 throttled, in 65.0 s",
        f"Reports: {tmp_path / 's'}",
        "  resources.jsonl.zst, manifest.json",
    ]


def test_regions_without_resources_are_counted_not_listed(tmp_path: Path) -> None:
    ledger = [cell(region=region) for region in ("eu-west-1", "ap-south-1", "sa-east-1")]
    text = on_terminal(write_snapshot(tmp_path / "s", fleet()[:1], ledger))
    assert "  2 regions without resources\n" in text
    assert "ap-south-1" not in text


def test_a_thousand_gaps_do_not_flood_the_terminal(tmp_path: Path) -> None:
    ledger = [cell(f"a:{n}", "denied") for n in range(1000)]
    text = on_terminal(write_snapshot(tmp_path / "s", (), ledger))
    assert "  … 980 more lines of gaps: see report.md and manifest.json\n" in text
    assert len(text.splitlines()) < 40


def test_a_table_in_a_file_is_plain_and_free_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = write_snapshot(tmp_path / "s", fleet())
    before = written("table", snapshot)
    for name, value in {"COLUMNS": "30", "FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    assert written("table", snapshot) == before
    assert b"\x1b" not in before
    assert str(tmp_path).encode() not in before


# The same fleet, the same bytes


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_two_scans_of_the_same_fleet_are_the_same_bytes(tmp_path: Path, name: str) -> None:
    first = [cell(resources=4), cell("sqs:queue", "empty"), cell("sns:topic", "denied", call="list_topics")]
    again = [
        cell("sns:topic", "denied", call="list_topics", calls=9, seen_at="2027-01-01T00:00:00Z"),
        cell("sqs:queue", "cached", calls=0),
        cell("ec2:instance", "cached", resources=4, calls=0),
    ]
    other = {"scan_id": "ffff", "started_at": "2027-01-01T00:00:00Z", "finished_at": "2027-01-01T09:00:00Z"}
    old = write_snapshot(tmp_path / "one", fleet(), first)
    new = write_snapshot(
        tmp_path / "two", fleet(), again, [account(caller_arn="arn:aws:sts::1:x")], endpoint_url="http://h:1", **other
    )
    assert written(name, old) == written(name, new)


# Hostile text


@given(texts)
def test_printable_is_one_line_without_anything_invisible(text: str) -> None:
    assert_no_controls(printable(text), "")
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a\\u202eb"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[31m", "\\u001b[31m"),
        ("\x9b\x7f", "\\u009b\\u007f"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("äöü 日本\u3000語 😀", "äöü 日本\u3000語 😀"),
    ],
)
def test_invisible_characters_are_shown_as_json_escapes_them(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(texts, st.integers(1, 120))
def test_a_markdown_cell_stays_one_cell_and_means_itself(text: str, width: int) -> None:
    markup = markdown_cell(text, width)
    assert_no_controls(markup, "")
    for html in (True, False):
        parser = MarkdownIt("commonmark", {"html": html}).enable(["table", "strikethrough"])
        tokens = parser.parse(f"| h | h | h |\n| --- | --- | --- |\n| one | {markup} | three |\n")
        cells = [token for token in tokens if token.type == "inline"]
        assert [token.type for token in tokens].count("td_open") == 3
        assert len(cells) == 6
        assert {child.type for child in cells[4].children or ()} <= {"text"}
        shown = "".join(child.content for child in cells[4].children or ())
        assert shown.split() == shortened(printable(text), width).split()


def test_no_bare_address_is_left_for_github_to_link() -> None:
    markup = markdown_cell("https://evil.example WWW.evil.example mailto:a@evil.example")
    assert markup == "https:\\//evil.example WWW\\.evil.example mailto:a\\@evil.example"


@given(texts)
def test_a_csv_cell_has_no_controls_and_no_formula(text: str) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(["one", csv_cell(text), "three"])
    row = next(csv.reader(io.StringIO(out.getvalue(), newline="")))
    assert len(row) == 3
    assert_no_controls(row[1], "")
    assert not row[1].lstrip(" ").startswith(("=", "+", "-", "@"))


@settings(deadline=None)
@given(texts)
def test_rich_shows_hostile_text_and_never_raises(text: str) -> None:
    console = Console(file=io.StringIO(), width=60, force_terminal=True, color_system=None)
    table = Table("a", "b")
    table.add_row(rich_text(text, "green"), rich_text(text))
    console.print(table)
    console.print(rich_text(text), soft_wrap=True)
    assert_no_controls(console.file.getvalue())  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_hostile_names_tags_and_messages_are_harmless_in_every_report(tmp_path: Path, name: str) -> None:
    safe = [text.encode("utf-8", "replace").decode() for text in HOSTILE]
    records = [
        record(f"x:{text[:20]}", text, resource_name=text, resource_arn=f"arn:{text}", tags={text: text}, state=text)
        for text in safe
    ]
    ledger = [cell(f"y:{text}", "denied", region=text, call=text, code=text, message=text) for text in safe]
    listed = [account(OTHER_ACCOUNT, text, outcome="credentials", message=text) for text in safe]
    profile = {"name": safe[0], "digest": "0" * 64, "path": None}
    snapshot = write_snapshot(tmp_path / "s", records, ledger, listed, profile=profile)
    text = written(name, snapshot).decode()
    if name in ("json", "jsonl"):  # data: what AWS said, as JSON escapes it
        assert "\x1b" not in text
        return
    assert_no_controls(text, "\r\n" if name == "csv" else "\n")
    if name == "markdown":
        tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
        inline = {child.type for token in tokens for child in token.children or ()}
        assert inline <= {"text", "code_inline", "strong_open", "strong_close", "softbreak"}
        assert "html_block" not in {token.type for token in tokens}


# Streaming


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return write_snapshot(tmp_path_factory.mktemp("big") / "s", many(100_000))


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_report_of_100_000_resources_needs_no_more_memory_than_one_of_a_thousand(big: Snapshot, name: str) -> None:
    class Nowhere(io.RawIOBase):
        size_bytes = 0

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.size_bytes += len(data)
            return len(data)

    out = Nowhere()
    tracemalloc.start()
    try:
        formats.get(name).write(big, out, limit=500 if name in ("markdown", "table") else None)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert out.size_bytes > 10_000
    assert peak_bytes < 16 << 20, f"{name}: {peak_bytes >> 20} MiB"


# The published schemas


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_copy_in_docs_is_current(name: str) -> None:
    assert (ROOT / "docs" / f"{name}.schema.json").read_text(encoding="utf-8") == schema_text(name)


def test_an_unknown_schema_is_refused_by_name() -> None:
    with pytest.raises(ProfileError, match=re.escape('unknown schema "../record"; known are diff, manifest, record')):
        schema_text("../record")


def schema(name: str) -> Draft202012Validator:
    text = orjson.loads(schema_text(name))
    Draft202012Validator.check_schema(text)
    return Draft202012Validator(text)


def test_the_record_schema_takes_real_records_and_gives_the_order_of_their_keys() -> None:
    linked = record(relationships=[{"type": "in", "resource_arn": "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-1"}])
    for one in [*fleet(), linked, record(account_name=None, managed_by="eks", configuration={"a": [1, None]})]:
        schema("record").validate(one)
    assert list(schema("record").schema["properties"]) == schema("record").schema["required"] == list(record())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_version", 2),
        ("resource_type", "instance"),
        ("cfn_type", ""),
        ("resource_id", None),
        ("resource_arn", "N/A"),
        ("account_id", 19211483),
        ("account_id", "1234"),
        ("region", None),
        ("tags", []),
        ("tags", {"a": None}),
        ("created_at", "2026-01-02 03:04:05"),
        ("created_at", "2026-01-02T03:04:05+00:00"),
        ("ownership", "mine"),
        ("sources", []),
        ("sources", ["services", "services"]),
        ("relationships", [{"type": "in"}]),
        ("fingerprint", "abc"),
        ("configuration", []),
        ("extra", 1),
    ],
)
def test_the_record_schema_refuses_what_is_no_record(field: str, value: Any) -> None:
    assert not schema("record").is_valid({**record(), field: value})


def test_the_record_schema_wants_every_key() -> None:
    for name in record():
        assert not schema("record").is_valid({key: value for key, value in record().items() if key != name}), name


def test_the_manifest_schema_takes_a_real_manifest_and_knows_every_outcome(tmp_path: Path) -> None:
    broken = account(None, None, partition=None, caller_arn=None, outcome="credentials", regions_source=None)
    ledger = [cell(outcome=outcome) for outcome in Outcome]
    manifest = write_snapshot(tmp_path / "s", fleet(), ledger, [account(), broken]).manifest
    schema("manifest").validate(manifest)
    assert schema("manifest").schema["$defs"]["outcome"]["enum"] == list(Outcome)
    assert not schema("manifest").is_valid({**manifest, "wall_clock": 1})


def test_the_page_on_reports_has_every_format_and_every_outcome() -> None:
    page = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    files = [formats.get(name).FILE for name in ONE_OF_EACH]
    missing = [word for word in (*formats.names(), *files, *Outcome) if f"`{word}`" not in page]
    assert missing == []
