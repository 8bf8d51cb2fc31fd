"""Each fault of the fake AWS, as real boto3 meets it; rules as people write them; what is counted."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import exceptions as aws
from botocore.config import Config
from botocore.parsers import ResponseParserError

from scanner.catalog import load_catalog
from scanner.errors import ProfileError
from scanner.fakeaws import FakeAws, Fleet, Rule, load_rules, parse_rule
from scanner.fakeaws.faults import faults
from scanner.fakeaws.rules import Asked, Rules
from tests.conftest import Bench

PAGE = (Path(__file__).parent.parent / "docs/fake-aws.md").read_text()
LISTS = {
    "ec2": "describe_volumes",
    "elb": "describe_load_balancers",
    "sns": "list_topics",
    "ecs": "list_clusters",
    "dynamodb": "list_tables",
    "lambda": "list_functions",
    "eks": "list_clusters",
    "s3": "list_buckets",
    "resourcegroupstaggingapi": "get_resources",
}
SESSION = boto3.Session("AKIA111122223333", "x", region_name="us-east-1")


@pytest.fixture(scope="module")
def server() -> Iterator[FakeAws]:
    with FakeAws(Fleet(items=5, page_size=2)) as fake:
        yield fake


def client(server: FakeAws, service: str, read_timeout: float = 10) -> Any:
    return _client(server.url, service, read_timeout)


@lru_cache(maxsize=64)
def _client(url: str, service: str, read_timeout: float) -> Any:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout)
    return SESSION.client(service, endpoint_url=url, config=config)


def listed(server: FakeAws, service: str, **params: Any) -> dict[str, Any]:
    """One answer of a service's list."""
    more = {"ResourceTypeFilters": ["sqs"]} if service == "resourcegroupstaggingapi" else {}
    answer: dict[str, Any] = getattr(client(server, service), LISTS[service])(**more, **params)
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    return answer


def pages(server: FakeAws, service: str) -> Iterator[list[str]]:
    """The pages of a list as botocore's own paginator follows them, as texts."""
    more = {"ResourceTypeFilters": ["sqs"]} if service == "resourcegroupstaggingapi" else {}
    for page in client(server, service).get_paginator(LISTS[service]).paginate(**more):
        found = next(value for value in page.values() if isinstance(value, list))
        yield [json.dumps(one, default=str, sort_keys=True) for one in found]


CODES = {
    "deny": "UnauthorizedOperation AccessDenied AccessDenied AccessDeniedException AccessDeniedException"
    " AccessDeniedException AccessDeniedException AccessDenied AccessDeniedException",
    "deny_by_policy": "UnauthorizedOperation AccessDenied AccessDenied AccessDeniedException AccessDeniedException"
    " AccessDeniedException AccessDeniedException AccessDenied AccessDeniedException",
    "opt_in": " ".join(["OptInRequired"] * 9),
    "invalid_key": "AuthFailure InvalidClientTokenId InvalidClientTokenId UnrecognizedClientException"
    " UnrecognizedClientException UnrecognizedClientException UnrecognizedClientException InvalidAccessKeyId"
    " UnrecognizedClientException",
    "expired": "RequestExpired ExpiredToken ExpiredToken ExpiredTokenException ExpiredTokenException"
    " ExpiredTokenException ExpiredTokenException ExpiredToken ExpiredTokenException",
    "skew": "RequestExpired SignatureDoesNotMatch SignatureDoesNotMatch InvalidSignatureException"
    " InvalidSignatureException InvalidSignatureException InvalidSignatureException RequestTimeTooSkewed"
    " InvalidSignatureException",
    "throttle": "RequestLimitExceeded Throttling Throttled ThrottlingException ThrottlingException"
    " TooManyRequestsException ThrottlingException SlowDown ThrottledException",
    "bucket": "RequestLimitExceeded Throttling Throttled ThrottlingException ThrottlingException"
    " TooManyRequestsException ThrottlingException SlowDown ThrottledException",
    "error500": "InternalError InternalFailure InternalFailure ServerException InternalServerError"
    " ServiceException ServerException InternalError InternalServiceException",
    "error503": "Unavailable ServiceUnavailable ServiceUnavailable ServiceUnavailableException"
    " ServiceUnavailableException ServiceUnavailableException ServiceUnavailableException ServiceUnavailable"
    " ServiceUnavailableException",
}


def test_every_error_is_in_the_table_of_codes() -> None:
    assert set(CODES) == {fault.name for fault in faults().values() if fault.kind == "error"}


