"""The command line: commands, and what an error becomes for the person who reads it."""

from __future__ import annotations

import contextlib
import os
import sys

import typer

from scanner import stopping
from scanner.cli import (
    cache,
    check,
    demo,
    diff,
    doctor,
    fake_aws,
    iam_policy,
    init,
    merge,
    plan,
    regions,
    report,
    scan,
    schema,
    shells,
    types,
    version,
    whoami,
)  # fmt: skip
from scanner.cli.filters import FilteredCommand
from scanner.cli.manual import Group, manual, summary
from scanner.cli.voice import complain, talking
from scanner.errors import Interrupted, ScannerError

app = typer.Typer(
    name="aws-scanner",
    cls=Group,
    help="AWS inventory batch scanner: a YAML profile in, a complete and honest inventory out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (
    report, diff, merge, demo, init, whoami, doctor, regions, types, check, iam_policy, schema, fake_aws, shells,
    version,
)  # fmt: skip
for command in (scan, plan, *_COMMANDS):
    kind = FilteredCommand if command in (scan, plan) else None
    texts = manual(command.__doc__), summary(command.__doc__)
    app.command(name=command.NAME, cls=kind, help=texts[0], short_help=texts[1])(talking(command.run))
app.add_typer(cache.group, name=cache.NAME, help=manual(cache.__doc__), short_help=summary(cache.__doc__))


def run() -> None:
    """Run and exit: 0 complete, 2 profile or command line, 3 incomplete, 4 no credentials, 70 defect, 128 + signal."""
    try:
        if shells.VARIABLE in os.environ:
            complete()
        else:
            app()
    except Interrupted as stop:
        complain("interrupted")
        _leave(stop.exit_code)
    except ScannerError as error:
        complain(str(error))
        _leave(error.exit_code)
    except SystemExit as ended:
        _leave(ended.code)
    except Exception as defect:
        # Python would leave with 1, which says that something changed or that too little was found.
        sys.excepthook(type(defect), defect, defect.__traceback__)
        raise SystemExit(ScannerError.exit_code) from None


def _leave(code: int | str | None) -> None:
    """Exit; after a signal without waiting for threads, one of which may wait for a server that hangs."""
    if stopping.is_asked() and isinstance(code, int):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    raise SystemExit(code) from None


def complete() -> None:
    """Print what the last word of the command line may become."""
    from scanner.cli.complete import answer

    typer.echo(answer(typer.main.get_command(app), sys.argv[1:]), nl=False)
