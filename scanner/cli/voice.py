"""How the program talks, asked for in the same words by every command: --debug, --verbose, --log-file, --log-json."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from scanner.formats.console import let_go


@dataclass(frozen=True, slots=True)
class Voice:
    """What was asked for."""

    debug: bool = False
    verbose: bool = False
    log_file: Path | None = None
    log_json: bool = False

    @property
    def json_on_stderr(self) -> bool:
        """Whether stderr is read by a machine, and panels, bars and other talk for people would spoil it."""
        return self.log_json and self.log_file is None


_OPTIONS: dict[str, Any] = {
    "debug": Annotated[
        bool,
        typer.Option(
            "--debug", envvar="AWS_SCANNER_DEBUG", help="Log each call to AWS: page, attempt, wait, retry, duration."
        ),
    ],
    "verbose": Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Log each HTTP exchange: host, path, status, bytes; never a secret."),
    ],
    "log_file": Annotated[
        Path | None,
        typer.Option("--log-file", metavar="PATH", help="Append the log, traces too, to a file of mode 0600."),
    ],
    "log_json": Annotated[
        bool,
        typer.Option("--log-json", help="One JSON object per line: in the log file, without one on stderr."),
    ],
}
_current = [Voice()]


def voice() -> Voice:
    """What the command under way was asked for."""
    return _current[0]


def talking(run: Callable[..., None]) -> Callable[..., None]:
    """A command with the options above, which hold from before it runs; a reader who closes the pipe is no error."""
    hints = get_type_hints(run, include_extras=True)
    own = [one.replace(annotation=hints[name]) for name, one in signature(run).parameters.items()]
    more = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=getattr(Voice(), name), annotation=option)
        for name, option in _OPTIONS.items()
    ]

    def command(*args: Any, **given: Any) -> None:
        _current[0] = Voice(**{name: given.pop(name) for name in _OPTIONS})
        if voice() != Voice():
            from scanner.cli.talk import set_up_log

            # A log file that cannot be written is told before the work, not after.
            set_up_log("INFO")
        try:
            run(*args, **given)
        except BrokenPipeError:
            let_go(sys.stdout)
        finally:
            try:
                sys.stdout.flush()
            except BrokenPipeError:
                let_go(sys.stdout)

    # Typer reads both: the signature for names and defaults, the annotations for types.
    command.__signature__ = Signature([*own, *more])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in (*own, *more)}
    return command


def say(text: str, *, err: bool = False) -> None:
    """Print lines for people; whatever is in them, nothing of it steers the terminal."""
    from scanner.formats.text import printable

    typer.echo("\n".join(map(printable, text.split("\n"))), err=err)


def complain(text: str) -> None:
    """Say on stderr what is wrong, and in the log where there is one."""
    if voice() != Voice():
        from scanner.cli.talk import log_error

        log_error(text)
    if not voice().json_on_stderr:
        try:
            say(text, err=True)
        except BrokenPipeError:
            let_go(sys.stderr)
