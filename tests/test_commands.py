"""The commands around the scan: cache, regions, types, whoami, doctor. The real program against a fake AWS."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from botocore.validate import ParamValidator

from scanner.catalog import load_catalog, models
from scanner.cli.figures import size_text, span_of, span_text
from scanner.errors import ProfileError
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.model import Account
from scanner.store.snapshots import point_latest
from scanner.whoami import probe_call, probe_params
from tests.builders import record, write_snapshot
from tests.conftest import Bench

pytestmark = pytest.mark.usefixtures("bench")

Start = Callable[..., FakeAws]
Done = subprocess.CompletedProcess[str]

REGION_CALLS = [("account", "list_regions"), ("ec2", "describe_regions")]
ROLE = {"name": "sandbox", "role_arn": "arn:aws:iam::444455556666:role/reader", "external_id": "secret-external-id"}
SMALL = {"services": ["sqs", "iam"], "execution": {"executor": "serial"}}


def said(done: Done, code: int = 0) -> Any:
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stdout + done.stderr
    return orjson.loads(done.stdout)


# cache


@pytest.fixture
def filled(bench: Bench, fake: Start) -> tuple[Bench, Path, Path]:
    """A bench with a cache of five entries, the profile, and the cache's folder."""
    profile = bench.profile(fake(Fleet(items=2)).url, regions=["us-*"], **SMALL)
    assert bench.here("scan", profile, "--quiet").returncode == 0
    return bench, profile, bench.folder / "cache/aws-scanner/units"


