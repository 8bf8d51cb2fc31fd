"""Shell completion: what is offered, what is not, and that it costs no heavy import."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scanner.catalog import load_catalog
from scanner.cli import completion, words
from scanner.profile.source import CONFIG_DIR
from tests.conftest import Bench

HEAVY = {"boto3", "botocore", "pydantic", "pydantic_settings", "rich", "loguru", "tqdm", "yaml", "jmespath", "tenacity"}


@pytest.fixture
def warm(bench: Bench) -> Bench:
    """A home whose catalog is compiled, with two scan profiles and an AWS configuration."""
    config = bench.folder / "config"
    config.mkdir()
    (config / "prod.yaml").write_text("description: All of production\nregions: [us-east-1]\n")
    (config / "test.yaml").write_text("regions: [us-east-1]\n")
    aws = bench.folder / "home" / ".aws"
    aws.mkdir()
    (aws / "config").write_text("[default]\nregion = x\n[profile audit]\n[sso-session one]\n[services s]\n")
    (aws / "credentials").write_text("[production]\naws_secret_access_key = not-to-be-shown\n")
    return bench


def offered(bench: Bench, *words: str) -> list[str]:
    done = bench.here(
        *words,
        **{completion.VARIABLE: "1", "AWS_CONFIG_FILE": "", "AWS_SHARED_CREDENTIALS_FILE": ""},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "not-to-be-shown" not in done.stdout
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["wh"], ["whoami"]),
        (["cache", ""], ["show", "clear"]),
        (["cache", "show", ""], ["prod", "test"]),
        (["whoami", "--json", "p"], ["prod"]),
        (["whoami", "prod", ""], []),
        (["whoami", "--", "p"], ["prod"]),
        (["types", "ec2:ins"], ["ec2:instance"]),
        (["types", "lamb"], ["lambda", "lambda:function"]),
        (["types", "--service", "ec2,sq"], ["ec2,sqs"]),
        (["types", "-s", "s3,s"], ["s3,sns", "s3,sqs"]),
        (["types", "--service", "rds:d"], ["rds:db"]),
        (["types", "--js"], ["--json"]),
        (["types", "--json", "--js"], []),
        (["init", "--regions", "eu-west-1,eu-we"], ["eu-west-1,eu-west-2", "eu-west-1,eu-west-3"]),
        (["init", "--regions=us-gov"], ["--regions=us-gov-east-1", "--regions=us-gov-west-1"]),
        (["init", "-r", "en"], ["enabled"]),
        (["init", "--aws-profile", ""], ["audit", "default", "production"]),
        (["init", "--force", "--force"], []),
        (["report", ""], []),
        (["report", "reports/x", "--format", "js"], ["json", "jsonl"]),
        (["schema", ""], ["record", "manifest", "diff", "profile"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["no-such-command", ""], []),
        (["types", "--no-such-option", ""], None),
        ([], None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_offered(warm: Bench, words: list[str], expected: list[str] | None) -> None:
    found = offered(warm, *words)
    assert found == expected if expected is not None else len(found) > 10


def test_every_command_is_offered_with_what_it_does(warm: Bench) -> None:
    done = warm.run("", **{completion.VARIABLE: "1"})
    said = dict(line.split("\t") for line in done.stdout.splitlines())
    assert {"scan", "doctor", "init", "cache", "completion"} <= set(said)
    assert all(said.values())


@pytest.mark.parametrize(
    "words", [[""], ["types", "e"], ["init", "-r", "e"], ["init", "--aws-profile", ""], ["report", "x", "-f", ""]]
)
@pytest.mark.parametrize("cold", [False, True], ids=["warm", "cold"])
def test_no_completion_imports_anything_heavy(warm: Bench, words: list[str], cold: bool) -> None:
    cache = str(warm.folder / "none") if cold else str(warm.folder / "cache")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "scanner", *words],
        cwd=warm.folder,
        env=warm.environment(**{completion.VARIABLE: "1", "XDG_CACHE_HOME": cache}),
        capture_output=True,
        text=True,
    )
    imported = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert "scanner.cli.complete" in imported
    assert {name.split(".")[0] for name in imported} & HEAVY == set()


def test_a_cold_cache_is_not_compiled_for_a_completion_yet_services_and_regions_are_known(bench: Bench) -> None:
    for path in (bench.folder / "cache").rglob("*.json"):
        path.unlink()
    services = offered(bench, "types", "--service", "")
    assert set(services) == {kind.service for kind in load_catalog().types}
    assert offered(bench, "init", "--regions", "eu-north") == ["eu-north-1"]
    assert not list((bench.folder / "cache").rglob("*.json"))


def test_regions_are_the_same_with_and_without_a_compiled_catalog(warm: Bench) -> None:
    cold = warm.here("init", "-r", "", **{completion.VARIABLE: "1", "XDG_CACHE_HOME": str(warm.folder / "none")})
    assert cold.stdout.split() == warm.here("init", "-r", "", **{completion.VARIABLE: "1"}).stdout.split()
    assert "cn-north-1" in cold.stdout


def test_names_that_a_shell_could_take_for_code_are_not_offered(warm: Bench) -> None:
    for name in ("$(touch pwned)", "`id`", "a b", "-rf", "x;y", "*", "new\nline", "\x1b[31mred", "quote'"):
        (warm.folder / "config" / f"{name}.yaml").write_text("description: \x1b[31mred\n")
    assert offered(warm, "whoami", "") == ["prod", "test"]


def test_a_description_is_one_harmless_line(warm: Bench) -> None:
    (warm.folder / "config" / "prod.yaml").write_text("description: \x1b[31m\u202ered\tblue\n")
    done = warm.here("whoami", "p", **{completion.VARIABLE: "1"})
    assert done.stdout == "prod\t\\u001b[31m\\u202ered blue\n"


def test_a_broken_aws_configuration_offers_nothing_and_says_nothing(warm: Bench) -> None:
    (warm.folder / "home" / ".aws" / "config").write_text("no section\n[[[\n\xff")
    assert offered(warm, "init", "--aws-profile", "") == ["production"]


def test_profiles_are_looked_for_where_they_are_loaded_from() -> None:
    assert words._CONFIG_DIR == CONFIG_DIR


_FUNCTION = {
    "bash": """{script}
        COMP_LINE=$1 COMP_POINT=${{#1}}
        _aws_scanner_complete {program}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """,
    # zsh's own test needs a terminal: here it only has to read the script.
    "zsh": "compdef() {{ : }}\n{script}\nwhence -w _aws_scanner_complete >&2",
    "fish": "function __fish_complete_path; end\n{script}\ncomplete -C $argv[1]",
}


@pytest.mark.parametrize("shell", [name for name in _FUNCTION if shutil.which(name)])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{program} wh", {"bash": ["whoami"], "fish": ["whoami"]}),
        ("{program} types ec2:ins", {"bash": ["instance"], "fish": ["ec2:instance"]}),
        ("{program} init --regions=us-gov-w", {"bash": ["us-gov-west-1"], "fish": ["--regions=us-gov-west-1"]}),
        ("{program} cache show ", {"bash": ["prod", "test"], "fish": ["prod", "test"]}),
        ("{program} report rep", {"bash": [""], "fish": []}),
    ],
)
def test_the_script_completes_in_a_real_shell(
    warm: Bench, shell: str, line: str, expected: dict[str, list[str]]
) -> None:
    program = Path(sys.executable).with_name("aws-scanner")
    text = _FUNCTION[shell].format(script=warm.here("completion", shell).stdout, program=program)
    if shell == "fish":  # its script is for the program by name
        text, program = text.replace(str(program), "aws-scanner"), Path("aws-scanner")
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        [shell, "-c", text, *(["-"] if shell == "bash" else []), line.format(program=program)],
        cwd=warm.folder, env=warm.environment(PATH=path), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [word.split("\t")[0] for word in done.stdout.splitlines()] == expected.get(shell, [])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_call_the_program_and_offer_files_where_it_knows_nothing(bench: Bench, shell: str) -> None:
    script = bench.here("completion", shell).stdout
    assert script == completion.SCRIPTS[shell]
    assert completion.VARIABLE in script
    assert {"bash": "-o default", "zsh": "_files", "fish": "__fish_complete_path"}[shell] in script


def test_an_unknown_shell_is_refused_with_those_there_are(bench: Bench) -> None:
    done = bench.here("completion", "tcsh")
    assert done.returncode == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr
