"""Profiles: layers, what is refused, and how it is said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from scanner.catalog.strict_yaml import load_marked
from scanner.errors import ProfileError
from scanner.model import Cell, Outcome, TagFilter
from scanner.profile import Flags, LoadedProfile, load_profile
from scanner.profile.docs import reference_markdown, schema_json

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("AWS_SCANNER__"):
            monkeypatch.delenv(name)


def load(folder: Path, text: str, **overrides: Any) -> LoadedProfile:
    path = folder / "p.yaml"
    path.write_text(text)
    return load_profile(path, overrides)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ProfileError) as caught:
        load(folder, text)
    return str(caught.value).replace(str(folder), "")


def test_command_line_over_environment_over_yaml_over_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SCANNER__RETRY__MAX_ATTEMPTS", "7")
    monkeypatch.setenv("AWS_SCANNER__REGIONS", "us-east-1,eu-west-1")
    text = "regions: [us-west-2]\nretry: {max_attempts: 3, max_wait_s: 9}\nexecution: {max_workers: 2}\n"
    loaded = load(tmp_path, text, execution={"max_workers": 4})
    profile = loaded.profile
    assert (profile.retry.max_attempts, profile.retry.max_wait_s, profile.retry.initial_wait_s) == (7, 9, 0.5)
    assert (profile.regions, profile.execution.max_workers, profile.name) == (["us-east-1", "eu-west-1"], 4, "p")
    assert loaded.origins["retry.max_attempts"] == "environment AWS_SCANNER__RETRY__MAX_ATTEMPTS"
    assert loaded.origins["retry.max_wait_s"] == f"{tmp_path}/p.yaml:2"
    assert loaded.origins["execution.max_workers"] == "command line"
    assert loaded.origins["cache.ttl_s"] == "default"


def test_all_problems_are_told_at_once_with_place_line_and_nearest_match(tmp_path: Path) -> None:
    words = "regions: [us-esat-1]\nservices: [ec2, s33]\nexpect: [{service: ec3, outcome: denied}]\n"
    said = refusal(tmp_path, f"{words}retry: {{max_attempts: 0}}\n")
    assert "/p.yaml:4:23: retry.max_attempts: input should be greater than or equal to 1" in said
    assert "/p.yaml:1:11: regions[0]: unknown region 'us-esat-1'; did you mean" in said
    assert "/p.yaml:2:17: services[1]: unknown service 's33'; did you mean 's3'?\n    services: [ec2, s33]\n" in said
    assert "                    ^" in said
    assert "expect[0].service: unknown service 'ec3'" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("- a\n", "is a list; a mapping is wanted"),
        ("regons: [us-east-1]\n", "p.yaml:1:1: regons: unknown key 'regons'; did you mean 'regions'?"),
        ("regions[0]: us-east-1\n", "p.yaml:1:1: regions[0]: unknown key 'regions[0]'; did you mean 'regions'?"),
        ("regions:\n", "p.yaml:1:9: regions: is empty; leave it out for the default"),
        (
            "name: my profile\n",
            "name: 'my profile' is no name: at most 64 letters, digits, '.', '_' and '-' are wanted",
        ),
        ("cache: {enabled: maybe}\n", "p.yaml:1:18: cache.enabled: true or false is wanted"),
        ("retry: {max_attempts: 1.5}\n", "retry.max_attempts: a whole number is wanted"),
        ("tags: {Backup: {values: [x]}}\n", "tags: Backup: a mapping: a text or a list of texts is wanted"),
        ("tags: {Backup: [x, null]}\n", "tags: Backup: null: a text or a list of texts is wanted, or null alone"),
        ("tags: {Backup: [[x]]}\n", "tags: Backup: a list: a text or a list of texts is wanted"),
        (
            "expect: [{account: 44445555666, outcome: denied}]\n",
            "p.yaml:1:20: expect[0].account: '44445555666' is no account id: 12 digits are wanted",
        ),
        ("expect: [{region: '!us-*', outcome: denied}]\n", "'!us-*' is what no cell has; a region or a glob is wanted"),
        (
            "accounts: [{name: sandbox, id: 111122223333}]\nexpect: [{account: sandbox, outcome: denied}]\n",
            "p.yaml:2:20: expect[0].account: 'sandbox' is in the ledger by its id, 111122223333",
        ),
        ("expect: [{region: us-esat-1, outcome: denied}]\n", "expect[0].region: unknown region 'us-esat-1'; did you"),
        (
            "services: [cloudfront]\n",
            "services[0]: the catalog has no resource types of 'cloudfront'; `aws-scanner types`",
        ),
        (
            "services: ['rds:instance']\n",
            "rds has no resource type 'rds:instance'; there are: rds:cluster, rds:cluster-sn",
        ),
        ("services: [EC2]\n", "unknown service 'EC2'; did you mean 'ec2'?"),
        ("services: all\n", "unknown service 'all'; did you mean '*'?"),
        ("services: s3 ec2\n", "unknown service 's3 ec2'; several are separated by commas"),
        ("regions: all\n", "unknown region 'all'; did you mean 'enabled'?"),
        ("regions: [US-EAST-1]\n", "unknown region 'US-EAST-1'; did you mean 'us-east-1'?"),
        ("regions: [us-est-1]\n", "unknown region 'us-est-1'; did you mean 'us-west-1' or 'us-east-1'?"),
        ("retry: {max_attemps: 3}\n", "p.yaml:1:9: retry.max_attemps: unknown key"),
        ("regions: [us-east-1]\nregions: [us-east-2]\n", "2:1: duplicate key 'regions': it is already set in line 1"),
        ("accounts: [{id: 123}]\n", "'123' is no account id: 12 digits are wanted"),
        (
            "accounts: [{aws_profile: a, role_arn: 'arn:aws:iam::111122223333:role/r'}]\n",
            "both aws_profile and role_arn",
        ),
        ("accounts: [{external_id: abc}]\n", "external_id mean nothing without role_arn"),
        ("accounts: [{role_arn: 'arn:aws:iam::1:role/r'}]\n", "accounts[0].role_arn"),
        (
            "accounts: [{id: 111122223333}, {id: 111122223333}]\n",
            "p.yaml:1:37: accounts[1].id: two accounts have the id 111122223333\n",
        ),
        (
            "accounts: [1111-2222-3333]\n",
            "accounts[0]: '1111-2222-3333' is not allowed; a mapping is wanted, with keys such as: aws_profile, ",
        ),
        ("regions: []\n", "regions"),
        ("regions: ['xx-*']\n", "glob matches no region 'xx-*'"),
        ("services: ['zz*']\n", "glob matches no service or type 'zz*'"),
        ("services: [ec2:instence]\n", "did you mean 'ec2:instance'?"),
        ("retry: {max_attempts: 0}\n", "retry.max_attempts: input should be greater than or equal to 1"),
        ("expect: [{outcome: denyed}]\n", "'denyed' is not allowed; did you mean 'denied'?"),
        ("collector: tags\n", "allowed: auto, services, tagging, both"),
        ("endpoint_url: http://example.com\n", "http:// on this machine"),
        ("name: ../../etc\n", "name"),
        ("reports: {formats: [jsn]}\n", "unknown format 'jsn'; did you mean 'json'?"),
        ("tags: [{}]\n", "would match everything"),
        (
            "regions: [us-east-1\n",
            "p.yaml:2:1: YAML syntax: did not find expected ',' or ']' while parsing a flow sequence, which begins in "
            "line 1",
        ),
        ("services: [ec2, *]\n", "p.yaml:1:17: YAML syntax: '*' has a meaning in YAML; quote it: '*'\n    services: ["),
        ("services: [!ec2]\n", "p.yaml:1:12: YAML syntax: '!' has a meaning in YAML; quote it: '!ec2'\n    services"),
        ("services:\n  - !ec2\n", "p.yaml:2:5: YAML syntax: '!' has a meaning in YAML; quote it: '!ec2'\n"),
        ("regions: [! us-*]\n", "p.yaml:1:11: YAML syntax: '!' has a meaning in YAML; quote it: '!'\n"),
        ("tags: {Team: *blue}\n", "p.yaml:1:14: YAML syntax: '*' has a meaning in YAML; quote it: '*blue'\n"),
        ("retry:\n\tmax_attempts: 3\n", "p.yaml:2:1: YAML syntax: a tab cannot indent; spaces can\n"),
        ("a: &a [1]\nb: [" + ", ".join(["*a"] * 30_000) + "]\n", "more than 20000 values"),
        ("x: " + "[" * 50 + "]" * 50 + "\n", "nested deeper than 30 levels"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text)


def test_texts_are_what_is_written_whatever_else_yaml_could_make_of_them(tmp_path: Path) -> None:
    words = ["True", "FALSE", "yes", "1.10", "007", "1.5e3", "0x10", "1_000", "2026-01-02", "12:30", "~x", "NULL"]
    text = "\n".join(f"  {word}: [{word}, '{word}']" for word in words[:-1])
    text += "\n  Any: NULL\nname: 1.10\naccounts: [{external_id: 0012345.10, role_arn: 'arn:aws:iam::1%s:role/r'}]\n"
    profile = load(tmp_path, f"tags:\n{text}" % ("1" * 11)).profile
    found = {one.keys: one.values for one in profile.tags}
    assert found == {**{(word,): (word, word) for word in words[:-1]}, ("Any",): ()}
    assert (profile.name, profile.accounts[0].external_id) == ("1.10", "0012345.10")


def test_numbers_and_switches_are_what_they_mean(tmp_path: Path) -> None:
    text = "retry: {max_attempts: 7, max_wait_s: 1.50}\ncache: {enabled: False}\ninclude_sensitive: TRUE\n"
    profile = load(tmp_path, text + "min_resources: +3\n").profile
    assert (profile.retry.max_attempts, profile.retry.max_wait_s, profile.cache.enabled) == (7, 1.5, False)
    assert (profile.include_sensitive, profile.min_resources) == (True, 3)


def test_a_missing_profile_names_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(
        ProfileError, match=r"config/prdo.yaml: no such profile; did you mean 'prod'\?; there are: .*demo"
    ):
        load_profile("prdo")


def test_a_variable_that_matches_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SCANNER__RETRY__MAX_ATTEMPT", "7")
    said = refusal(tmp_path, "regions: [us-east-1]\n")
    assert said == (
        "environment: AWS_SCANNER__RETRY__MAX_ATTEMPT: matches no setting; "
        "did you mean 'AWS_SCANNER__RETRY__MAX_ATTEMPTS'?"
    )


@pytest.mark.parametrize("name", ["AWS_SCANNER_RETRY__MAX_ATTEMPTS", "aws_scanner_retry_max_attempts"])
def test_a_variable_with_too_few_underscores_is_not_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AWS_SCANNER_DEBUG", "1")  # an option's own variable
    monkeypatch.setenv(name, "7")
    said = refusal(tmp_path, "regions: [us-east-1]\n")
    assert said == f"environment: {name}: matches no setting; did you mean 'AWS_SCANNER__RETRY__MAX_ATTEMPTS'?"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("AWS_SCANNER_SERVICE", "did you mean 'AWS_SCANNER__SERVICES'?"),
        ("aws_scanner_region", "did you mean 'AWS_SCANNER__REGIONS'?"),
        ("AWS_SCANNER__TAGS__Team", "tags are given as a whole: AWS_SCANNER__TAGS=Environment=Production,Team=core"),
        ("AWS_SCANNER__LIMITS__SERVICES__EC2__RATE", "did you mean 'AWS_SCANNER__LIMITS__SERVICES'?"),
    ],
)
def test_a_variable_that_nearly_is_a_setting_is_not_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setenv(name, "7")
    monkeypatch.setenv("AWS_SCANNER_VERSION", "1.0")  # somebody's own
    assert refusal(tmp_path, "regions: [us-east-1]\n") == f"environment: {name}: matches no setting; {said}"


def test_variables_reach_the_limits_of_a_service_and_are_named_as_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SCANNER__LIMITS__SERVICES__EC2__RATE_PER_S", "5")
    monkeypatch.setenv("aws_scanner__tags", "Environment=Production,Team")
    loaded = load(tmp_path, "regions: [us-east-1]\n")
    assert loaded.profile.limits.services["ec2"].rate_per_s == 5
    assert [str(one) for one in loaded.profile.tags] == ["Environment=Production", "Team=*"]
    assert loaded.origins["limits.services"] == "environment AWS_SCANNER__LIMITS__SERVICES__EC2__RATE_PER_S"
    assert loaded.origins["tags"] == "environment aws_scanner__tags"
    monkeypatch.setenv("aws_scanner__regions", "us-east-9")
    assert "environment: aws_scanner__regions: unknown region 'us-east-9'" in refusal(tmp_path, "services: [sqs]\n")


def test_an_endpoint_of_the_environment_that_is_no_url_is_refused_without_showing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "user:secret@127.0.0.1:9000")
    said = refusal(tmp_path, "regions: [us-east-1]\n")
    assert said == "environment: AWS_ENDPOINT_URL_S3: is no URL; http://HOST:PORT or https://HOST is wanted"
    load(tmp_path, "regions: [us-east-1]\nendpoint_url: http://127.0.0.1:1\n")  # which stands above it


def test_services_of_which_nothing_is_left_are_refused(tmp_path: Path) -> None:
    assert "p.yaml:1:11: services: nothing is left: all that is named is excluded again" in refusal(
        tmp_path, "services: [ec2, '!ec2']\n"
    )


def test_a_bad_value_of_a_variable_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SCANNER__REGIONS", "us-est-1")
    assert refusal(tmp_path, "services: [ec2]\n").startswith(
        "environment: AWS_SCANNER__REGIONS: unknown region 'us-est-1'"
    )


def test_a_variable_that_is_no_json_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SCANNER__ACCOUNTS", "[bad")
    assert "environment" in refusal(tmp_path, "services: [ec2]\n")


def test_text_stays_text(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, "accounts: [{id: 000111222333}]\ntags: {Active: yes, Version: 1.0, Batch: 010}\nregions: us-east-1\n"
    )
    assert loaded.profile.accounts[0].id == "000111222333"
    assert loaded.profile.regions == ["us-east-1"]
    assert loaded.profile.tags[0] == TagFilter(("Active",), ("yes",))
    assert loaded.profile.tags[2] == TagFilter(("Batch",), ("010",))


def test_tag_filters_have_two_spellings(tmp_path: Path) -> None:
    text = "tags: [{key: Env, values: [a, 'b*']}, {value: legacy}, {key: Owner}]\n"
    assert load(tmp_path, text).profile.tags == [
        TagFilter(("Env",), ("a", "b*")),
        TagFilter((), ("legacy",)),
        TagFilter(("Owner",), ()),
    ]


def test_an_expectation_matches_service_or_type(tmp_path: Path) -> None:
    expect = load(tmp_path, "expect: [{service: 'rds:cluster-*', outcome: denied}]\n").profile.expect[0]
    cell = Cell("1" * 12, "us-east-1", "rds", "rds:cluster-snapshot", "describe_db_cluster_snapshots", Outcome.DENIED)
    assert expect.matches(cell)
    other = Cell("1" * 12, "us-east-1", "rds", "rds:cluster-snapshot", "x", Outcome.THROTTLED)
    assert not expect.matches(other)


def test_the_digest_does_not_hang_on_comments_but_on_settings(tmp_path: Path) -> None:
    first = load(tmp_path, "regions: [us-east-1]\n").digest
    assert load(tmp_path, "# a comment\nregions:\n  - us-east-1\n").digest == first
    assert load(tmp_path, "regions: [us-east-2]\n").digest != first


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_profiles_are_valid_and_name_their_schema(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=profile.schema.json\n")
    jsonschema.validate(load_marked(text)[0], orjson.loads(schema_json()))
    assert load_profile(path).profile.regions


def test_the_example_has_every_key() -> None:
    doc, _ = load_marked((ROOT / "config/example.yaml").read_text())
    text = (ROOT / "config/example.yaml").read_text()
    for name in load_profile(ROOT / "config/example.yaml").origins:
        assert name.rsplit(".", 1)[-1] in text, name
    assert set(doc) >= {"accounts", "regions", "services", "tags", "expect"}


def test_generated_pages_are_current() -> None:
    assert (ROOT / "config/profile.schema.json").read_bytes() == schema_json()
    assert (ROOT / "docs/profile.md").read_text() == reference_markdown()


@pytest.mark.parametrize(
    ("raw", "said"), [(b"\xff\xfe\x00", "is not UTF-8"), (b"#" * (2 << 20), "larger than 1 MiB"), (None, "is a folder")]
)
def test_an_unreadable_profile_is_told(tmp_path: Path, raw: bytes | None, said: str) -> None:
    path = tmp_path / "p.yaml"
    path.mkdir() if raw is None else path.write_bytes(raw)
    with pytest.raises(ProfileError, match=said):
        load_profile(path)


_TWO_ACCOUNTS = """
accounts:
  - {name: ambient, regions: [eu-west-1], tags: {Team: a}}
  - {name: role, role_arn: 'arn:aws:iam::111122223333:role/r'}
  - {name: named, aws_profile: other, services: [s3]}
  - {name: sourced, role_arn: 'arn:aws:iam::444455556666:role/r', source_profile: hub}