def test_the_cache_is_shown_by_account_region_and_service(filled: tuple[Bench, Path, Path]) -> None:
    bench, profile, folder = filled
    found = said(bench.here("cache", "show", profile, "--json"))
    assert (found["folder"], found["exists"], found["entries"], found["young"]) == (str(folder), True, 4, 4)
    assert found["size_bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    places = {(one["account"], one["region"], one["service"]): one["entries"] for one in found["places"]}
    assert places == {
        ("-", "-", "region list"): 1,
        ("111122223333", "global", "iam"): 1,
        ("111122223333", "us-east-1", "sqs"): 1,
        ("111122223333", "us-west-2", "sqs"): 1,
    }
    text = bench.here("cache", "show", profile).stdout
    assert f"folder    {folder}\n" in text
    assert "entries   4 (4 young)" in text
    assert "111122223333  us-west-2  sqs" in text


def test_entries_older_than_the_ttl_are_not_young(filled: tuple[Bench, Path, Path]) -> None:
    bench, profile, _ = filled
    profile.write_text(profile.read_text() + "cache: {ttl_s: 0}\n")
    assert said(bench.here("cache", "show", profile, "--json"))["young"] == 0


def test_clear_removes_our_entries_and_says_so(filled: tuple[Bench, Path, Path]) -> None:
    bench, profile, folder = filled
    assert (
        f"removed 0 entries (0 B) from {folder}; 4 entries younger than 1h left"
        in bench.here("cache", "clear", profile, "--older-than", "1h").stdout
    )
    done = bench.here("cache", "clear", profile)
    assert done.returncode == 0
    assert done.stdout.startswith("removed 4 entries (")
    assert list(folder.iterdir()) == []


def test_clear_leaves_alone_what_is_not_ours(filled: tuple[Bench, Path, Path], tmp_path: Path) -> None:
    bench, profile, folder = filled
    precious = tmp_path / "precious"
    precious.write_text("precious")
    shard = next(path for path in folder.iterdir() if path.suffix == ".zst")
    answer = next(path for path in folder.iterdir() if path.suffix == ".json")
    foreign = {
        "notes.json": lambda path: path.write_text("{}"),
        f"{'a' * 64}.jsonl.zst": lambda path: path.write_text("no shard"),
        f"{'b' * 64}.json": lambda path: path.write_text('{"key":"other"}'),
        f"{'c' * 64}.jsonl.zst": lambda path: path.symlink_to(precious),
        f"{'d' * 64}.json": lambda path: shutil.copy(answer, path),
        f"{'e' * 64}.jsonl.zst": lambda path: path.mkdir(),
        "\x1b[31mred": lambda path: path.write_text(""),
        f"copy-{shard.name}": lambda path: shutil.copy(shard, path),
    }
    for name, make in foreign.items():
        make(folder / name)
    done = bench.here("cache", "clear", profile)
    assert done.returncode == 0
    assert {path.name for path in folder.iterdir()} == set(foreign)
    assert precious.read_text() == "precious"
    assert done.stderr.count("left alone, it is not ours:") == len(foreign)
    assert "\x1b" not in done.stderr + done.stdout
    assert len(said(bench.here("cache", "show", profile, "--json"))["foreign"]) == len(foreign)


def test_damaged_entries_and_leftovers_of_killed_runs_are_named_and_removed(filled: tuple[Bench, Path, Path]) -> None:
    bench, profile, folder = filled
    shard = next(path for path in folder.iterdir() if path.suffix == ".zst")
    shard.write_bytes(shard.read_bytes()[:20])
    (folder / f".{'f' * 64}.123.tmp").write_bytes(b"half")
    (folder / f".{'f' * 64}.json.123.ab12_x.tmp").write_bytes(b"half")
    found = said(bench.here("cache", "show", profile, "--json"))
    assert (found["entries"], found["damaged"], found["leftover"], found["young"]) == (6, 1, 2, 3)
    assert "damaged   1: of no use" in bench.here("cache", "show", profile).stdout
    bench.here("cache", "clear", profile)
    assert list(folder.iterdir()) == []


def test_a_cache_that_is_not_there_is_no_error(bench: Bench) -> None:
    assert "not there: nothing was cached yet" in bench.here("cache", "show").stdout
    done = bench.here("cache", "clear")
    assert (done.returncode, done.stdout.startswith("nothing to remove")) == (0, True)
    assert said(bench.here("cache", "show", "--json"))["exists"] is False


def _link(path: Path) -> None:
    path.symlink_to("/usr")


def _file(path: Path) -> None:
    path.write_text("a file")


def _foreign(path: Path) -> None:
    path.mkdir()
    os.chown(path, 12345, -1)


_FOLDERS = [(_link, "is a symbolic link"), (_file, "is not a folder")]
_FOLDERS += [(_foreign, "belongs to user 12345")] if os.geteuid() == 0 else []  # only root can give a folder away


@pytest.mark.parametrize(("make", "text"), _FOLDERS)
@pytest.mark.parametrize("command", ["show", "clear"])
def test_a_cache_folder_that_is_not_ours_is_told(
    bench: Bench, command: str, make: Callable[[Path], None], text: str
) -> None:
    (bench.folder / "c").mkdir()
    make(bench.folder / "c/units")
    profile = bench.profile("http://127.0.0.1:1", cache={"dir": str(bench.folder / "c")})
    done = bench.here("cache", command, profile)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{bench.folder}/c/units: {text}" in done.stderr


@pytest.mark.parametrize("text", ["", "1", "soon", "-1h", "1w", "1 h 5", "nan"])
def test_a_span_is_refused_by_name_unless_it_is_one(text: str) -> None:
    if text == "1":
        assert span_of(text, "--older-than") == 1
    else:
        with pytest.raises(ProfileError, match=r"--older-than .*90s, 10m, 1h or 2d"):
            span_of(text, "--older-than")


def test_spans_and_sizes_read_as_people_write_them() -> None:
    assert [span_of(text, "") for text in ("90s", "10m", "1.5h", "2d", "5 min")] == [90, 600, 5400, 172_800, 300]
    assert [span_text(s) for s in (42, 600, 5400, 9000, 1_000_000)] == ["42 s", "10 min", "90 min", "2.5 h", "12 d"]
    assert [size_text(b) for b in (0, 1023, 1536, 5 << 20, 3 << 40)] == [
        "0 B",
        "1,023 B",
        "1.5 KiB",
        "5.0 MiB",
        "3.0 TiB",
    ]


# types and regions


def test_types_by_pattern_and_service(bench: Bench) -> None:
    def names(*args: str) -> list[str]:
        return [line.split("\t")[0] for line in bench.here("types", *args).stdout.splitlines()]

    assert names("s3") == ["s3:bucket"]
    assert names("*:cluster", "--service", "ecs,rds") == ["ecs:cluster", "rds:cluster"]
    assert names("--service", "sqs", "-s", "sns") == ["sns:topic", "sqs:queue"]
    assert names() == [kind.resource_type for kind in load_catalog().types]


def test_types_as_json_have_calls_and_iam_actions(bench: Bench) -> None:
    assert said(bench.here("types", "ecs:service", "--json")) == [
        {
            "resource_type": "ecs:service",
            "client": "ecs",
            "cfn_type": "AWS::ECS::Service",
            "scope": "regional",
            "parent": "ecs:cluster",
            "calls": ["list_services", "describe_services"],
            "iam_actions": ["ecs:DescribeClusters", "ecs:DescribeServices", "ecs:ListClusters", "ecs:ListServices"],
            "tagging_api": True,
        }
    ]


def test_a_type_that_is_not_there_is_told_with_the_nearest(bench: Bench) -> None:
    for args in (["s33"], ["--service", "s33"]):
        done = bench.here("types", *args)
        assert done.returncode == 2
        assert "types: nothing in the catalog is called 's33'; did you mean 's3'?" in done.stderr
    done = bench.here("types", "s3", "--service", "ec2")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no type of ec2 is called 's3'" in done.stderr


def test_regions_are_known_without_aws(bench: Bench) -> None:
    rows = [line.split("\t") for line in bench.here("regions").stdout.splitlines()]
    assert {"aws", "aws-cn", "aws-us-gov"} <= {partition for partition, _ in rows}
    assert ["aws-cn", "cn-north-1"] in rows
    assert {(one["partition"], one["region"]) for one in said(bench.here("regions", "--json"))} == set(map(tuple, rows))


def test_regions_of_a_profile_offline_are_those_its_words_mean(bench: Bench, fake: Start) -> None:
    server = fake()
    profile = bench.profile(server.url, accounts=[ROLE], regions=["eu-west-*", "us-east-1"])
    rows = said(bench.here("regions", profile, "--json"))
    assert {(one["region"], one["status"]) for one in rows} == {
        ("eu-west-1", "matched"), ("eu-west-2", "matched"), ("eu-west-3", "matched"), ("us-east-1", "named"),
    }  # fmt: skip
    assert {(one["account_id"], one["account_name"], one["source"]) for one in rows} == {
        ("444455556666", "sandbox", "botocore")
    }
    assert server.calls == {}


def test_enabled_regions_are_asked_of_each_account_with_their_opt_in_status(bench: Bench, fake: Start) -> None:
    rules = [Rule("deny", *call, account="444455556666") for call in REGION_CALLS]
    server = fake(Fleet(), tuple(rules))
    done = bench.here("regions", bench.profile(server.url, accounts=[{}, ROLE]), "--enabled", "--json")
    by_region = {(one["account_id"], one["region"]): one for one in said(done)}
    assert by_region["111122223333", "eu-west-1"]["status"] == "opt-in-not-required"
    assert by_region["111122223333", "ap-east-1"]["status"] == "not-opted-in"
    assert by_region["111122223333", "eu-west-1"]["source"] == "account:ListRegions"
    assert {(one["status"], one["source"]) for one in said(done) if one["account_id"] == "444455556666"} == {
        ("unknown", "botocore")
    }
    assert "444455556666 (sandbox): not known which are enabled, botocore knows" in done.stderr
    assert "UnauthorizedOperation" in done.stderr


def test_regions_of_accounts_that_cannot_be_entered_exit_3_or_4(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(), (Rule("deny", "sts", "assume_role"),))
    assert bench.here("regions", bench.profile(server.url, accounts=[{}, ROLE]), "--enabled").returncode == 3
    assert bench.here("regions", bench.profile(server.url, accounts=[ROLE]), "--enabled").returncode == 4


# whoami


def test_whoami_names_identity_way_and_regions_of_every_account(bench: Bench, fake: Start) -> None:
    server = fake()
    accounts = said(bench.here("whoami", bench.profile(server.url, accounts=[{"name": "main"}, ROLE]), "--json"))[
        "accounts"
    ]
    main, sandbox = accounts
    assert (main["account_id"], main["partition"], main["usable"]) == ("111122223333", "aws", True)
    assert main["reached_by"] == ["environment variables (AWS_ACCESS_KEY_ID)"]
    assert main["scanned_regions"] == ["eu-west-1", "us-east-1"]
    assert main["regions_source"] == "account:ListRegions"
    assert sandbox["arn"] == "arn:aws:sts::444455556666:assumed-role/reader/aws-scanner"
    assert sandbox["reached_by"] == ["environment variables (AWS_ACCESS_KEY_ID)", f"role {ROLE['role_arn']}"]
    assert {(service, operation) for _, _, service, operation in server.calls} == {
        ("sts", "get_caller_identity"), ("sts", "assume_role"), ("account", "list_regions"),
    }  # fmt: skip


def test_whoami_names_the_role_chain_of_the_aws_configuration(bench: Bench, fake: Start) -> None:
    config = bench.folder / "aws-config"
    config.write_text(
        "[profile base]\naws_access_key_id = AKIA111122223333\naws_secret_access_key = the-secret\n"
        "[profile hop]\nrole_arn = arn:aws:iam::222233334444:role/hop\nsource_profile = base\n"
        "[profile broken]\nrole_arn = arn:aws:iam::222233334444:role/x\nsource_profile = nobody\n"
    )
    accounts = [
        {"aws_profile": "base"},
        {**ROLE, "source_profile": "hop"},
        {"aws_profile": "broken"},
        {"aws_profile": "no"},
    ]
    server = fake()
    done = bench.here(
        "whoami", bench.profile(server.url, accounts=accounts), "--json",
        AWS_CONFIG_FILE=str(config), AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_ENDPOINT_URL=server.url,
    )  # fmt: skip
    base, chained, broken, absent = said(done, 3)["accounts"]
    assert base["reached_by"] == ["AWS profile base (config-file)"]
    assert chained["reached_by"] == [
        "AWS profile base", "role arn:aws:iam::222233334444:role/hop (AWS profile hop)", f"role {ROLE['role_arn']}",
    ]  # fmt: skip
    assert broken["usable"] is absent["usable"] is False
    assert broken["reached_by"][0] == "AWS profile nobody (not there)"
    assert absent["reached_by"] == ["AWS profile no (not there)"]
    assert "the-secret" not in done.stdout + done.stderr


def test_whoami_shows_a_denied_region_list_and_is_still_usable(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(), tuple(Rule("deny", *call) for call in REGION_CALLS))
    profile = bench.profile(server.url)
    account = said(bench.here("whoami", profile, "--json"))["accounts"][0]
    assert account["denied_actions"] == ["account:ListRegions", "ec2:DescribeRegions"]
    assert {one["opt_in_status"] for one in account["regions"]} == {None}
    shown = bench.here("whoami", profile).stdout
    assert "denied      account:ListRegions in us-east-1: AccessDeniedException" in shown
    assert "denied      ec2:DescribeRegions in us-east-1: UnauthorizedOperation" in shown


def test_a_probe_makes_one_call_for_each_selected_service_and_names_denied_actions(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=50), (Rule("deny", "sqs"), Rule("deny", "iam"), Rule("throttle", "kms", times=1)))
    done = bench.here("whoami", bench.profile(server.url, regions=["eu-west-1"]), "--probe", "--json")
    account = said(done, 3)["accounts"][0]
    services = {kind.service for kind in load_catalog().types}
    assert {one["service"] for one in account["asked"][1:]} == services
    assert {one["region"] for one in account["asked"][1:]} == {"eu-west-1", "us-east-1"}
    assert account["denied_actions"] == ["iam:ListInstanceProfiles", "sqs:ListQueues"]
    per_service = {service: sum(n for key, n in server.calls.items() if key[2] == service) for service in services}
    assert {service for service, count in per_service.items() if count > 1} == {"kms"}  # a retry
    assert server.unknown == 0


