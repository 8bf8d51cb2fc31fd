"""The command line: commands, and what an error becomes for the person who reads it."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, NoReturn

import typer

from scanner import stopping
from scanner.cli.completion import VARIABLE
from scanner.cli.filters import FilteredCommand
from scanner.cli.manual import Group, manual, summary
from scanner.cli.voice import complain, talking
from scanner.errors import Interrupted, ScannerError, SnapshotError
from scanner.formats.console import let_go

# In the order of --help. A module has its command's name.
COMMANDS = (
    "scan", "plan", "report", "diff", "merge", "demo", "init", "whoami", "doctor", "regions", "types", "check",
    "iam-policy", "schema", "fake-aws", "completion", "version", "cache",
)  # fmt: skip
_FILTERED = ("scan", "plan")
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})  # of stdout: a disk, most of the time


def program(names: Sequence[str] = COMMANDS) -> typer.Typer:
    """The program with these of its commands."""
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
    app.callback()(_program_options)  # without a callback one command alone would be the program
    for name in names:
        command = import_module("scanner.cli." + name.replace("-", "_"))
        text, short = manual(command.__doc__), summary(command.__doc__)
        if hasattr(command, "group"):
            app.add_typer(command.group, name=name, help=text, short_help=short)
        else:
            kind = FilteredCommand if name in _FILTERED else None
            app.command(name=name, cls=kind, help=text, short_help=short)(talking(command.run))
    return app


def _show_version(is_asked: bool) -> None:
    if is_asked:
        import_module("scanner.cli.version").run()
        raise typer.Exit


def _program_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="As the command `version`.")
    ] = False,
) -> None:
    """The options that stand before a command."""


def _asked(words: Sequence[str]) -> typer.Typer:
    """The program as these words need it: to build all commands takes longer than most of them do."""
    return program(words[:1]) if words and words[0] in COMMANDS else program()


def run() -> None:
    """Run and exit: 0 complete, 2 profile or command line, 3 incomplete, 4 no credentials, 70 defect, 128 + signal."""
    try:
        if VARIABLE in os.environ:
            complete()
        else:
            _asked(sys.argv[1:])()
    except Interrupted as stop:
        complain("interrupted")
        _leave(stop.exit_code)
    except ScannerError as error:
        complain(str(error))
        _leave(error.exit_code)
    except SystemExit as ended:
        _leave(ended.code)
    except OSError as error:
        if error.errno not in _UNWRITABLE or error.filename:
            _defect(error)
        let_go(sys.stdout)
        complain(f"the output cannot be written: {error.strerror}")
        _leave(SnapshotError.exit_code)
    except Exception as defect:
        _defect(defect)


def _defect(error: Exception) -> NoReturn:
    # Python would leave with 1, which says that something changed or that too little was found.
    sys.excepthook(type(error), error, error.__traceback__)
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

    typer.echo(answer(typer.main.get_command(program()), sys.argv[1:]), nl=False)