@pytest.mark.parametrize("fault", CODES)
def test_an_error_is_spelt_as_each_service_spells_it(fault: str, server: FakeAws) -> None:
    said = {}
    server.obey(Rule(fault) if fault != "bucket" else Rule(fault, rate=0.001, burst=1))
    for service, operation in LISTS.items():
        if fault == "bucket":
            getattr(client(server, service), operation)()
        with pytest.raises(aws.ClientError) as caught:
            getattr(client(server, service), operation)()
        said[service] = caught.value.response["Error"]["Code"]
        if fault == "deny_by_policy":
            assert "explicit deny in a service control policy" in str(caught.value)
    assert said == dict(zip(LISTS, CODES[fault].split(), strict=True))


@pytest.mark.parametrize("fault", ["truncated", "cut"])
def test_half_a_body_is_an_error_in_xml_and_nothing_at_all_in_json(fault: str, server: FakeAws) -> None:
    server.obey(Rule(fault))
    for service in ("ec2", "elb", "sns"):
        with pytest.raises(ResponseParserError):
            listed(server, service)
    with pytest.raises(aws.ClientError, match="500"):  # botocore knows S3
        listed(server, "s3")
    # This is why the scanner must look at what came: boto3 shows an account without a single cluster.
    assert [listed(server, service) for service in ("ecs", "dynamodb", "lambda", "eks")] == [{}] * 4


@pytest.mark.parametrize("service", LISTS)
def test_a_reset_connection_is_an_error_of_botocore(service: str, server: FakeAws) -> None:
    server.obey(Rule("reset"))
    with pytest.raises(aws.ConnectionClosedError):
        listed(server, service)


@pytest.mark.parametrize("fault", ["html", "unknown_shape"])
def test_a_lying_answer_is_http_200(fault: str, server: FakeAws) -> None:
    server.obey(Rule(fault))
    for service in ("ec2", "s3", "ecs", "lambda"):
        assert listed(server, service) in ({}, {"Owner": {}}), service


@pytest.mark.parametrize("service", LISTS)
def test_faults_of_pages_lose_and_invent_nothing(service: str, server: FakeAws) -> None:
    server.obey()
    true = list(pages(server, service))
    assert len(true) > 1
    shown = {}
    for fault in ("empty_page", "duplicate_page", "empty_last_page"):
        server.obey(Rule(fault))
        shown[fault] = list(pages(server, service))
    assert shown == {
        "empty_page": [one for page in true for one in ([], page)],
        "duplicate_page": [page for page in true for _ in range(2)],
        "empty_last_page": [*true, [], []],
    }


@pytest.mark.parametrize("service", LISTS)
@pytest.mark.parametrize("page", ["first", "later"])
def test_a_token_that_stays_the_same_shows_the_same_page(service: str, page: str, server: FakeAws) -> None:
    server.obey()
    first, second, *_ = pages(server, service)
    server.obey(Rule("same_token", page=page))
    with pytest.raises(aws.PaginationError):
        list(pages(server, service))
    shown = pages(server, service)
    # botocore's paginator looks at the token before it gives the page.
    assert next(shown) == first
    if page == "later":
        assert next(shown) == second


def test_endless_pages_have_ever_new_tokens(server: FakeAws) -> None:
    server.obey(Rule("endless"))
    found = [page for page, _ in zip(pages(server, "ecs"), range(20), strict=False)]
    assert [len(page) for page in found] == [2, 2, 1] + [0] * 17


def test_slow_bytes_and_silence_end_with_the_server() -> None:
    fake = FakeAws(Fleet(items=2), (Rule("hang", "sns"), Rule("slow", "ecs", delay_s=60))).start()
    ended: list[str] = []

    def ask(service: str) -> None:
        with contextlib.suppress(aws.HTTPClientError, ResponseParserError):
            getattr(client(fake, service, read_timeout=120), LISTS[service])()
        ended.append(service)

    threads = [threading.Thread(target=ask, args=(service,)) for service in ("sns", "ecs")]
    for one in threads:
        one.start()
    while fake.counts.faults.total() < 2:
        time.sleep(0.01)
    assert ended == []
    fake.stop()
    for one in threads:
        one.join()
    assert sorted(ended) == ["ecs", "sns"]


def test_a_silent_answer_is_a_read_timeout(server: FakeAws) -> None:
    server.obey(Rule("hang"))
    with pytest.raises(aws.ReadTimeoutError):
        client(server, "sns", read_timeout=0.05).list_topics()