@pytest.mark.parametrize("service", sorted({kind.service for kind in load_catalog().types}))
def test_every_service_has_a_probe_that_its_model_allows(service: str) -> None:
    call = probe_call([kind for kind in load_catalog().types if kind.service == service])
    assert call is not None
    assert call.iam
    params = probe_params(call, Account("111122223333", "aws", ""), "us-east-1")
    model = models.operation(service, call.operation)
    assert model is not None
    if model.input_shape is not None:
        assert not ParamValidator().validate(params, model.input_shape).has_errors()


def test_whoami_exits_3_where_an_account_is_not_usable_and_4_where_none_is(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(), (Rule("deny", "sts", "assume_role"),))
    done = bench.here("whoami", bench.profile(server.url, accounts=[{}, ROLE]))
    assert done.returncode == 3
    assert "444455556666 (sandbox): NOT USABLE" in done.stdout
    assert "refused     AccessDenied" in done.stdout
    assert ROLE["external_id"] not in done.stdout + done.stderr
    assert bench.here("whoami", bench.profile(server.url, accounts=[ROLE])).returncode == 4
    twice = said(bench.here("whoami", bench.profile(fake().url, accounts=[{"name": "a"}, {"name": "b"}]), "--json"), 3)
    assert [one["code"] for one in twice["accounts"]] == [None, "SameAccount"]


