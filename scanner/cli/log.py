"""The log: lines for people on stderr, above the progress bar, or JSON; in a file of the user's choice everything."""

from __future__ import annotations

import errno
import os
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from loguru import logger
from tqdm import tqdm

from scanner.aws.traces import Wanted, listen
from scanner.cli.voice import voice
from scanner.errors import ProfileError
from scanner.formats.console import is_plain, let_go
from scanner.formats.text import printable
from scanner.model import Beat, Note
from scanner.store.coverage import coverage_of
from scanner.store.files import FILE_MODE, make_missing_folders

if TYPE_CHECKING:
    from loguru import Record

    from scanner.store.snapshots import Snapshot

_PLACE = ("account", "region", "service", "operation", "attempt")
_HUMAN = "<green>{extra[when]}</green> <level>{level:<7}</level> {extra[line]}\n"
_OWN = frozenset({"at", "when", "line", "not_on_stderr"})


def set_up_log(level: str) -> None:
    """Log to stderr from this level on, with the traces that were asked for; to the log file everything.

    Where there is a log file, traces go there alone. Raises ProfileError for a file that cannot be written.
    """
    asked = voice()
    logger.remove()
    wants_traces = (asked.debug or asked.verbose) and not asked.log_file
    _add(_Stderr(), "DEBUG" if wants_traces else level, as_json=asked.json_on_stderr, colorize=not is_plain(sys.stderr))
    if asked.log_file:
        _add(_LogFile(asked.log_file), "DEBUG", as_json=asked.log_json)
    listen(Wanted(calls=asked.debug, http=asked.verbose), tell)


def tell(said: Note | Beat) -> None:
    """Log what a worker, or the door to AWS in this process, tells."""
    if isinstance(said, Note):
        fields: dict[str, Any] = dict(said.fields)
        if said.at:
            fields["at"] = said.at
        logger.bind(**fields).log(said.level, "{}", said.message)


def log_end(snapshot: Snapshot) -> None:
    """Log how a scan ended and where its reports are; people on stderr read that in the summary."""
    verdict, code = coverage_of(snapshot.manifest).verdict(), int(snapshot.manifest["exit_code"])
    fields = {"event": "end", "exit_code": code, "resources": snapshot.manifest["totals"]["resources"]}
    said = logger.bind(**fields, reports=str(snapshot.path), not_on_stderr=not voice().json_on_stderr)
    said.info("{}; exit code {}; reports: {}", verdict, code, snapshot.path)


def log_error(text: str) -> None:
    """Log what ends the program; where stderr is for people, they are told in another way."""
    logger.bind(event="error", not_on_stderr=not voice().json_on_stderr).error("{}", text)


def _add(sink: _Stderr | _LogFile, level: str, *, as_json: bool, colorize: bool = False) -> None:
    def is_for(record: Record) -> bool:
        return isinstance(sink, _LogFile) or not record["extra"].get("not_on_stderr")

    logger.add(
        sink,
        level=level,
        format=_json if as_json else _human,
        filter=is_for,
        colorize=colorize and not as_json,
        # Else loguru would swallow the Interrupted that a signal may raise in here.
        catch=False,
        diagnose=False,
        backtrace=False,
    )


def _human(record: Record) -> str:
    extra = record["extra"]
    said = (extra.get("account"), extra.get("region"), extra.get("resource_type") or extra.get("service"))
    place = " ".join(str(one) for one in (*said, extra.get("operation")) if one)
    extra["when"] = _when(record)
    extra["line"] = printable(f"{place}: {record['message']}" if place else record["message"])
    return _HUMAN


def _json(record: Record) -> str:
    extra = record["extra"]
    more = {name: value for name, value in extra.items() if name not in _OWN}
    head = {"time": _when(record), "level": record["level"].name, "event": "log", "message": record["message"]}
    line = {**head, **dict.fromkeys(_PLACE), **more}
    safe = {name: printable(value) if isinstance(value, str) else value for name, value in line.items()}
    extra["line"] = orjson.dumps(safe).decode()
    return "{extra[line]}\n"


def _when(record: Record) -> str:
    at = record["extra"].get("at")
    moment = datetime.fromtimestamp(at, UTC) if at else record["time"].astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Stderr:
    """Writes above the progress bar, if there is one; when nobody reads any more, nothing."""

    def write(self, text: str) -> None:
        """Write one line."""
        try:
            with tqdm.external_write_mode(file=sys.stderr):
                sys.stderr.write(text)
                sys.stderr.flush()
        except OSError:
            let_go(sys.stderr)


class _LogFile:
    """A file that is appended to, line by line, so that several scans may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            make_missing_folders(path.parent)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
            found = os.fstat(self._descriptor)
            if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
                os.fchmod(self._descriptor, FILE_MODE)  # it may have been there before
        except OSError as error:
            why = "is a symbolic link" if error.errno == errno.ELOOP else error.strerror
            raise ProfileError([f"--log-file {path}: cannot be written: {why}"]) from None

    def write(self, text: str) -> None:
        """Append one line. A disk that is full ends the log, not the scan."""
        if self._descriptor < 0:
            return
        try:
            os.write(self._descriptor, text.encode())
        except OSError as error:
            self.stop()
            _Stderr().write(f"--log-file {self._path}: no more is written: {error.strerror}\n")

    def stop(self) -> None:
        """Close the file; loguru calls this."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
