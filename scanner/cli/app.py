"""The command line: commands, and what an error becomes for the person who reads it."""

from __future__ import annotations

import os
import sys

import typer

from scanner.cli import check, demo, diff, fake_aws, iam_policy, plan, report, scan, schema, types, version
from scanner.cli.filters import FilteredCommand
from scanner.errors import Interrupted, ScannerError

app = typer.Typer(
    name="aws-scanner",
    help="AWS inventory batch scanner: a YAML profile in, a complete and honest inventory out.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (scan, plan):
    app.command(name=command.NAME, help=command.__doc__, cls=FilteredCommand)(command.run)
for command in (report, diff, demo, check, types, iam_policy, schema, fake_aws, version):
    app.command(name=command.NAME, help=command.__doc__)(command.run)


def run() -> None:
    """Run and exit: 0 complete, 2 bad profile or command line, 3 incomplete, 4 no credentials, 70 defect, 130/143."""
    try:
        app()
    except Interrupted as stop:
        complain("interrupted")
        raise SystemExit(stop.exit_code) from None
    except ScannerError as error:
        complain(str(error))
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        # `| head` has seen enough; without this Python would complain when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def complain(text: str) -> None:
    """Say what is wrong on stderr."""
    from scanner.formats.text import printable

    for line in text.splitlines():
        typer.echo(printable(line), err=True)