def test_whoami_never_answers_from_the_cache(bench: Bench, fake: Start) -> None:
    server = fake()
    profile = bench.profile(server.url, regions=["us-*"], **SMALL)
    bench.here("scan", profile, "--quiet")
    for _ in range(2):
        assert bench.here("whoami", profile).returncode == 0
    pages = 3  # of 37 regions
    assert server.calls["111122223333", "us-east-1", "account", "list_regions"] == 3 * pages


# doctor


def checks(done: Done, code: int) -> dict[str, dict[str, str]]:
    found = said(done, code)
    assert found["exit_code"] == code
    worst = sorted(found["checks"], key=lambda one: ["ok", "warn", "fail"].index(one["status"]))
    return {one["name"]: one for one in worst}


def test_a_healthy_machine_is_all_ok(bench: Bench, fake: Start) -> None:
    server = fake()
    profile = bench.profile(server.url, accounts=[{}, ROLE])
    found = checks(bench.here("doctor", profile, "--json"), 0)
    assert set(found) == {
        "python", "boto3", "botocore", "catalog", "profile", "cache", "reports", "workers", "network", "clock",
        "credentials", "regions",
    }  # fmt: skip
    assert {one["status"] for one in found.values()} == {"ok"}
    assert found["network"]["found"] == f"{server.url} answers"
    text = bench.here("doctor", profile).stdout
    assert "ok   credentials  444455556666 (sandbox) by environment variables" in text
    assert ROLE["external_id"] not in text
    assert not (bench.folder / "reports").exists()