"""


def flagged(folder: Path, text: str, flags: Flags, **overrides: Any) -> LoadedProfile:
    path = folder / "p.yaml"
    path.write_text(text)
    return load_profile(path, overrides, flags=flags)


def test_what_the_command_line_selects_holds_for_accounts_with_a_selection_of_their_own(tmp_path: Path) -> None:
    accounts = flagged(tmp_path, _TWO_ACCOUNTS, Flags(), regions=["us-east-1"], tags="Team").profile.accounts
    assert [(one.regions, one.tags) for one in accounts] == [(None, None)] * 4
    assert accounts[2].services == ["s3"]


def test_an_aws_profile_takes_the_place_of_the_ambient_credentials_and_of_no_others(tmp_path: Path) -> None:
    loaded = flagged(tmp_path, _TWO_ACCOUNTS, Flags(aws_profile="mine"))
    assert [(one.aws_profile, one.source_profile) for one in loaded.profile.accounts] == [
        ("mine", None),
        (None, "mine"),
        ("other", None),
        (None, "hub"),
    ]
    assert loaded.origins["accounts"] == f"{tmp_path}/p.yaml:2, command line"
    assert flagged(tmp_path, "regions: [us-east-1]\n", Flags(aws_profile="mine")).origins["accounts"] == "command line"


def test_an_aws_profile_that_no_account_would_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="command line: --profile: 'mine' would be ignored: every account"):
        flagged(tmp_path, "accounts: [{aws_profile: other}]\n", Flags(aws_profile="mine"))


def test_all_services_is_refused_where_the_profile_asks_only_the_services(tmp_path: Path) -> None:
    flags = Flags({"all_services": "--all-services"})
    with pytest.raises(ProfileError, match="command line: --all-services: would be ignored"):
        flagged(tmp_path, "collector: services\n", flags, all_services=True)


def test_a_problem_of_the_command_line_is_told_under_the_name_of_its_option(tmp_path: Path) -> None:
    flags = Flags({"services": "--service", "execution.max_workers": "--max-workers"})
    with pytest.raises(ProfileError) as caught:
        flagged(tmp_path, "regions: [us-east-1]\n", flags, services=["s33"], enrich=["s34"])
    assert caught.value.problems == [
        "command line: --service: unknown service 's33'; did you mean 's3'?",
        "command line: enrich[0]: unknown service 's34'; did you mean 's3'?",
    ]


def test_an_account_of_unknown_id_is_expected_by_its_name(tmp_path: Path) -> None:
    text = (
        "accounts: [{name: sandbox, aws_profile: x}]\nexpect: [{account: %s, region: global, outcome: credentials}]\n"
    )
    for word in ("sandbox", "unknown", "'1111*'", "'111122223333'"):
        assert load(tmp_path, text % word).profile.expect[0].account == word.strip("'")


_SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "accounts:\n- - role_arn: x\n    external_id: hunter2\n",
        "accounts: [{organization: [{external_id: hunter2, role_name: x}]}]\n",
        "accounts: ['{external_id: hunter2}']\n",
        "accounts: [{external_id: @hunter2}]\n",
        "accounts:\n- external_id:\n    @hunter2\n",
        "accounts: [{ExternalId: hunter2}]\n",
        "accounts: [{external-id: hunter2}]\n",
        'accounts: [{"role_arn": nope, "external_id": "hunter2"}]\n',
        "accounts:\n- external_id : hunter2\n",
        "accounts: [{external_id: 'aa,hunter2', role_arn: x}]\n",
        'accounts:\n- external_id:\n    "hunter2\\q"\n',
        "endpoint_url: http://user:p@hunter2@host\n",
        "endpoint_url: 'https://us er:hunter2@host/'\n",
        "endpoint_url: 'https://user:" + "hunter2" * 30 + "@host/'\n",
        "accounts: [{role_arn: {role_arn: {external_id: hunter2}}}]\n",
        "enrich: [{external_id: hunter2}]\n",
        "tags: [{key: {external_id: hunter2}}]\n",
    ],
)
def test_no_message_shows_a_secret_however_it_is_misplaced(tmp_path: Path, text: str) -> None:
    assert _SECRET not in refusal(tmp_path, text)


def test_no_message_shows_a_secret_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SCANNER__ACCOUNTS", '[[{"external_id": "hunter2"}]]')
    assert _SECRET not in refusal(tmp_path, "regions: [us-east-1]\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("min_resources: !!int many\n", "p.yaml:1:16: YAML syntax: the tag 'tag:yaml.org,2002:int' is not allowed"),
        ("tags: {a: !!binary aGVsbG8=}\n", "the tag 'tag:yaml.org,2002:binary' is not allowed"),
        ("x: !!timestamp 2024-13-45\n", "the tag 'tag:yaml.org,2002:timestamp' is not allowed"),
        ("tags: {~: Production}\n", "tags: a key is empty; [{value: Production}] asks for a value under any key"),
        ("tags: '=Production'\n", "tags: a key is empty; "),
        ("accounts: [{session_policy: {~: x}}]\n", "session_policy.None: is empty"),
        ("catalog_dirs: ['" + "a" * 300 + "']\n", "catalog_dirs[0]: is no path: File name too long"),
        ('cache: {dir: "a\\0b"}\n', "cache.dir: is no path: a zero byte"),
        ("reports: {dir: '~nobody-here/x'}\n", "reports.dir: is no path: "),
        (
            "limits: {services: {ecr-public: {rate: 1}, resource-explorer-2: {rate: 1}}}\n",
            "resource-explorer-2.rate: unk",
        ),
        (
            "limits: {services: {ecr-public: {rate: 1}, resource-explorer-2: {rate: 1}}}\n",
            "services.ecr-public.rate: unkno",
        ),
        ("'\\e[31mred': 1\n", "unknown key '\\\\e[31mred'"),
        ('"\\e[31mred\\nforged: x": 1\n', "'\\x1b[31mred\\nforged: x': unknown key"),
        ("retry:\n", "p.yaml:1:7: retry: is empty; leave it out for the default"),
        ("name: &x a\ndescription: &x b\n", "p.yaml:2:14: YAML syntax: this anchor is there already\n"),
        ("a: 1\n---\nb: 1\n", "YAML syntax: but found another document\n"),
        (
            "accounts:\n- &a {id: 111122223333, regions: [us-east-1]}\n- <<: *a\n  id: 444455556666\n"
            "  regions: [us-esat-1]\n",
            "p.yaml:5:13: accounts[1].regions[0]: unknown region 'us-esat-1'",
        ),
    ],
)
def test_odd_yaml_is_refused_where_it_stands(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text)


def test_a_byte_order_mark_is_no_part_of_a_profile(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"\xef\xbb\xbfregions: [us-east-1]\n")
    assert load_profile(tmp_path / "p.yaml").profile.regions == ["us-east-1"]


def test_an_empty_tag_value_is_shown_as_that(tmp_path: Path) -> None:
    assert [str(one) for one in load(tmp_path, "tags: {Team: [''], Env: null}\n").profile.tags] == ["Team=''", "Env=*"]
