"""The options of `scan`, as typed: what they select, where the result goes, what is said, and what is refused."""

from __future__ import annotations

import csv
import io
import os
import pty
import re
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from scanner import formats, pipeline
from scanner.catalog import ResourceType, load_catalog
from scanner.cli.app import program
from scanner.cli.options import Selection
from scanner.cli.overrides import load
from scanner.errors import ProfileError
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.store.snapshots import Snapshot, load_snapshot
from tests.conftest import KEYS, Bench, records

Start = Callable[..., FakeAws]
Inside = Callable[..., None]
Done = subprocess.CompletedProcess[str]

# What most tests scan: one call.
_ONE = ("-r", "us-east-1", "-s", "sqs", "--enrich", "none")
BOXES = re.compile("[\u2500-\u257f\x1b]")


def scan(bench: Bench, server: FakeAws, *args: object, **environment: str) -> Done:
    """The program without a profile file, in one process; AWS_ENDPOINT_URL leads it to the fake AWS."""
    return bench.here("scan", *args, **{**_HERE, "AWS_ENDPOINT_URL": server.url, **environment})


_HERE = {"AWS_SCANNER__EXECUTION__EXECUTOR": "serial"}


@pytest.fixture
def inside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Inside:
    """The command line in this process, for what ends before any worker starts; exceptions come through."""
    for name, value in bench.environment(**_HERE).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(bench.folder)

    def run(*args: str, **environment: str) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        program()(args, standalone_mode=False)

    return run


def snapshot(bench: Bench) -> Snapshot:
    return load_snapshot(bench.folder / "reports" / "default")


def asked_of(server: FakeAws) -> set[tuple[str, str]]:
    """(service, operation) of every request but those of who and where."""
    calls = {(service, operation) for _, _, service, operation in list(server.calls)}
    return calls - {("sts", "get_caller_identity"), ("account", "list_regions")}


# What is selected


@pytest.mark.parametrize(
    ("args", "regions"),
    [
        (["--regions", "us-east-1,eu-west-1"], ["eu-west-1", "us-east-1"]),
        (["-r", "us-east-1", "-r", "eu-west-1"], ["eu-west-1", "us-east-1"]),
        (["-r", "us-*,!us-west-*"], ["us-east-1"]),
        (["-r", "enabled", "-r", "!us-*"], ["ap-southeast-2", "eu-west-1"]),
        ([], ["ap-southeast-2", "eu-west-1", "us-east-1", "us-west-2"]),
    ],
)
def test_regions_are_names_globs_and_exclusions(
    inside: Inside, fake: Start, capsys: pytest.CaptureFixture[str], args: list[str], regions: list[str]
) -> None:
    inside("plan", *args, "-s", "sqs", AWS_ENDPOINT_URL=fake().url, AWS_REGION="us-west-2")
    assert f"  111122223333: {', '.join(regions)}  [" in capsys.readouterr().out