def test_an_aws_profile_that_is_not_there_is_told_without_a_network(bench: Bench) -> None:
    (bench.folder / "aws").write_text("[profile audit]\nregion = eu-west-1\n")
    accounts = [{"aws_profile": "audit"}, {"role_arn": ROLE["role_arn"], "source_profile": "audti"}]
    profile = bench.profile("http://127.0.0.1:9", accounts=accounts)
    wrong = {
        "name": "aws profile", "status": "fail",
        "found": "the AWS configuration has no profile 'audti'; did you mean 'audit'?",
        "todo": "it has audit: `aws configure list-profiles`",
    }  # fmt: skip
    for words in (["--offline"], []):
        done = bench.here("doctor", profile, "--json", *words, AWS_CONFIG_FILE=str(bench.folder / "aws"))
        assert checks(done, 3)["aws profile"] == wrong


def test_offline_asks_nothing(bench: Bench) -> None:
    found = checks(bench.here("doctor", "--offline", "--json", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY=""), 0)
    assert set(found) & {"network", "clock", "credentials"} == set()


def test_a_bad_profile_exits_2_with_every_problem_and_no_secret(bench: Bench) -> None:
    path = bench.folder / "bad.yaml"
    path.write_text(
        "regions: [us-esat-1]\nservices: [s33]\naccounts: [{external_id: hunter2, regionz: x}]\n"
        "endpoint_url: https://user:hunter3@example.com\n"
    )
    done = bench.here("doctor", path, "--json")
    problems = [one["found"] for one in said(done, 2)["checks"] if one["status"] == "fail"]
    assert any("bad.yaml:3" in one and "unknown key 'regionz'" in one for one in problems)
    assert any("endpoint_url" in one for one in problems)
    assert "hunter" not in done.stdout + done.stderr
    assert bench.here("doctor", "no-such-profile").returncode == 2
    text = bench.here("doctor", path).stdout
    assert "fail profile" in text
    assert "\\n" not in text


def test_no_credentials_exit_4_and_say_what_to_set(bench: Bench, fake: Start) -> None:
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    found = checks(bench.here("doctor", bench.profile(fake().url), "--json", **none), 4)
    assert found["credentials"]["status"] == "fail"
    assert "AWS_PROFILE" in found["credentials"]["todo"]


def test_one_account_of_two_that_fails_exits_3(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(), (Rule("deny", "sts", "assume_role"),))
    found = checks(bench.here("doctor", bench.profile(server.url, accounts=[{}, ROLE]), "--json"), 3)
    assert "trust policy" in found["credentials"]["todo"]


