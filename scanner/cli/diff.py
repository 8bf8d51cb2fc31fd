"""Compare two snapshots: what was removed, added and changed, and what is not known.

Something is called removed or added only where both scans listed its type; anything else is unknown, with the reason.
OLD and NEW: a snapshot folder, its `latest`, a profile's folder, or a file (resources.json, .jsonl, .jsonl.zst).

Exit code: 3 where anything is unknown, else 1 for changes with --fail-on-change, else 0.

Examples: aws-scanner diff reports/prod/20260301T100000Z-0a1b2c3d reports/prod; aws-scanner diff a b --format json
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from scanner.diff.result import Diff

FORMATS = ("text", "json", "markdown", "md")

FAIL_ON_CHANGE = Annotated[
    bool, typer.Option("--fail-on-change", help="Exit 1 if anything was removed, added or changed.")
]


def run(
    old: Annotated[Path, typer.Argument(help="The earlier snapshot.")],
    new: Annotated[Path, typer.Argument(help="The later snapshot.")],
    format_: Annotated[str, typer.Option("--format", "-f", help="text, json or markdown.")] = "text",
    fail_on_change: FAIL_ON_CHANGE = False,
) -> None:
    """Entry of `aws-scanner diff`."""
    from scanner.diff.result import diff
    from scanner.diff.sources import open_source

    _check_format(format_)
    sources = open_source(old), open_source(new)
    for source in sources:
        say_without_ledger(source.ledger_missing)
    with diff(*sources) as found:
        _write(found, format_)
        raise typer.Exit(found.exit_code(fail_on_change=fail_on_change))


def say_without_ledger(missing: str) -> None:
    """Say on stderr what the verdicts of a source without a ledger are worth."""
    if missing:
        from scanner.formats.text import printable

        typer.echo(f"{printable(missing)}: nothing can be called removed or added, only unknown", err=True)


def print_text(found: Diff, limit: int | None = None, rest: str = "--format json", *, err: bool = False) -> None:
    """Print a diff for people: in colours on a terminal, plain anywhere else, with NO_COLOR and in CI."""
    import sys

    from scanner.diff.text import text_lines
    from scanner.formats.console import is_plain

    color = not is_plain(sys.stderr if err else sys.stdout)
    for style, text in text_lines(found, limit, rest):
        bold = style == "bold"
        typer.echo(typer.style(text, fg=None if bold or not style else style, bold=bold or None), err=err, color=color)


def _check_format(word: str) -> None:
    from scanner.errors import ProfileError
    from scanner.profile.problems import nearest

    if word not in FORMATS:
        allowed = ", ".join(FORMATS[:3])
        raise ProfileError([f"command line: --format {word}: a diff has {allowed}{nearest(word, FORMATS)}"])


def _write(found: Diff, word: str) -> None:
    from scanner.diff.json import write_json
    from scanner.diff.markdown import markdown_lines

    if word == "text":
        print_text(found)
    elif word == "json":
        write_json(found, sys.stdout.buffer)
    else:
        for line in markdown_lines(found):
            typer.echo(line)
