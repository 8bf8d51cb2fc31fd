"""The log: what --debug, --verbose, --log-file and --log-json tell, in which order, and what they never tell."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from multiprocessing import Pipe
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from botocore.exceptions import EndpointConnectionError

from scanner.aws.traces import Wanted, listen, tracer_for
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.fakeaws.server import Answer, Raw
from scanner.model import Beat, Note, Shard
from scanner.outbox import Outbox
from tests.conftest import Bench

Start = Callable[..., FakeAws]
Line = dict[str, Any]

KEYS = {"time", "level", "event", "message", "account", "region", "service", "operation", "attempt"}
UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def _lines(text: str) -> list[Line]:
    return [orjson.loads(line) for line in text.splitlines()]


def _of(lines: list[Line], operation: str) -> list[Line]:
    return [line for line in lines if line["operation"] == operation]


@pytest.mark.parametrize("executor", ["processes", "serial"])
def test_each_attempt_retry_and_page_is_a_json_object_in_order(bench: Bench, fake: Start, executor: str) -> None:
    server = fake(Fleet(items=5, page_size=2), (Rule("throttle", "sqs", "list_queues", after=1, times=1),))
    profile = bench.profile(server.url, services=["sqs"], regions=["eu-west-1"], execution={"executor": executor})
    done = bench.here("scan", profile, "--debug", "--log-json")
    assert done.returncode == 0, done.stderr
    lines = _lines(done.stderr)
    assert all(line.keys() >= KEYS and UTC.fullmatch(line["time"]) for line in lines)
    place = {"account": "111122223333", "region": "eu-west-1", "service": "sqs", "operation": "list_queues"}
    told = _of(lines, "list_queues")
    assert all(line.items() >= place.items() for line in told)
    assert [(one["event"], one["page"], one["attempt"], one.get("resources"), one.get("code")) for one in told] == [
        ("call", 1, 1, 2, None),
        ("failed", 2, 1, None, "ThrottlingException"),
        ("retry", 2, 1, None, "ThrottlingException"),
        ("call", 2, 2, 2, None),
        ("call", 3, 1, 1, None),
    ]
    assert told[2]["wait_s"] >= 0
    assert all(one["duration_ms"] > 0 and one["limiter_ms"] >= 0 for one in told if one["event"] != "retry")
    assert {line["event"] for line in lines} == {"plan", "call", "failed", "retry", "end"}
    assert [line["service"] for line in lines if line["account"] is None and line["event"] == "call"] == ["sts"]


_TWO = [
    {"name": "one"},
    {"id": "444455556666", "role_arn": "arn:aws:iam::444455556666:role/reader", "external_id": "canary-external"},
]


def test_http_lines_say_where_and_how_much_and_no_log_has_a_secret(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=3, page_size=2), (Rule("deny", "sqs", "list_queue_tags"),))
    profile = bench.profile(server.url, services=["sqs", "s3"], regions=["us-east-1"], accounts=_TWO)
    secrets = {"AWS_SECRET_ACCESS_KEY": "canary-secret", "AWS_SESSION_TOKEN": "canary-session-token"}
    switches = ("--debug", "--verbose", "--log-json")
    done = bench.here("scan", profile, *switches, **secrets, CANARY="canary-variable")
    assert done.returncode == 3, done.stderr
    http = [line for line in _lines(done.stderr) if line["event"] == "http"]
    policy = _of(http, "get_bucket_policy")[0]
    assert (policy["method"], policy["host"], policy["status"]) == ("GET", server.url.removeprefix("http://"), 200)
    assert re.fullmatch(r"/bucket-\d+\?policy", policy["path"])
    assert policy["bytes"] > 0
    assert {line["status"] for line in _of(http, "list_queue_tags")} == {400}
    assert {line["service"] for line in http} == {"sts", "sqs", "s3"}
    for secret in ("canary", "token-444455556666", "ASIA444455556666", "AKIA111122223333", "Signature", "Credential="):
        assert secret not in done.stderr + done.stdout


def test_a_log_file_takes_all_and_leaves_the_terminal_readable(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake(Fleet(items=2)).url, services=["sqs"], regions=["us-east-1"])
    log = bench.folder / "logs" / "today" / "scan.log"
    for _ in range(2):
        done = bench.here("scan", profile, "--no-cache", "--debug", "--log-file", log)
        assert done.returncode == 0, done.stderr
        assert "DEBUG" not in done.stderr
    text = log.read_text()
    assert len(re.findall(r"DEBUG +111122223333 us-east-1 sqs list_queues: page 1, attempt 1: 2 found, in ", text)) == 2
    assert "\x1b" not in text
    assert log.stat().st_mode & 0o777 == 0o600
    assert log.parent.stat().st_mode & 0o077 == 0


def test_a_quiet_scan_leaves_its_verdict_in_the_log_file_and_nothing_on_stderr(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake(Fleet(items=1)).url, services=["sqs"])
    log = bench.folder / "scan.log"
    first = bench.here("scan", profile, "--quiet", "--no-cache", "--log-file", log, "--log-json")
    second = bench.here("scan", profile, "--quiet", "--no-cache", "--compare", "--log-file", log, "--log-json")
    assert (first.returncode, first.stderr, second.returncode, second.stderr) == (0, "", 0, "")
    ends = [line for line in _lines(log.read_text()) if line["event"] == "end"]
    assert [(line["exit_code"], line["resources"]) for line in ends] == [(0, 2), (0, 2)]
    assert ends[1]["reports"] == f"reports/test/{bench.snapshot().path.name}"


def test_a_log_file_that_cannot_be_written_is_named_before_anything_is_done(bench: Bench, fake: Start) -> None:
    server = fake()
    done = bench.here("scan", bench.profile(server.url), "--log-file", bench.folder)
    assert done.returncode == 2
    assert done.stderr == f"--log-file {bench.folder}: cannot be written: Is a directory\n"
    assert server.calls.total() == 0


def test_the_error_that_ends_a_program_is_in_its_log_too(bench: Bench) -> None:
    done = bench.here("scan", "nosuch", "--log-json")
    assert done.returncode == 2
    (line,) = _lines(done.stderr)
    assert (line["level"], line["event"]) == ("ERROR", "error")
    assert "nosuch" in line["message"]
    log = bench.folder / "scan.log"
    told = bench.here("scan", "nosuch", "--log-file", log).stderr
    assert "ERROR" not in told
    assert "nosuch" in told
    assert log.read_text().count(" ERROR ") == 1


def test_a_variable_switches_traces_on_and_without_it_there_are_none(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake(Fleet(items=1)).url, services=["sqs"])
    assert "DEBUG" not in bench.here("plan", profile).stderr
    told = bench.here("plan", profile, AWS_SCANNER_DEBUG="1").stderr
    assert len(re.findall(r"DEBUG +us-east-1 sts get_caller_identity: page 1", told)) == 1
    assert "DEBUG" not in bench.here("plan", profile, AWS_SCANNER_DEBUG="0").stderr


class _Hostile(FakeAws):
    """Refuses with a message that would paint the terminal and forge a line."""

    def handle(self, raw: Raw) -> Answer:
        if "/sqs/" not in raw.headers.get("Authorization", ""):
            return super().handle(raw)
        message = "\x1b[2J<red>{extra}\u202edenied\r\n2026-01-01T00:00:00.000Z ERROR forged"
        return 403, "application/x-amz-json-1.0", orjson.dumps({"__type": "AccessDenied", "message": message})


@pytest.mark.parametrize("switches", [("--debug",), ("--debug", "--log-json")])
def test_hostile_text_stays_on_its_line(bench: Bench, switches: tuple[str, ...]) -> None:
    with _Hostile(Fleet(items=1)) as server:
        profile = bench.profile(server.url, services=["sqs"], regions=["us-east-1"])
        done = bench.here("scan", profile, *switches)
    assert done.returncode == 3
    assert "<red>{extra}" in done.stderr
    assert not set("\x1b\u202e\r") & set(done.stderr)
    assert not [line for line in done.stderr.splitlines() if line.startswith("2026-01-01")]


def test_a_flood_of_notes_is_bounded_and_counted_and_holds_up_no_shard() -> None:
    ours, theirs = Pipe(duplex=False)
    outbox = Outbox(theirs.send, notes_max=50)
    shard = Shard("a-unit", None, 0, ())
    for number in range(5_000):
        outbox.put(Note("DEBUG", str(number)))
    outbox.put(Beat("111122223333", "eu-west-1"))
    outbox.put(shard)
    heard = list(iter(ours.recv, shard))
    outbox.put(Note("DEBUG", "after"))
    outbox.put(None)
    assert list(iter(ours.recv, None)) == [Note("DEBUG", "after")]
    notes = [one for one in heard if isinstance(one, Note)]
    dropped = [dict(one.fields)["dropped"] for one in notes if dict(one.fields).get("event") == "dropped"]
    numbers = [int(one.message) for one in notes if one.message.isdigit()]
    assert numbers == sorted(numbers)
    assert len(numbers) + sum(map(int, dropped)) == 5_000  # type: ignore[arg-type]
    assert dropped
    assert [one for one in heard if not isinstance(one, Note)] == [Beat("111122223333", "eu-west-1")]


class _Session:
    """An HTTP session as botocore's: answers, or breaks."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def send(self, request: Any) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def _exchange(answer: Any, url: str) -> Line:
    """The fields of the line that one exchange is told with."""
    told: list[Note | Beat] = []
    endpoint = SimpleNamespace(http_session=_Session(answer))
    client = SimpleNamespace(_endpoint=endpoint, meta=SimpleNamespace(region_name="us-east-1"))
    listen(Wanted(http=True), told.append)
    try:
        tracer_for(client, None)
        request = SimpleNamespace(method="GET", url=url, headers={"Authorization": "canary"}, body=b"canary")
        if isinstance(answer, Exception):
            with pytest.raises(type(answer)):
                endpoint.http_session.send(request)
        else:
            assert endpoint.http_session.send(request) is answer
    finally:
        listen(Wanted(), lambda _: None)
    (note,) = told
    assert isinstance(note, Note)
    assert "canary" not in repr(note)
    return {**dict(note.fields), "message": note.message}