def test_a_skewed_clock_stands_in_the_date_header(server: FakeAws) -> None:
    server.obey(Rule("skew", ahead_s=86_400 * 3))
    days = [_in_three_days()]
    with pytest.raises(aws.ClientError) as caught:
        client(server, "sns").list_topics()
    date = caught.value.response["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert date[:16] in (*days, _in_three_days())


def _in_three_days() -> str:
    return time.strftime("%a, %d %b %Y", time.gmtime(time.time() + 86_400 * 3))


def _asked(number: int, operation: str = "list_topics", **more: Any) -> Asked:
    return Asked("111122223333", "us-east-1", "sns", operation, 1, mark=str(number).encode(), **more)


def test_chance_is_the_same_at_each_run_and_in_any_order() -> None:
    def hits(numbers: list[int], seed: int) -> set[int]:
        rules = Rules((Rule("throttle", probability=0.3, seed=seed),))
        return {number for number in numbers if rules.hit(_asked(number))}

    numbers = list(range(1000))
    assert hits(numbers, 1) == hits(numbers[::-1], 1)
    assert hits(numbers, 1) != hits(numbers, 2)
    assert 250 < len(hits(numbers, 1)) < 350


def test_the_same_request_made_again_has_another_chance() -> None:
    rules = Rules((Rule("throttle", probability=0.5),))
    assert {rules.hit(_asked(1)) is None for _ in range(20)} == {True, False}


def test_rules_spare_the_first_and_tire_after_some() -> None:
    rules = Rules((Rule("throttle", after=2, times=3),))
    assert [bool(rules.hit(_asked(0))) for _ in range(8)] == [False] * 2 + [True] * 3 + [False] * 3


def test_a_rule_can_mean_the_first_page_or_the_later_ones() -> None:
    for page, wanted in (("any", [True, True]), ("first", [True, False]), ("later", [False, True])):
        rules = Rules((Rule("deny", page=page),))
        assert [bool(rules.hit(_asked(0, page=one))) for one in ("first", "later")] == wanted


def test_a_bucket_throttles_what_is_above_its_rate() -> None:
    now = [0.0]
    rules = Rules((Rule("bucket", rate=2, burst=3),), clock=lambda: now[0])

    def passed(count: int) -> int:
        return sum(rules.hit(_asked(0)) is None for _ in range(count))

    assert passed(10) == 3
    now[0] = 1.0
    assert passed(10) == 2
    now[0] = 100.0
    assert passed(10) == 3


def test_calls_outside_the_allow_list_are_counted_and_changes_refused(server: FakeAws) -> None:
    before = server.counts.outside.copy()
    server.obey()
    assert client(server, "ec2").describe_spot_price_history()["SpotPriceHistory"] == []
    with pytest.raises(aws.ClientError, match="InvalidAction"):
        client(server, "ec2").terminate_instances(InstanceIds=["i-1"])
    with pytest.raises(aws.ClientError, match="InvalidAction"):
        client(server, "secretsmanager").put_secret_value(SecretId="x", SecretString="y")
    changes = {
        ("111122223333", "us-east-1", "ec2", "terminate_instances"): 1,
        ("111122223333", "us-east-1", "secretsmanager", "put_secret_value"): 1,
    }
    assert server.counts.mutating == changes
    reads = {("111122223333", "us-east-1", "ec2", "describe_spot_price_history"): 1}
    assert server.counts.outside - before == {**changes, **reads}
    said = json.loads(urllib.request.urlopen(f"{server.url}/_fake-aws/counts").read())
    assert set(said) == {"calls", "outside", "mutating", "faults", "unknown"}
    assert said["mutating"] == [[*key, 1] for key in sorted(changes)]


def test_both_ways_to_write_a_rule() -> None:
    long = "throttle:service=ec2,operation=DescribeInstances,probability=0.3,after=1,times=2,page=later,seed=9"
    assert parse_rule(long) == Rule(
        "throttle", "ec2", "describe_instances", after=1, times=2, page="later", probability=0.3, seed=9
    )
    assert parse_rule("deny:rds::eu-*:444455556666") == Rule("deny", "rds", "*", "eu-*", "444455556666")
    assert parse_rule("bucket:rate=5,burst=2") == Rule("bucket", rate=5.0, burst=2)
    assert parse_rule("html") == Rule("html")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("throtle:ec2", "unknown fault 'throtle'; did you mean 'throttle'?; allowed: deny, "),
        ("deny:ec3", "unknown service 'ec3'; did you mean "),
        ("deny:ec2:describe_instanzes", "unknown operation 'describe_instanzes'; did you mean 'describe_instances'?"),
        ("deny:service=ec2,operation=Foo*", "operation 'foo*' fits none that is served"),
        ("deny:oper=x", "unknown key 'oper'; did you mean 'operation'?; allowed: fault, service, "),
        ("deny:ec2:*:us-esat-1", "unknown region 'us-esat-1'; did you mean 'us-east-1'?"),
        ("deny:ec2:*:*:12", "account '12' is no account id: 12 digits or a glob are wanted"),
        ("deny:rate=3", "`rate` is bucket's and means nothing to deny"),
        ("deny:times=0", "times '0': a whole number from 1 is wanted"),
        ("deny:probability=2", "probability '2': a number above 0, to 1 is wanted"),
        ("deny:page=second", "unknown page 'second'; allowed: any, first, later"),
        ("a:b:c:d:e:f", "FAULT:SERVICE:OPERATION:REGION:ACCOUNT has no sixth part"),
    ],
)
def test_a_bad_rule_is_refused_with_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_rule(text)
    assert str(caught.value).startswith(f"--fault {text}: {said}")


