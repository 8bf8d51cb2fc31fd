"""Endpoints: honoured as the SDKs do, said by every report, part of the cache's key, and never a password shown."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from scanner.aws.addresses import Addresses, shown
from scanner.aws.settings import DoorSettings
from scanner.errors import ProfileError
from scanner.fakeaws import FakeAws, Fleet
from scanner.profile import load_profile
from scanner.routes import host, one_endpoint, told
from tests.conftest import Bench

Start = Callable[..., FakeAws]

CONFIG = """
[default]
endpoint_url = http://default.test
services = some
[services some]
s3 =
  endpoint_url = http://s3.test
elastic_load_balancing_v2 =
  endpoint_url = http://elbv2.test
[profile plain]
region = eu-west-1
[profile ignoring]
endpoint_url = http://ignored.test
ignore_configured_endpoint_urls = true
[profile local]
endpoint_url = http://local.test
"""
SERVICES = ("s3", "sqs", "sts", "elbv2", "elb", "resourcegroupstaggingapi", "logs", "efs")
PROFILES = (None, "plain", "ignoring", "local")
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "none": {},
    "global": {"AWS_ENDPOINT_URL": "http://global.test"},
    "service": {"AWS_ENDPOINT_URL_SQS": "http://sqs.test", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": "http://e.test"},
    "both": {"AWS_ENDPOINT_URL": "http://global.test", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": "http://logs.test"},
    "ignored": {"AWS_ENDPOINT_URL": "http://global.test", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    "a profile": {"AWS_PROFILE": "local"},
}  # fmt: skip


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_service_is_asked_where_boto3_asks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    (tmp_path / "config").write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name, value in ENVIRONMENTS[environment].items():
        monkeypatch.setenv(name, value)
    addresses = Addresses(DoorSettings())
    for profile in PROFILES:
        session = boto3.Session(profile_name=profile, aws_access_key_id="a", aws_secret_access_key="b")
        for service in SERVICES:
            theirs = str(session.client(service, region_name="us-east-1").meta.endpoint_url)
            ours = addresses.of(service, profile)
            assert (ours.url if ours else None) == (theirs if theirs.endswith(".test") else None), (profile, service)


def test_the_scan_profiles_endpoint_stands_above_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://sqs.test")
    found = Addresses(DoorSettings(endpoint_url="https://mine.test")).of("sqs", None)
    assert found is not None
    assert (found.url, found.source) == ("https://mine.test", "endpoint_url of the scan profile")


def plain(bench: Bench, **settings: Any) -> Path:
    """A profile without an endpoint."""
    path = bench.profile("", **{"services": ["sqs", "sns"], "regions": ["us-east-1"], **settings})
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("endpoint_url")))
    return path


def scan(bench: Bench, profile: Path, **environment: str) -> str:
    done = bench.here("scan", profile, "--set", "execution.executor=serial", **environment)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_an_environments_endpoint_is_said_at_the_start_and_in_the_first_lines_of_every_report(
    bench: Bench, fake: Start
) -> None:
    server = fake(Fleet(items=1))
    url = server.url.replace("//", "//user:hunter2@")
    profile = plain(bench, reports={"formats": ["markdown", "table", "csv"]})
    started = scan(bench, profile, AWS_ENDPOINT_URL=url)
    hidden = server.url.replace("//", "//***@")
    assert f"endpoint   {hidden} for every service (AWS_ENDPOINT_URL)" in started
    folder = bench.snapshot().path
    assert "**Not AWS:** every service answered by this machine, 127.0.0.1" in (folder / "report.md").read_text()[:300]
    first = (folder / "report.txt").read_text().splitlines()[0]
    assert first == "Not AWS: every service answered by this machine, 127.0.0.1 (AWS_ENDPOINT_URL)"
    told = bench.snapshot().manifest["endpoints"]
    assert [(one["url"], one["services"], one["accounts"]) for one in told] == [(hidden, ["*"], ["*"])]
    assert bench.snapshot().manifest["endpoint_url"] == hidden
    for path in folder.iterdir():
        assert b"hunter2" not in path.read_bytes()
    assert "hunter2" not in started


def test_a_password_in_an_endpoint_that_cannot_be_reached_is_not_told_either(bench: Bench) -> None:
    done = bench.here("scan", plain(bench), AWS_ENDPOINT_URL="http://user:hunter2@127.0.0.1:1")
    assert done.returncode == 4
    assert "hunter2" not in done.stderr + done.stdout
    assert "//***@127.0.0.1:1" in done.stderr


def test_one_service_may_have_an_endpoint_of_its_own(bench: Bench, fake: Start) -> None:
    most, queues = fake(Fleet(items=1)), fake(Fleet(items=3))
    scan(bench, plain(bench), AWS_ENDPOINT_URL=most.url, AWS_ENDPOINT_URL_SQS=queues.url)
    snapshot = bench.snapshot()
    assert snapshot.manifest["by_type"] == {"sns:topic": 1, "sqs:queue": 3}
    assert [(one["source"], one["services"]) for one in snapshot.manifest["endpoints"]] == [
        ("AWS_ENDPOINT_URL", ["sns", "sts"]),
        ("AWS_ENDPOINT_URL_SQS", ["sqs"]),
    ]
    assert snapshot.manifest["endpoint_url"] is None
    report = (snapshot.path / "report.md").read_text().split("## Summary")[0]
    assert "sns, sts answered by this machine, 127.0.0.1 (AWS\\_ENDPOINT\\_URL)" in report
    assert "sqs answered by this machine, 127.0.0.1 (AWS\\_ENDPOINT\\_URL\\_SQS)" in report


def test_an_account_is_asked_where_its_own_profile_of_the_aws_configuration_says(bench: Bench, fake: Start) -> None:
    one, other = fake(Fleet(items=1)), fake(Fleet(items=2))
    keys = "aws_access_key_id = AKIA{0}\naws_secret_access_key = x\nendpoint_url = {1}\n"
    config = bench.folder / "config-of-aws"
    config.write_text(
        f"[profile one]\n{keys.format('1' * 12, one.url)}[profile other]\n{keys.format('2' * 12, other.url)}"
    )
    accounts = [{"aws_profile": "one"}, {"aws_profile": "other"}]
    scan(bench, plain(bench, accounts=accounts), AWS_CONFIG_FILE=str(config))
    manifest = bench.snapshot().manifest
    assert manifest["by_account"] == {"1" * 12: 2, "2" * 12: 4}
    assert [(one["source"], one["accounts"]) for one in manifest["endpoints"]] == [
        ("AWS configuration, profile one", ["1" * 12]),
        ("AWS configuration, profile other", ["2" * 12]),
    ]
    assert {account for account, *_ in one.calls} == {"1" * 12}


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_CONFIG_FILE"])
def test_answers_of_one_endpoint_are_never_those_of_another(bench: Bench, fake: Start, variable: str) -> None:
    base, found = fake(Fleet(items=1)), []
    profile = plain(bench, services=["sqs"], regions=["us-*"])
    for items in (1, 2, 1):
        server = found[0][0] if items == 1 and found else fake(Fleet(items=items, regions=("us-east-1",)))
        value = server.url
        if variable == "AWS_CONFIG_FILE":
            value = str(bench.folder / f"config-{items}")
            Path(value).write_text(f"[default]\nservices = s\n[services s]\nsqs =\n  endpoint_url = {server.url}\n")
        environment = {"AWS_ENDPOINT_URL": base.url, variable: value}
        if variable == "AWS_CONFIG_FILE":
            del environment["AWS_ENDPOINT_URL"]
            for name in ("STS", "EC2"):
                environment[f"AWS_ENDPOINT_URL_{name}"] = base.url
        scan(bench, profile, **environment)
        outcomes = {line["outcome"] for line in bench.snapshot().manifest["ledger"] if line["service"] == "sqs"}
        found.append((server, bench.snapshot().manifest["totals"]["resources"] > 0, outcomes))
    assert [outcomes for _, _, outcomes in found] == [{"ok"}, {"ok"}, {"cached"}]


def test_workers_ask_where_the_scan_says_and_not_where_their_fork_server_was_started(bench: Bench, fake: Start) -> None:
    first, second = fake(Fleet(items=1)), fake(Fleet(items=3))
    script = bench.folder / "twice.py"
    script.write_text(
        "import os, sys\n"
        "from scanner import scan\n"
        "for url in sys.argv[1:]:\n"
        "    os.environ['AWS_ENDPOINT_URL'] = url\n"
        "    print(sum(1 for _ in scan('test', services=['sqs'], cache={'enabled': False}).records()))\n"
    )
    (bench.folder / "config").mkdir()
    (bench.folder / "config" / "test.yaml").write_text("regions: [us-east-1]\n")
    command = [sys.executable, str(script), first.url, second.url]
    done = subprocess.run(command, cwd=bench.folder, env=bench.environment(), capture_output=True, text=True)
    assert done.stdout == "1\n3\n", done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "https://vpce-1.sqs.us-east-1.vpce.amazonaws.com", "http://127.0.0.1:4566", "http://localhost:1", "http://[::1]:1",
        "http://127.9.9.9", "HTTPS://example.com",
    ],
)  # fmt: skip
def test_an_endpoint_of_a_scan_profile_that_is_https_or_this_machine_is_taken(url: str) -> None:
    assert load_profile(None, {"endpoint_url": url}).profile.endpoint_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com", "http://localhost.evil.com", "http://127.0.0.1.evil.com", "http://2130706433", "http://0x7f.1",
        "http://127.1", "http://0.0.0.0", "http://169.254.169.254", "http://[::ffff:8.8.8.8]", "http://[fe80::1%lo]",
        "http://user@127.0.0.1", "http://127.0.0.1@evil.com", "https://user:word@example.com", "https://@example.com",
        "https://", "https:///path", "ftp://127.0.0.1", "127.0.0.1:4566", "file:///etc/passwd", "http://127.0.0.1:99999",
        " http://127.0.0.1 ", "http://127.0.0.1\n", "https://example.com\t", "https://exa mple.com", "http://127.0.0.1\\@evil.com",
        "https://example.com?token=x", "https://example.com#x", "http://[::1",
    ],
)  # fmt: skip
def test_every_other_endpoint_of_a_scan_profile_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(ProfileError, match="endpoint_url") as refused:
        load_profile(None, {"endpoint_url": url})
    assert "https://..., or http:// on this machine" in str(refused.value)
    assert ":word@" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "kept", "said"),
    [
        ("http://127.0.0.1:4566/", "http://127.0.0.1:4566", "this machine, 127.0.0.1"),
        ("http://a:b@localhost:1", "http://***@localhost:1", "this machine, localhost"),
        ("https://a:b@c.test/x?token=1#y", "https://***@c.test/x", "https://***@c.test/x"),
        ("http://[::1]:80", "http://[::1]:80", "this machine, ::1"),
        ("http://[bad", "***", "***"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, kept: str, said: str) -> None:
    assert (shown(url), host(url)) == (kept, said)


def test_nothing_is_told_where_aws_is_asked() -> None:
    assert told([("1", "sts", None), ("1", "sqs", None)]) == []
    assert one_endpoint([]) is None