def test_services_have_commas_or_are_repeated(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    for args in (["-s", "sqs,sns:topic"], ["--service", "sqs", "-s", "AWS::SNS::Topic"]):
        done = scan(bench, server, "-r", "us-east-1", *args)
        assert done.returncode == 0, done.stderr
        assert snapshot(bench).manifest["by_type"] == {"sns:topic": 1, "sqs:queue": 1}


def test_options_stand_above_the_profile_for_all_its_accounts(bench: Bench, fake: Start) -> None:
    own = [{"name": "own", "regions": ["eu-west-1"], "services": ["sns"], "tags": {"Environment": "Staging"}}]
    server = fake(Fleet(items=3))
    profile = bench.profile(server.url, accounts=own)
    done = bench.run(
        "scan", profile, "-r", "us-east-1", "-s", "sqs", "--tag-key", "Environment", "--tag-value", "Prod*"
    )
    assert done.returncode == 0, done.stderr
    found = [(one["region"], one["resource_type"], one["tags"]["Environment"]) for one in records(bench.snapshot())]
    assert found == [("us-east-1", "sqs:queue", "Production")]


_FILTERS = {
    "a value under any key": ({"tag_value": ["Staging"]}, {"Staging"}),
    "a key with any value": ({"tag_key": ["Environment"]}, {"Production", "Staging", "Development"}),
    "one filter of both": ({"tag_key": ["Environment"], "tag_value": ["Production"]}, {"Production"}),
    "several values": ({"tag_key": ["Environment"], "tag_value": ["Production,Staging"]}, {"Production", "Staging"}),
    "a glob": ({"tag_value": ["Prod*", "Nobody"]}, {"Production"}),
    "a key that no value fits": ({"tag_key": ["Name"], "tag_value": ["Production"]}, set()),
}


@pytest.mark.parametrize("said, environments", _FILTERS.values(), ids=_FILTERS)  # noqa: PT006
def test_a_tag_filter_means_the_same_to_both_collectors(
    tmp_path: Path, fake: Start, monkeypatch: pytest.MonkeyPatch, said: dict[str, list[str]], environments: set[str]
) -> None:
    for name, value in {**KEYS, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    settings = [f"endpoint_url={fake(Fleet(items=6)).url}", f"reports.dir={tmp_path}", "execution.executor=serial"]
    both = {kind.resource_type for kind in load_catalog().types if kind.tagging_api and _fake_has_tags(kind)}
    found: dict[str, set[tuple[str, str]]] = {}
    for collector in ("services", "tagging"):
        selection = Selection(
            regions=["us-east-1"], collector=collector, cache=False, enrich=["none"], settings=settings, **said
        )
        kept = [one for one in pipeline.scan(load(None, selection)).records() if one["resource_type"] in both]
        found[collector] = {(one["resource_arn"], orjson.dumps(one["tags"]).decode()) for one in kept}
        assert {one["tags"]["Environment"] for one in kept} == environments
    assert found["services"] == found["tagging"]


def _fake_has_tags(kind: ResourceType) -> bool:
    """The fake AWS's tagging API knows no children, and its calls that merge two answers have no tags."""
    return not kind.of_parent and "merge(" not in (kind.get.out if kind.get else "")


def test_all_services_asks_the_tagging_api_and_keeps_what_the_catalog_does_not_have(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2))
    done = scan(bench, server, "-r", "us-east-1", "--all-services")
    assert done.returncode == 0, done.stderr
    services = {service for service, _ in asked_of(server)}
    assert services == {"resourcegroupstaggingapi", "iam", "autoscaling"}


def test_cache_enrich_and_workers_are_said_on_the_command_line(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=2))
    args = ["-r", "us-east-1", "-s", "s3", "--enrich", "none", "--max-workers", "1", "--service-workers", "1"]
    asked = server.calls
    for option, requests in (("--cache", 1), ("--cache", 1), ("--no-cache", 2)):
        assert scan(bench, server, *args, option, AWS_SCANNER__CACHE__ENABLED="false").returncode == 0
        assert asked["111122223333", "us-east-1", "s3", "list_buckets"] == requests
    assert asked_of(server) == {("s3", "list_buckets")}


def test_the_plan_takes_the_same_options_and_names_the_command_line_as_their_origin(
    inside: Inside, capsys: pytest.CaptureFixture[str]
) -> None:
    inside(
        "plan", "--offline", "-r", "us-east-1", "-s", "ec2:volume", "--tag-key", "Team", "--max-workers", "3",
        "-p", "production", "--no-cache",
    )  # fmt: skip
    said = capsys.readouterr().out.splitlines()
    assert "  account-1: us-east-1  [regions: botocore]" in said
    for line in (
        "  regions = ['us-east-1']  [command line]",
        "  services = ['ec2:volume']  [command line]",
        "  tags = Team=*  [command line]",
        "  accounts = AWS profile production  [command line]",
        "  execution.max_workers = 3  [command line]",
        "  cache.enabled = False  [command line]",
        "  enrich = all  [default]",
    ):
        assert line in said