def test_all_problems_of_a_file_are_told_with_their_places(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text("- fault: deny\n  servise: ec2\n- {fault: bukket}\n- {service: ec2}\n- foo\n")
    with pytest.raises(ProfileError) as caught:
        load_rules(path)
    told = [re.sub(r"; (?:allowed|faults): .*|, as \{.*", "", line) for line in caught.value.problems]
    assert told == [
        f"{path}:2:12: [0]: unknown key 'servise'; did you mean 'service'?",
        f"{path}:3:11: [1]: unknown fault 'bukket'; did you mean 'bucket'?",
        f"{path}:4:3: [2]: `fault` is missing",
        f"{path}:5:3: [3]: a mapping is wanted",
    ]


@pytest.mark.parametrize("text", ["", "fault: deny", "- {fault: deny, fault: html}", "[", "- &a [*a]"])
def test_a_file_that_is_no_list_of_rules_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(text)
    with pytest.raises(ProfileError, match=rf"^{re.escape(str(path))}:\d:\d+: "):
        load_rules(path)
    with pytest.raises(ProfileError, match="cannot be read: No such file or directory"):
        load_rules(tmp_path / "no.yaml")


ROWS = dict(re.findall(r"^\| `(\w+)` (\| (?:error|answer|page|connection) \|.*)$", PAGE, re.MULTILINE))


def test_the_page_has_every_fault_with_an_example_that_parses(bench: Bench) -> None:
    assert list(ROWS) == list(faults())
    for fault, (kind, told, example) in ((name, row.strip("| ").split(" | ")) for name, row in ROWS.items()):
        assert (kind, told) == (faults()[fault].kind, faults()[fault].help)
        assert parse_rule(example.strip("`").removeprefix("--fault ")).fault == fault
    block = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
    (bench.folder / "faults.yaml").write_text(block)
    assert [rule.fault for rule in load_rules(bench.folder / "faults.yaml")] == ["throttle", "expired", "hang"]
    told = re.sub(r"\s+", " ", bench.here("fake-aws", "--help").stdout)
    assert all(re.search(rf"\b{fault}\b", told) for fault in faults())


def test_one_command_serves_tells_the_way_and_at_the_end_the_counts(bench: Bench) -> None:
    (bench.folder / "faults.yaml").write_text("- {fault: deny, service: sqs}\n")
    command = bench.command("fake-aws", "--items", "2", "--rules", "faults.yaml", "--fault", "throttle:sns")
    with subprocess.Popen(
        command, cwd=bench.folder, env=bench.environment(), stdout=-1, stderr=-1, text=True
    ) as process:
        assert process.stdout
        said = process.stdout.readline() + process.stdout.readline()
        found = dict(re.findall(r"(AWS_\w+)=(\S+)", said))
        keys = {
            "aws_access_key_id": found["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": found["AWS_SECRET_ACCESS_KEY"],
        }
        for service, code in (("sqs", "AccessDenied"), ("sns", "Throttled")):
            asked = boto3.client(
                service, region_name="us-east-1", endpoint_url=found["AWS_ENDPOINT_URL"], **keys,
                config=Config(retries={"total_max_attempts": 1}),
            )  # fmt: skip
            with pytest.raises(aws.ClientError, match=code):
                (asked.list_queues if service == "sqs" else asked.list_topics)()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
    assert (process.returncode, out) == (0, "")
    assert err.splitlines() == [
        "2 calls, 2 spoiled by rule, 0 mutating",
        "       1 sns list_topics",
        "       1 sqs list_queues",
        "faults: deny sqs list_queues: 1",
        "faults: throttle sns list_topics: 1",
    ]


def test_bad_options_are_told_without_serving(bench: Bench) -> None:
    with FakeAws() as taken:
        port = taken.url.rpartition(":")[2]
        for words, said in (
            (("--port", port), f"--port {port}: Address already in use\n"),
            (("--fault", "throtle"), "--fault throtle: unknown fault 'throtle'; did you mean 'throttle'?"),
            (("--rules", "no.yaml"), "--rules no.yaml: cannot be read: No such file or directory\n"),
        ):
            done = bench.here("fake-aws", *words)
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr.startswith(said)


def test_the_catalog_serves_all_that_is_listed_here() -> None:
    allowed = load_catalog().operations()
    assert set(LISTS.items()) <= allowed