def test_an_exchange_is_told_without_headers_body_values_and_passwords() -> None:
    headers = {"x-amzn-requestid": "0b1f-77", "set-cookie": "canary"}
    answer = SimpleNamespace(status_code=200, headers=headers, content=b"canary!")
    line = _exchange(answer, "https://me:canary@s3.test:8443/bucket/key?list-type=2&continuation-token=canary&policy")
    assert (line["host"], line["path"]) == ("s3.test:8443", "/bucket/key?list-type&continuation-token&policy")
    assert (line["status"], line["bytes"], line["request_id"]) == (200, 7, "0b1f-77")
    assert line["message"].startswith("GET s3.test:8443/bucket/key?list-type&continuation-token&policy: 200, 7 bytes,")


def test_an_exchange_that_breaks_is_told_by_its_kind() -> None:
    line = _exchange(EndpointConnectionError(endpoint_url="https://x/?canary"), "https://x/?token=canary")
    assert line["message"].startswith("GET x/?token: EndpointConnectionError, in ")
    assert "status" not in line


def test_commands_that_ask_nothing_of_aws_take_the_options_too(bench: Bench) -> None:
    assert bench.here("types", "s3", "--debug", "--verbose", "--log-json").returncode == 0
    for command in ("demo", "report", "plan", "scan"):
        told = bench.here(command, "--help").stdout
        assert all(option in told for option in ("--debug", "--verbose", "-v", "--log-file", "--log-json"))


def test_a_disk_that_fills_up_ends_the_log_and_not_the_scan(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake(Fleet(items=1)).url, services=["sqs"])
    done = bench.here("scan", profile, "--log-file", "/dev/full")
    assert done.returncode == 0
    assert done.stderr.count("--log-file /dev/full: no more is written: No space left on device") == 1


def test_nobody_reading_stderr_ends_no_scan(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake(Fleet(items=1)).url, services=["sqs"])
    process = subprocess.Popen(
        bench.command("scan", profile, "--debug"), cwd=bench.folder, env=bench.environment(), stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stderr
    process.stderr.close()
    assert process.wait() == 0
    assert bench.snapshot().manifest["totals"]["resources"] == 2
