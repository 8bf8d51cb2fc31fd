"""New profiles: what is written is valid, commented, and says what was given and nothing more."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.catalog import load_catalog
from scanner.catalog.strict_yaml import load_marked
from scanner.errors import ProfileError
from scanner.model import TagFilter
from scanner.profile import Profile, load_profile
from scanner.profile.docs import schema_json
from scanner.profile.draft import FIRST_LINE, Draft, write
from scanner.profile.model import ProfileFields
from tests.conftest import Bench

pytestmark = pytest.mark.usefixtures("bench")

ROLE = "arn:aws:iam::111122223333:role/path/reader"


def made(bench: Bench, *args: str, name: str = "p") -> Profile:
    done = bench.here("init", name, *args)
    assert done.returncode == 0, done.stderr
    return load_profile(bench.folder / "config" / f"{name}.yaml").profile


def test_without_options_it_is_the_ambient_account_with_everything(bench: Bench) -> None:
    done = bench.run("init")
    assert (done.returncode, done.stdout) == (0, "")
    assert "wrote config/default.yaml; next: aws-scanner doctor default" in done.stderr
    text = (bench.folder / "config/default.yaml").read_text()
    assert text.splitlines()[0] == FIRST_LINE
    assert text.count("\n# ") > 6
    assert load_marked(text)[0] == {"accounts": [{}], "regions": ["enabled"], "services": ["*"]}
    assert (bench.folder / "config/profile.schema.json").read_bytes() == schema_json()
    assert bench.run("plan", "default", "--offline").returncode == 0


def test_every_option_is_in_the_profile(bench: Bench) -> None:
    profile = made(
        bench, "--account", "111122223333", "--role-arn", ROLE, "--aws-profile", "base", "--regions", "eu-*,us-east-1",
        "-r", "!eu-south-*", "--service", "ec2, s3", "-s", "AWS::RDS::DBInstance", "--tag", "Env=a", "--tag", "Env=b=c",
        "--tag", "Owner",
    )  # fmt: skip
    account = profile.accounts[0]
    assert (account.id, [one.arn for one in account.roles], account.source_profile) == ("111122223333", [ROLE], "base")
    assert profile.regions == ["eu-*", "us-east-1", "!eu-south-*"]
    assert profile.services == ["ec2", "s3", "AWS::RDS::DBInstance"]
    assert profile.tags == [TagFilter(("Env",), ("a", "b=c")), TagFilter(("Owner",), ())]


def test_several_aws_profiles_are_several_accounts(bench: Bench) -> None:
    profile = made(
        bench, "--aws-profile", "a", "--aws-profile", "b", "--account", "0" * 12, "--account", "111122223333"
    )
    assert [(one.id, one.aws_profile) for one in profile.accounts] == [("0" * 12, "a"), ("111122223333", "b")]


def test_a_file_that_is_there_is_kept_without_force(bench: Bench) -> None:
    path = bench.folder / "config" / "p.yaml"
    made(bench)
    path.write_text("regions: [us-east-1]\n")
    done = bench.here("init", "p")
    assert (done.returncode, path.read_text()) == (2, "regions: [us-east-1]\n")
    assert "config/p.yaml is there already; --force replaces it" in done.stderr
    assert made(bench, "--force").regions == ["enabled"]


def test_a_link_is_replaced_and_never_written_through(bench: Bench) -> None:
    target = bench.folder / "precious.yaml"
    target.write_text("precious")
    (bench.folder / "config").mkdir()
    (bench.folder / "config" / "p.yaml").symlink_to(target)
    assert bench.run("init", "p").returncode == 2
    made(bench, "--force")
    assert target.read_text() == "precious"


def test_a_schema_that_is_there_is_kept(bench: Bench) -> None:
    (bench.folder / "config").mkdir()
    (bench.folder / "config/profile.schema.json").write_text("{}")
    made(bench)
    assert (bench.folder / "config/profile.schema.json").read_text() == "{}"


def test_output_says_where_and_the_schema_lies_beside_it(bench: Bench) -> None:
    done = bench.here("init", "--output", "elsewhere/team.yaml", "--service", "s3")
    assert "aws-scanner doctor elsewhere/team.yaml" in done.stderr
    assert {path.name for path in (bench.folder / "elsewhere").iterdir()} == {"team.yaml", "profile.schema.json"}
    assert not (bench.folder / "config").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["../../etc/cron"], "'../../etc/cron': a name of letters"),
        (["a/b"], "'a/b': a name of letters"),
        (["-o", "x.txt"], "--output x.txt: a name of letters"),
        (["x10.yaml"], "init: 'x10.yaml' is a file; a name is wanted, such as 'x10', or --output x10.yaml"),
        (["p", "--account", "123"], "accounts[0].id: '123' is no account id: 12 digits are wanted"),
        (["p", "--role-arn", "arn:aws:iam::1:role/x"], "accounts[0].role_arn"),
        (["p", "--account", "444455556666", "--role-arn", ROLE], "id is 444455556666, but role_arn is of account 1111"),
        (["p", "--account", "1" * 12, "--account", "2" * 12], "more --account than ways into them"),
        (["p", "--account", "1" * 12, "--aws-profile", "a", "--aws-profile", "b"], "1 --account for 2 accounts"),
        (["p", "--role-arn", ROLE, "--aws-profile", "a", "--aws-profile", "b"], "one AWS profile assumes the roles"),
        (["p", "--regions", "us-esat-1"], "regions[0]: unknown region 'us-esat-1'; did you mean"),
        (["p", "--service", "ec2,s33"], "services[1]: unknown service 's33'; did you mean 's3'?"),
        (["p", "--tag", "=x"], "--tag =x: KEY=VALUE or KEY is wanted"),
    ],
)
def test_what_no_profile_may_say_is_refused_and_nothing_is_written(bench: Bench, args: list[str], said: str) -> None:
    done = bench.here("init", *args)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in bench.folder.iterdir() if path.name not in ("home", "cache")] == []


def test_a_folder_that_cannot_be_made_is_told(bench: Bench) -> None:
    (bench.folder / "config").write_text("a file")
    done = bench.here("init", "p")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


HOSTILE = [
    "x\nservices: [s3]", "x: y", "- x", "[a, b]", "{a: b}", "# no", "*alias", "&anchor", "!tag", "%d", "@at", "`b`",
    "'", '"', "\\", "null", "true", "no", "~", "<<", "0x1f", "1e3", "012345678901", "111122223333", " lead", "trail ",
    "\u202e\u200b\x1b[31m", "\U0001f4a5", "\x85\u2028", "a" * 300, "{{x}}", "---", "...", "? x", "| x", "> x",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_a_value_and_nothing_else(tmp_path: Path, value: str) -> None:
    same_after_reading(tmp_path, value, value)


@settings(max_examples=60, deadline=None)
@given(
    key=st.text(min_size=1),
    value=st.text(alphabet=st.characters(codec="utf-8"), min_size=1),
    shape=st.sampled_from(["", "\n", ": ", "#"]),
)
def test_any_text_is_the_same_after_reading_or_refused(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: str, shape: str
) -> None:
    same_after_reading(tmp_path_factory.getbasetemp(), key + shape, shape + value)


def same_after_reading(folder: Path, key: str, value: str) -> None:
    draft = Draft(({"aws_profile": value},), ("enabled",), ("*",), {key: [value, key], value: []})
    expected: dict[str, Any] = {"accounts": [{"aws_profile": value}], "regions": ["enabled"], "services": ["*"]}
    expected["tags"] = {key: [value, key]} | {value: None}
    text = write(draft, load_catalog())
    path = folder / "hostile.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_marked(path.read_text(encoding="utf-8"))[0] == expected
    assert load_profile(path).profile.tags == ProfileFields.model_validate(expected).tags
    assert text.splitlines()[0] == FIRST_LINE


def test_bytes_that_are_no_text_are_refused(bench: Bench) -> None:
    command = [*map(os.fsencode, bench.command("init", "p", "--tag")), b"Env=\xff"]
    done = subprocess.run(command, cwd=bench.folder, env=bench.environment(), capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (bench.folder / "config").exists()


def test_nothing_hostile_is_run_or_added_through_the_command_line(bench: Bench) -> None:
    profile = made(bench, "--aws-profile", "x\n    role_arn: evil", "--tag", "A: [x]\nservices: [s3]\nB=y\n# z")
    assert profile.accounts[0].aws_profile == "x\n    role_arn: evil"
    assert profile.services == ["*"]
    assert profile.tags == [TagFilter(("A: [x]\nservices: [s3]\nB",), ("y\n# z",))]


def test_refused_text_is_a_profile_error() -> None:
    with pytest.raises(ProfileError, match="services"):
        write(Draft(services=("no-such-service",)), load_catalog())


def test_on_a_terminal_it_asks(bench: Bench) -> None:
    answers = [
        ("Name of the profile", "a/b"), ("Name of the profile", "asked"), ("Role to assume", "reader"),
        ("Role to assume", ROLE), ("Profile of ~/.aws", "base"), ("Regions", "us-esat-1"), ("Regions", "us-*"),
        ("Services", "s33"), ("Services", ""), ("Tags", "=prod"), ("Tags", "Env=prod"),
    ]  # fmt: skip
    parent, child = pty.openpty()
    process = subprocess.Popen(
        bench.command("init"), cwd=bench.folder, env=bench.environment(), stdin=child, stdout=child, stderr=child
    )
    os.close(child)
    said = " ".join(_converse(parent, answers).split())
    assert process.wait(30) == 0, said
    os.close(parent)
    for wrong in (
        "init: 'a/b': a name of letters", "init: accounts[0].role_arn: 'reader' is no role; a role's ARN is wanted",
        "init: regions[0]: unknown region 'us-esat-1'; did you mean 'us-east-1'?",
        "init: services[0]: unknown service 's33'; did you mean 's3'?", "init: --tag =prod: KEY=VALUE or KEY is wanted",
    ):  # fmt: skip
        assert said.count(wrong) == 1
    profile = load_profile(bench.folder / "config/asked.yaml").profile
    assert ([one.arn for one in profile.accounts[0].roles], profile.accounts[0].source_profile) == ([ROLE], "base")
    assert (profile.regions, profile.services) == (["us-*"], ["*"])
    assert profile.tags == [TagFilter(("Env",), ("prod",))]


def test_on_a_terminal_a_wrong_file_is_told_at_once_and_no_name_is_asked(bench: Bench) -> None:
    parent, child = pty.openpty()
    process = subprocess.Popen(
        bench.command("init", "-o", "x.txt"), cwd=bench.folder, env=bench.environment(), stdin=child, stdout=child,
        stderr=child,
    )  # fmt: skip
    os.close(child)
    said = _converse(parent, [])
    assert process.wait(60) == 2
    os.close(parent)
    assert "--output x.txt: a name of letters" in said
    assert "Name of the profile" not in said


def _converse(terminal: int, answers: list[tuple[str, str]]) -> str:
    """Answer each question once it is asked, and read until the program ends."""
    waiting, said = list(answers), ""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            said += os.read(terminal, 4096).decode()
        except OSError:  # the other side is closed
            break
        asked = said.rpartition("\n")[2]
        if waiting and waiting[0][0] in asked and asked.rstrip().endswith(":"):
            os.write(terminal, f"{waiting.pop(0)[1]}\n".encode())
    assert waiting == [], said
    return said