@pytest.mark.parametrize(
    ("ahead_s", "status", "code", "text"),
    [
        (400, "fail", 3, "s behind AWS"),
        (-400, "fail", 3, "s ahead of AWS"),
        (120, "warn", 0, "more than 300 s"),
        (30, "ok", 0, ""),
    ],
)
def test_the_clock_is_compared_with_that_of_aws(
    bench: Bench, fake: Start, ahead_s: float, status: str, code: int, text: str
) -> None:
    found = checks(bench.here("doctor", bench.profile(fake(clock_ahead_s=ahead_s).url), "--json"), code)
    assert found["clock"]["status"] == status
    assert text in found["clock"]["found"]
    assert ("SignatureDoesNotMatch" in found["clock"]["found"]) == (status == "fail")


def test_a_denied_region_list_is_a_warning(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(), tuple(Rule("deny", *call) for call in REGION_CALLS))
    found = checks(bench.here("doctor", bench.profile(server.url), "--json"), 0)
    assert found["regions"]["status"] == "warn"
    assert "account:ListRegions or ec2:DescribeRegions" in found["regions"]["todo"]


def test_an_endpoint_that_cannot_be_reached_is_told_by_its_step(bench: Bench, fake: Start) -> None:
    server = fake()
    closed = "http://127.0.0.1:9"
    found = checks(bench.here("doctor", bench.profile(closed), "--json"), 3)
    assert found["network"]["found"].startswith("TCP: 127.0.0.1 port 9 cannot be connected to")
    assert found["credentials"]["found"] == "not checked: STS cannot be reached"
    found = checks(bench.here("doctor", bench.profile("https://no-such-host.invalid"), "--json"), 3)
    assert found["network"]["found"].startswith("DNS: no-such-host.invalid cannot be resolved")
    found = checks(bench.here("doctor", bench.profile(server.url.replace("http:", "https:")), "--json"), 3)
    assert found["network"]["found"].startswith("TLS: ")
    bundle = {"AWS_CA_BUNDLE": "/no/such/bundle.pem"}
    found = checks(bench.here("doctor", bench.profile("https://" + server.url[7:]), "--json", **bundle), 3)
    assert "AWS_CA_BUNDLE" in found["network"]["todo"]


def test_a_proxy_is_named_without_its_password(bench: Bench, fake: Start) -> None:
    proxy = {"http_proxy": "http://user:hunter2@127.0.0.1:9", "HTTP_PROXY": "", "no_proxy": "", "NO_PROXY": ""}
    done = bench.here("doctor", bench.profile(fake().url), "--json", **proxy)
    found = checks(done, 3)
    assert found["proxy"]["found"] == "http_proxy=http://***@127.0.0.1:9"
    assert found["network"]["found"].startswith("Proxy: ")
    assert "hunter2" not in done.stdout + done.stderr


def test_an_endpoint_in_the_environment_is_a_warning(bench: Bench, fake: Start) -> None:
    done = bench.here("doctor", "--json", AWS_ENDPOINT_URL=fake().url, AWS_ENDPOINT_URL_S3="http://u:hunter2@x")
    found = checks(done, 0)
    assert found["environment"]["status"] == "warn"
    assert "hunter2" not in done.stdout


def test_folders_that_cannot_be_used_fail(bench: Bench, fake: Start) -> None:
    (bench.folder / "file").write_text("")
    settings = {"cache": {"dir": str(bench.folder / "file")}, "reports": {"dir": str(bench.folder / "file" / "x")}}
    found = checks(bench.here("doctor", bench.profile(fake().url, **settings), "--offline", "--json"), 3)
    assert "is not a folder" in found["cache"]["found"]
    assert "is not a folder" in found["reports"]["found"]
    assert found["reports"]["todo"] == "set reports.dir to another place"


def test_a_home_that_cannot_keep_the_catalog_is_a_warning(bench: Bench) -> None:
    found = checks(bench.here("doctor", "--offline", "--json", XDG_CACHE_HOME="/dev/null"), 3)
    assert found["catalog"]["status"] == "warn"
    assert "is not a folder" in found["cache"]["found"]


def test_a_broken_aws_configuration_is_told_without_a_traceback(bench: Bench, fake: Start) -> None:
    config = bench.folder / "aws-config"
    config.write_text("[profile\nno = yes\n[[[")
    for command, code in (("doctor", 4), ("whoami", 4), ("scan", 4)):
        done = bench.here(command, bench.profile(fake().url), AWS_CONFIG_FILE=str(config))
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stdout + done.stderr