def test_the_policy_of_a_selection_is_the_least_for_it(inside: Inside, capsys: pytest.CaptureFixture[str]) -> None:
    inside("iam-policy", "-r", "us-east-1", "-s", "sqs", "--enrich", "none")
    assert orjson.loads(capsys.readouterr().out)["Statement"][0]["Action"] == ["sqs:ListQueues"]


# As whom


def _configured(bench: Bench, **profiles: str) -> dict[str, str]:
    """An AWS configuration whose profiles are accounts; no keys in the environment."""
    lines = [
        f"[{name}]\naws_access_key_id = AKIA{account}\naws_secret_access_key = s\n"
        for name, account in profiles.items()
    ]
    path = bench.folder / "credentials"
    path.write_text("".join(lines))
    return {"AWS_SHARED_CREDENTIALS_FILE": str(path)}


_NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


def test_the_profile_option_beats_aws_profile_and_keys_of_the_environment(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    files = _configured(bench, production="444455556666", other="777788889999")
    done = scan(bench, server, "-p", "production", *_ONE, AWS_PROFILE="other", **files)
    assert done.returncode == 0, done.stderr
    assert set(snapshot(bench).manifest["by_account"]) == {"444455556666"}
    assert "AWS profile production" in done.stderr


def test_aws_profile_and_aws_region_are_enough_and_the_region_limits_nothing(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    files = _configured(bench, production="444455556666")
    done = scan(bench, server, "-s", "sqs", AWS_PROFILE="production", AWS_REGION="us-west-2", **files, **_NO_KEYS)
    assert done.returncode == 0, done.stderr
    assert set(snapshot(bench).manifest["by_account"]) == {"444455556666"}
    assert len(snapshot(bench).manifest["by_region"]) == 4


def test_aws_region_says_in_which_partition_the_credentials_are(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    scan(bench, server, "-s", "sqs", AWS_REGION="cn-northwest-1")
    assert [region for _, region, service, _ in server.calls if service == "sts"] == ["cn-northwest-1"]


def test_an_aws_profile_may_be_a_role_that_botocore_assumes(bench: Bench, fake: Start) -> None:
    path = bench.folder / "config"
    path.write_text(
        "[profile hub]\naws_access_key_id = AKIA111122223333\naws_secret_access_key = s\n"
        "[profile role]\nrole_arn = arn:aws:iam::444455556666:role/reader\nsource_profile = hub\nregion = us-east-1\n"
    )
    files = {"AWS_CONFIG_FILE": str(path), **_NO_KEYS}
    done = scan(bench, fake(Fleet(items=1)), "-p", "role", *_ONE, AWS_PROFILE="nobody", **files)
    assert done.returncode == 0, done.stderr
    assert set(snapshot(bench).manifest["by_account"]) == {"444455556666"}


def test_a_profile_option_that_would_be_ignored_is_refused(bench: Bench, fake: Start) -> None:
    server = fake()
    done = bench.run("scan", bench.profile(server.url, accounts=[{"aws_profile": "a"}]), "-p", "b")
    assert done.returncode == 2
    assert done.stderr.startswith("command line: --profile: 'b' would be ignored: every account of the profile names")


@pytest.mark.parametrize(
    ("args", "environment", "said"),
    [
        (
            ["-p", "nobody"],
            {},
            "the AWS configuration has no profile 'nobody'; it has none: `aws configure",
        ),
        (
            [],
            {"AWS_PROFILE": "nobody"},
            "AWS_PROFILE names 'nobody', and the AWS configuration has no such profile; it has none",
        ),
        ([], _NO_KEYS, "use --profile, set AWS_PROFILE or AWS_ACCESS_KEY_ID"),
    ],
)
def test_without_usable_credentials_one_line_says_what_to_do(
    bench: Bench, fake: Start, args: list[str], environment: dict[str, str], said: str
) -> None:
    done = scan(bench, fake(), *args, "-q", "-f", "json", **environment)
    assert done.returncode == 4
    assert done.stdout == ""
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


# Where the resources go


def test_stdout_is_the_data_and_nothing_else(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=3))
    loud = scan(bench, server, *_ONE, "-f", "md")
    assert loud.returncode == 0, loud.stderr
    assert "COMPLETE" in loud.stderr
    assert "stdout (markdown)" in loud.stderr
    assert loud.stdout == _report(bench, "markdown")
    for args, format_ in {
        ("-f", "jsonl"): "jsonl",
        ("-o", "-"): "json",
        ("-o", "-", "-f", "csv"): "csv",
    }.items():
        quiet = scan(bench, server, *_ONE, *args, "-q")
        assert (quiet.stdout, quiet.stderr) == (_report(bench, format_).replace("\r\n", "\n"), "")


def test_a_file_is_written_whole_for_its_owner_in_the_format_of_its_ending(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=3))
    for args, format_ in {
        ("out/a/x.csv",): "csv",
        ("out/x.MD",): "markdown",
        ("x",): "json",
        ("x.json", "-f", "csv"): "csv",
    }.items():
        done = scan(bench, server, *_ONE, "-o", *args)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        path = bench.folder / args[0]
        assert path.read_bytes() == _report(bench, format_).encode()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [one.name for one in path.parent.iterdir() if one.name.endswith(".tmp")] == []
        assert f"Written: {args[0]}\n" in done.stderr


def _report(bench: Bench, format_: str) -> str:
    """The newest scan's resources in a format, with its own line ends."""
    out = io.BytesIO()
    formats.get(format_).write(snapshot(bench), out)
    return out.getvalue().decode()


def test_a_table_in_a_file_has_verdict_and_totals(bench: Bench, fake: Start) -> None:
    scan(bench, fake(Fleet(items=3)), *_ONE, "-o", "x.txt")
    text = (bench.folder / "x.txt").read_text()
    assert "sqs:queue" in text
    assert "COMPLETE: " in text
    assert not BOXES.search(text)


def test_an_existing_file_is_replaced_and_one_that_is_no_file_is_refused_before_the_scan(
    bench: Bench, fake: Start, inside: Inside
) -> None:
    server = fake(Fleet(items=1))
    (bench.folder / "old.json").write_text("old")
    assert scan(bench, server, *_ONE, "-o", "old.json").returncode == 0
    assert len(orjson.loads((bench.folder / "old.json").read_bytes())) == 1
    (bench.folder / "link.json").symlink_to("old.json")
    os.mkfifo(bench.folder / "pipe")
    before = server.calls.copy()
    for name, kind in {
        "link.json": "a symbolic link",
        "pipe": "a device, pipe or socket",
        ".": "a folder",
        "/dev/null": "a device, pipe or socket",
    }.items():
        with pytest.raises(ProfileError) as caught:
            inside("scan", *_ONE, "-o", name, AWS_ENDPOINT_URL=server.url)
        said = f"command line: --output: {name}: is {kind}; a file, or `-` for stdout, is wanted"
        assert caught.value.problems == [said]
    assert server.calls == before


def test_a_file_that_cannot_be_written_after_all_loses_no_scan(bench: Bench, fake: Start) -> None:
    is_removed = threading.Event()
    server = fake(Fleet(items=2), on_call=lambda asked: asked.service == "sqs" and is_removed.wait(60))
    command = bench.command("scan", *_ONE, "-o", "out/x.json", "--service-workers", "1")
    environment = bench.environment(AWS_ENDPOINT_URL=server.url)
    process = subprocess.Popen(command, cwd=bench.folder, env=environment, stderr=subprocess.PIPE, text=True)
    while not asked_of(server):
        assert process.poll() is None
        time.sleep(0.02)
    (bench.folder / "out").rmdir()
    is_removed.set()
    _, said = process.communicate()
    assert process.returncode == 2
    again = re.search(r"the scan itself is kept, its resources are shown by: aws-scanner (.*)", said)
    assert again
    assert "COMPLETE" in said
    assert len(orjson.loads(bench.run(*again[1].split()).stdout)) == 2


def test_the_table_is_the_default_shows_200_rows_and_how_to_see_the_rest(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(per_type={"sqs:queue": 260}))
    done = scan(bench, server, *_ONE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("arn:aws:sqs:") == 200
    hint = re.search(r"… 60 more: see (\S+/resources.json), or: aws-scanner (report \S+ --format csv)", done.stdout)
    assert hint
    assert len(orjson.loads((bench.folder / hint[1]).read_bytes())) == 260
    assert len(list(csv.reader(io.StringIO(bench.run(*hint[2].split()).stdout)))) == 261
    assert "COMPLETE" in done.stdout
    assert scan(bench, server, *_ONE, "-q").stdout == ""


def test_on_one_pipe_the_end_of_the_scan_is_said_once(bench: Bench, fake: Start) -> None:
    environment = bench.environment(AWS_ENDPOINT_URL=fake(Fleet(items=1)).url)
    command = bench.command("scan", *_ONE)
    said = subprocess.check_output(command, cwd=bench.folder, env=environment, stderr=subprocess.STDOUT, text=True)
    assert said.count("COMPLETE") == 1


@pytest.mark.parametrize("format_", ["table", "jsonl"])
def test_a_closed_pipe_is_no_error_and_the_exit_code_is_still_that_of_the_scan(
    bench: Bench, fake: Start, format_: str
) -> None:
    rules = (Rule("deny", "sns", "list_topics"),)
    server = fake(Fleet(per_type={"sqs:queue": 1000}), rules)
    process = subprocess.Popen(
        bench.command("scan", *_ONE, "-s", "sns", "-f", format_), cwd=bench.folder,
        env=bench.environment(AWS_ENDPOINT_URL=server.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait() == 3, said
    assert "Traceback" not in said
    assert "Exception" not in said
    assert "INCOMPLETE" in said


def _peak_kb(bench: Bench, server: FakeAws) -> int:
    """The largest memory of the program or a worker of it while it streams all records to stdout."""
    command = bench.command("scan", *_ONE, "-o", "-", "--no-cache", "-q")
    environment = bench.environment(AWS_ENDPOINT_URL=server.url)
    with (bench.folder / "out.json").open("wb") as out:
        process = subprocess.Popen(command, cwd=bench.folder, env=environment, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss


def test_50000_records_on_stdout_need_no_more_memory_than_2000(bench: Bench, fake: Start) -> None:
    few = _peak_kb(bench, fake(Fleet(per_type={"sqs:queue": 2_000})))
    many = _peak_kb(bench, fake(Fleet(per_type={"sqs:queue": 50_000})))
    assert len(orjson.loads((bench.folder / "out.json").read_bytes())) == 50_000
    assert many - few < 30_000, f"{few} KB for 2,000 and {many} KB for 50,000"


# What is said


def test_the_end_says_what_is_missing_what_to_do_what_was_found_what_it_took_and_where_it_is(
    bench: Bench, fake: Start
) -> None:
    server = fake(Fleet(items=2), (Rule("deny", "sns", "list_topics", "eu-west-1"),))
    done = scan(bench, server, "-r", "us-east-1,eu-west-1", "-s", "sqs,sns", "-o", "x.json")
    assert done.returncode == 3
    end = done.stderr[done.stderr.index("INCOMPLETE") :].splitlines()
    folder = snapshot(bench).path.relative_to(bench.folder)
    patterns = [
        r"INCOMPLETE: \d+ of \d+ cells unknown",
        r"  denied  111122223333 eu-west-1  sns:topic  get_topic_attributes: .*",
        r"  denied  111122223333 eu-west-1  sns:topic  list_tags_for_resource: .*",
        r"  denied  111122223333 eu-west-1  sns:topic  list_topics: AuthorizationError|AccessDenied: .*",
        r"  denied: Allow the role or user that scans what iam-missing\.json lists; see `aws-scanner iam-policy`\.",
        r"  iam-missing\.json allows what is missing: 1 action in 1 account",
        r"6 resources of 2 types in 2 regions, 1 of 1 account scanned",
        r"  sqs:queue 4, sns:topic 2",
        r" Region +Resources +Unknown +Most of them *",
        r" eu-west-1 +2 +[123] +sqs:queue 2 *",
        r" us-east-1 +4 +0 +sns:topic 2, sqs:queue 2 *",
        r"\d+ requests, 0 retried, 0 throttled, in [\d.]+ s",
        r"Written: x\.json",
        rf"Reports: {folder}",
        r"  iam-missing\.json, report\.md, resources\.json, resources\.jsonl\.zst, manifest\.json",
    ]
    found = [next((at for at, line in enumerate(end) if re.match(pattern, line)), None) for pattern in patterns]
    known = [at for at in found if at is not None]
    assert known == sorted(known)
    assert len(known) >= len(patterns) - 2, list(zip(patterns, found, strict=True))
    assert max(known) == len(end) - 1


def test_before_the_scan_the_configuration_and_the_regions_are_shown(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    done = scan(bench, server, "-r", "us-*", "-s", "sqs", "--tag-value", "a,\x1b[31m", "-w", "3", "--no-cache")
    said = done.stderr.splitlines()
    for line in (
        "  account    ambient credentials",
        "  regions    us-*",
        "  services   sqs",
        "  tags       any key = a or \\u001b[31m",
        "  collector  the tagging API, and the services that it does not cover",
        "  workers    3 regions side by side at the most, 8 threads each",
        "  cache      off",
        "  output     stdout (table)",
        "  111122223333  us-east-1, us-west-2",
    ):
        assert line in said, done.stderr
    assert not BOXES.search(done.stdout + done.stderr)


def test_a_dry_run_asks_only_who_and_where_and_writes_nothing(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=1))
    done = scan(bench, server, "-s", "ec2,s3", "--dry-run", "-o", "out/x.json")
    assert done.returncode == 0, done.stderr
    assert asked_of(server) == set()
    assert "Dry run: nothing was scanned" in done.stderr
    assert "would scan  1 account, 4 regions, 19 resource types, 8 units" in done.stderr
    assert "ec2:DescribeVolumes" in done.stdout
    assert not (bench.folder / "out").exists()
    assert not (bench.folder / "reports").exists()


def _on_a_terminal(bench: Bench, server: FakeAws, **environment: str) -> str:
    """All that the program shows when stdout and stderr are a terminal."""
    ours, theirs = pty.openpty()
    clean = {name: value for name, value in bench.environment().items() if name not in ("CI", "NO_COLOR")}
    variables = {**clean, "AWS_ENDPOINT_URL": server.url, "TERM": "xterm-256color", **environment}
    process = subprocess.Popen(
        bench.command("scan", *_ONE), cwd=bench.folder, env=variables, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is gone
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    assert process.wait() == 0, seen
    return seen.decode()


def test_a_terminal_has_panels_and_colours(bench: Bench, fake: Start) -> None:
    seen = _on_a_terminal(bench, fake(Fleet(items=2)))
    for text in ("╭─", " Configuration ", " Regions ", "\x1b["):
        assert text in seen
    assert seen.count("COMPLETE") == 1


@pytest.mark.parametrize("name", ["NO_COLOR", "CI"])
def test_with_no_color_or_in_ci_even_a_terminal_has_no_colour_and_no_box(bench: Bench, fake: Start, name: str) -> None:
    seen = _on_a_terminal(bench, fake(Fleet(items=2)), **{name: "1"})
    # The progress bar takes itself away with a carriage return; what is left is ours.
    lines = [line for line in seen.splitlines() if "unit" not in line or "Scanning" in line]
    assert not [line for line in lines if BOXES.search(line)]
    assert "  services   sqs" in seen


# What is refused


_REFUSED = {
    "-w 0": "--max-workers: 0 is not allowed; 1 to 20 are",
    "--service-workers 11": "--service-workers: 11 is not allowed; 1 to 10 are",
    "-r us-esat-1": "--regions: unknown region 'us-esat-1'; did you mean 'us-east-1'?",
    "-s ec2,s33": "--service: unknown service 's33'; did you mean 's3'?",
    "--enrich s34": "--enrich: unknown service 's34'; did you mean 's3'?",
    "--format xml": "--format: unknown format 'xml'; there are: csv, iam-missing, json, jsonl, markdown, md, ndjson, "
    "table",
    "-o /": "--output: /: is a folder; a file, or `-` for stdout, is wanted",
    "--tag-value ": "--tag-value: is empty; --tag-key alone asks for any value, a profile's `tags: {Key: ['']}` for "
    "an empty one",
    "-p ": "--profile: is empty; the name of an AWS profile is wanted",
    "--collector auto --set collector=both": "--collector: says the same as --set collector; give one of them",
    "--set regions": "--set regions: KEY=VALUE is wanted, such as retry.max_attempts=7",
}


def test_all_problems_of_a_command_line_are_told_at_once_under_the_names_of_the_options(
    bench: Bench, fake: Start
) -> None:
    server = fake()
    done = scan(bench, server, *(word for text in _REFUSED for word in text.split(" ")))
    assert done.returncode == 2
    assert sorted(done.stderr.splitlines()) == sorted(f"command line: {said}" for said in _REFUSED.values())
    assert (done.stdout, dict(server.calls)) == ("", {})


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--max-workers", "21"], "--max-workers: 21 is not allowed; 1 to 20 are"),
        (["-r", ","], "--regions: is empty; leave it out for all enabled regions"),
        (
            ["--collector", "tags"],
            "--collector: 'tags' is not allowed; allowed: auto, services, tagging, both",
        ),
        (["-f", "JSNL"], "--format: unknown format 'JSNL'; did you mean 'jsonl'?; there are: csv, iam-missing, json,"),
        (["--output", "/proc/x/y"], "--output: /proc/x/y: cannot be written: No such file or directory"),
        (
            ["--output", "/proc/y"],
            "--output: /proc/y: cannot be written: No such file or directory",
        ),
        (
            ["-o", "out.jsn"],
            "--output: out.jsn: no format ends in '.jsn'; there are .csv, .json, .jsonl, .md, .txt; or",
        ),
        (
            ["-o", "csv"],
            "--output: 'csv' is the name of a format, not of a file; for the format say --format csv,",
        ),
        (["-o", ""], "--output: is empty; a file or `-` for stdout is wanted"),
        (["--tag-key", "a", "--tag-key", "b"], "--tag-key: only one is possible here; a profile's `tags` may ask for"),
        (["--set", "retry.max_wait_s=1", "--set", "retry.max_wait_s=2"], "--set: says the same as retry.max_wait_s;"),
        (["--all-services", "--collector", "services"], "--all-services: would be ignored: the tagging API is what it"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_option_before_anything_is_asked(
    inside: Inside, fake: Start, capsys: pytest.CaptureFixture[str], args: list[str], said: str
) -> None:
    server = fake()
    with pytest.raises(ProfileError) as caught:
        inside("scan", *args, "-q", AWS_ENDPOINT_URL=server.url)
    assert [one.startswith(f"command line: {said}") for one in caught.value.problems] == [True], caught.value
    assert dict(server.calls) == {}
    assert capsys.readouterr() == ("", "")


# Help


FOUNDING = (
    "-r, --regions", "-s, --service", "-p, --profile", "--tag-key", "--tag-value", "-o, --output", "-f, --format",
    "--dry-run", "-w, --max-workers", "--service-workers", "--cache / --no-cache", "--all-services",
)  # fmt: skip


def test_help_has_every_option_of_the_founding_document_and_examples(
    inside: Inside, capsys: pytest.CaptureFixture[str]
) -> None:
    inside("scan", "--help", COLUMNS="80")
    text = capsys.readouterr().out
    assert [name for name in FOUNDING if f"  {name}" not in text] == []
    assert "  Examples:\n    aws-scanner scan  " in text
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from scanner.cli.app import program; program(['scan'])(['scan', '--help'], standalone_mode=False);"
        "print([n for n in ('boto3', 'botocore', 'rich', 'loguru', 'tqdm', 'yaml') if n in sys.modules])"
    )
    root = Path(__file__).parent.parent
    said: Any = subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True)
    assert said.splitlines()[-1] == "[]"
