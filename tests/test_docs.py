"""Help texts and pages: one is made from the other, every command line in them parses, and help costs nothing."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from scanner.cli.app import program
from scanner.cli.manual import examples, manual, summary
from scanner.docs import help_texts, pages
from tests.conftest import Bench
from tests.test_completion import HEAVY

ROOT = Path(__file__).parent.parent
HELP = dict(help_texts())
PROGRAM = typer.main.get_command(program())
COMMANDS = [name for name in HELP if name != "aws-scanner"]
_BLOCK = re.compile(r"^```(?:sh|bash|console)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def parse(line: str) -> None:
    """Parse a command line as the program would, without running it. Raises what the parser raises."""
    # What stands behind a wide gap is a remark, behind a pipe another program.
    words = shlex.split(re.split(r" {3,}| 2?[|&>;]| && ", line)[0], comments=True)[1:]
    command: Any = PROGRAM
    while hasattr(command, "commands"):
        assert words, f"{line}: no command"
        command = command.commands[words.pop(0)]
    with contextlib.suppress(typer.Exit):
        command.make_context(command.name, words)


def command_lines(text: str) -> list[str]:
    """The program's command lines in a page: in code blocks, and in `code` within a line."""
    blocks = [line for block in _BLOCK.findall(text) for line in block.splitlines()]
    indented = [line for line in text.splitlines() if line.startswith("    ")]
    inline = re.findall(r"`(aws-scanner [a-z][^`]*)`", text)
    lines = [line.strip().removeprefix("$ ") for line in [*blocks, *indented, *inline]]
    return [line for line in lines if line.startswith("aws-scanner ") and line not in HELP]


def test_the_parser_of_these_tests_refuses_what_the_program_refuses() -> None:
    for line in ("aws-scanner scan --no-such-option", "aws-scanner types --service", "aws-scanner completion tcsh"):
        with pytest.raises(Exception, match=r".") as caught:
            parse(line)
        assert type(caught.value).__name__ in ("NoSuchOption", "BadOptionUsage", "BadParameter", "BadArgumentUsage")
    with pytest.raises(KeyError):
        parse("aws-scanner no-such-command")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_parse(name: str) -> None:
    _, _, listed = HELP[name].partition("  Examples:\n")
    lines = [line.strip() for line in listed.split("\n\n")[0].splitlines()]
    assert lines
    for line in lines:
        assert line.startswith(name), line
        parse(line)


# docs/extending.md has commands that its own files make; tests/test_extending.py runs them.
PAGES = [f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "extending.md"]


@pytest.mark.parametrize("page", ["README.md", *PAGES])
def test_every_command_line_of_a_page_parses(page: str) -> None:
    for line in command_lines((ROOT / page).read_text()):
        if line.removesuffix(" --help") not in HELP:  # a mention of a command, or of its help
            parse(line.replace("SNAPSHOT", "reports/x"))


def test_troubleshooting_covers_the_promised_subjects_with_commands() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text()
    for title in ("Credential problems", "Permission issues", "Performance issues", "Output issues", "Debug mode"):
        section = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
        assert command_lines(section), title


def test_the_page_of_commands_has_every_command_once() -> None:
    text = pages()[Path("docs/cli.md")].decode()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == list(HELP)
    assert {"aws-scanner scan", "aws-scanner cache clear", "aws-scanner doctor"} <= set(HELP)


@pytest.mark.parametrize("columns", ["40", "200"])
def test_generated_pages_are_current_whatever_the_terminal(columns: str, bench: Bench) -> None:
    environment = bench.environment(COLUMNS=columns, NO_COLOR="1", FORCE_COLOR="1", TERM="xterm", LANG="de_DE.UTF-8")
    done = subprocess.run(
        [sys.executable, "-m", "scanner.docs", "--check"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["aws-scanner", "aws-scanner whoami", "aws-scanner cache clear"])
def test_help_is_what_the_page_says(bench: Bench, name: str) -> None:
    done = bench.run(*name.split()[1:], "--help", COLUMNS="82")  # two columns are the parser's own margin
    assert done.stdout.replace("python -m scanner", "aws-scanner").split() == HELP[name].split()


_IMPORTS = """
import contextlib, io, os, sys
from scanner.cli.app import run
for words in {commands!r}:
    sys.argv = ["aws-scanner", *words, "--help"]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        run()
    heavy = {heavy!r} & {{name.split(".")[0] for name in sys.modules}}
    if heavy:
        sys.exit(f"{{words}}: {{heavy}}")
"""


def test_help_of_no_command_imports_anything_heavy(bench: Bench) -> None:
    code = _IMPORTS.format(commands=[name.split()[1:] for name in HELP], heavy=HEAVY | {"zstandard", "orjson"})
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=bench.folder, env=bench.environment(), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_help_texts_are_made_of_docstrings() -> None:
    doc = """Do a thing. And more
    of it.

    Examples: aws-scanner thing; aws-scanner thing
      --all.
    """
    assert summary(doc) == "Do a thing."
    assert examples(doc) == ["aws-scanner thing", "aws-scanner thing --all"]
    assert (
        manual(doc) == "Do a thing. And more\nof it.\n\n\b\nExamples:\n  aws-scanner thing\n  aws-scanner thing --all"
    )