def test_hostile_text_of_a_profile_is_harmless_on_the_terminal(bench: Bench) -> None:
    path = bench.folder / "p.yaml"
    path.write_text(yaml.safe_dump({"regions": ["\x1b[31m\u202e"]}, allow_unicode=True))
    done = bench.here("doctor", path, "--offline")
    assert done.returncode == 2
    assert not {"\x1b", "\u202e"} & set(done.stdout + done.stderr)


def test_plan_and_iam_policy_name_the_same_actions(bench: Bench) -> None:
    for words in (("-s", "sqs,ecs"), ("--all-services",), ("-s", "s3", "-r", "us-east-1", "--enrich", "none")):
        policy = orjson.loads(bench.here("iam-policy", *words).stdout)["Statement"][0]["Action"]
        planned = bench.here("plan", "--offline", *words).stdout.partition("IAM actions needed\n")[2].split("\n\n")[0]
        assert planned.split() == policy


def test_a_report_goes_to_the_file_and_in_the_format_that_scan_would_take(bench: Bench) -> None:
    path = write_snapshot(bench.folder / "reports" / "prod" / "20260301T100000Z-aaaaaaaa", [record()]).path
    point_latest(path)
    done = bench.here("report", "reports/prod", "-o", "new/prod.csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "written: new/prod.csv\n")
    assert (bench.folder / "new/prod.csv").read_text() == bench.here("report", path, "-f", "csv").stdout
    for words, said in {
        ("prod",): "prod: no such file or folder; did you mean reports/prod?; a snapshot folder, `latest` or",
        ("reports/prod", "-o", "x.cvs"): "command line: --output: x.cvs: no format ends in '.cvs'; there are .csv, ",
        ("reports/prod", "-f", "cvs"): "command line: --format: unknown format 'cvs'; did you mean 'csv'?; there are: ",
        ("reports/prod", "-o", "/proc/x.csv"): "command line: --output: /proc/x.csv: cannot be written: ",
    }.items():
        done = bench.here("report", *words)
        assert (done.returncode, done.stdout, done.stderr.startswith(said)) == (2, "", True), done.stderr


def test_the_version_is_a_command_and_an_option(bench: Bench) -> None:
    command, option = bench.run("version"), bench.run("--version")
    assert option.stdout == command.stdout
    assert option.stdout.startswith(f"aws-scanner {metadata.version('aws-scanner')}\n")


@pytest.mark.parametrize("words", [["types"], ["version"], ["schema", "record"], ["plan", "--offline"]])
def test_an_output_that_cannot_be_written_is_no_defect(bench: Bench, words: list[str]) -> None:
    asked = {"cwd": bench.folder, "env": bench.environment()}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(bench.command(*words), stdout=full, stderr=subprocess.PIPE, text=True, **asked)
    assert (done.returncode, done.stderr) == (2, "the output cannot be written: No space left on device\n")


@pytest.mark.parametrize("words", [["whoami"], ["doctor"], ["regions", "--enabled"]])
def test_an_aws_profile_can_be_named_where_a_remedy_says_so(bench: Bench, fake: Start, words: list[str]) -> None:
    (bench.folder / "aws").write_text(
        "[profile hub]\naws_access_key_id = AKIA111122223333\naws_secret_access_key = s\n"
        "[profile role]\nrole_arn = arn:aws:iam::444455556666:role/reader\nsource_profile = hub\nregion = us-east-1\n"
    )
    there = {"AWS_CONFIG_FILE": str(bench.folder / "aws"), "AWS_ENDPOINT_URL": fake().url}
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    done = bench.here(*words, "-p", "role", **there, **none)
    assert (done.returncode, "444455556666" in done.stdout) == (0, True), done.stderr
    wrong = bench.here(*words, "--profile", "rle", **there, **none)
    assert wrong.returncode == 4
    assert "the AWS configuration has no profile 'rle'" in wrong.stdout + wrong.stderr
    assert "did you mean 'role'?; it has hub, role" in wrong.stdout + wrong.stderr
    if words[0] == "regions":
        ignored = bench.here("regions", "-p", "role", **there)
        assert (ignored.returncode, "would be ignored" in ignored.stderr) == (2, True)
