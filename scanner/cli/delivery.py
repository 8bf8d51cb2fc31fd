"""Where the resources go: stdout or a file, in which format. Checked before a scan, so that none is made in vain."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scanner.cli.options import Delivery
from scanner.errors import ProfileError, SnapshotError
from scanner.formats.console import let_go

if TYPE_CHECKING:
    from scanner.profile.model import Reports
    from scanner.store.snapshots import Snapshot

DEFAULT = "table"
_OF_FILES = "json"


@dataclass(frozen=True, slots=True)
class Target:
    """What becomes of the resources; `path` None is stdout, `asked` says that the user named file or format."""

    format: str = DEFAULT
    path: Path | None = None
    asked: bool = False

    @property
    def is_table(self) -> bool:
        """Whether people read it on stdout."""
        return self.path is None and self.format == DEFAULT

    @property
    def takes_stdout(self) -> bool:
        """Whether stdout is data for a program, so that nothing else may be said there."""
        return self.path is None and self.format != DEFAULT

    def __str__(self) -> str:
        return f"{self.path or 'stdout'} ({self.format})"


def target_of(delivery: Delivery, problems: list[str]) -> Target:
    """The target that options mean; what they cannot mean goes to `problems`."""
    from scanner.formats import get, names
    from scanner.profile.problems import nearest

    name = delivery.format_
    if name is not None and name not in names():
        near = nearest(name.lower(), names())
        problems.append(f"command line: --format: unknown format {name!r}{near}; there are: {', '.join(names())}")
        name = DEFAULT
    path = _path_of(delivery.output, problems)
    if name is None:
        name = DEFAULT if delivery.output is None else _format_of(delivery.output, problems)
    return Target(get(name).NAMES[0], path, delivery.output is not None or delivery.format_ is not None)


def make_ready(target: Target) -> None:
    """Make the file's folder and see that it can be written to. Raises ProfileError."""
    from scanner.store.files import make_missing_folders

    if target.path is None:
        return
    try:
        make_missing_folders(target.path.parent)
        with tempfile.NamedTemporaryFile(dir=target.path.parent, prefix=f".{target.path.name[:100]}."):
            pass
    except OSError as error:
        problem = f"command line: --output: {target.path}: cannot be written: {error.strerror or error}"
        raise ProfileError([problem]) from None


def deliver(snapshot: Snapshot, target: Target, reports: Reports | None = None) -> str | None:
    """Write the resources, as many as a profile's `reports` says; the name of the file, if it is one.

    A reader who closes the pipe has seen enough.
    """
    from scanner.formats import get
    from scanner.store.files import atomic_write

    limits = {"table": reports.table_rows, "markdown": reports.markdown_rows} if reports else {}
    limit = limits.get(target.format)
    module = get(target.format)
    if target.path is None:
        with until_pipe_closes():
            module.write(snapshot, sys.stdout.buffer, limit=limit)
            sys.stdout.buffer.flush()
        return None
    try:
        with atomic_write(target.path) as out:
            module.write(snapshot, out, limit=limit)
    except SnapshotError as error:
        again = f"aws-scanner report {snapshot.path} --format {target.format}"
        raise SnapshotError(f"{error}; the scan itself is kept, its resources are shown by: {again}") from None
    return str(target.path)


@contextmanager
def until_pipe_closes() -> Iterator[None]:
    """Write to stdout as long as somebody reads: a closed pipe ends the block and is no error."""
    try:
        yield
    except BrokenPipeError:
        # What Python still holds for stdout goes nowhere, instead of failing when the program ends.
        let_go(sys.stdout)


def same_place() -> bool:
    """Whether stdout and stderr are one terminal, pipe or file: what stands in both should be said once."""
    try:
        one, other = (os.fstat(stream.fileno()) for stream in (sys.stdout, sys.stderr))
    except (OSError, ValueError):
        return False
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _path_of(output: str | None, problems: list[str]) -> Path | None:
    if output in (None, "-"):
        return None
    path = Path(str(output))
    try:
        found = path.lstat() if output else None
    except OSError:
        return path  # it is not there yet, or `make_ready` says what is wrong with its folder
    if found is None:
        problems.append("command line: --output: is empty; a file or `-` for stdout is wanted")
    elif not stat.S_ISREG(found.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "a device, pipe or socket")
        problems.append(f"command line: --output: {path}: is {kind}; a file, or `-` for stdout, is wanted")
    return path


_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISLNK, "a symbolic link"))


def _format_of(output: str, problems: list[str]) -> str:
    """The format that a file's ending means; json for stdout and a name without one."""
    from scanner.formats import get, names

    usual = {get(name).SUFFIX: name for name in names() if get(name).SUFFIX.startswith(".")}
    by_suffix = {f".{name}": name for name in names()} | usual
    suffix = Path(output).suffix.lower()
    if output in names():
        remedy = f"for the format say --format {output}, for a file of this name --output ./{output}"
        problems.append(f"command line: --output: {output!r} is the name of a format, not of a file; {remedy}")
    elif suffix and suffix not in by_suffix:
        there_are = f"there are {', '.join(sorted(usual))}; or name the format by --format"
        problems.append(f"command line: --output: {output}: no format ends in {suffix!r}; {there_are}")
    return by_suffix.get(suffix, _OF_FILES)
