"""Files as the store writes them: whole or not at all, for their owner only."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from scanner.errors import SnapshotError

FILE_MODE = 0o600
FOLDER_MODE = 0o700


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `path` (mode 0600) when the block ends well, and vanishes when it does not.

    A symlink at `path` is replaced, not followed. Raises SnapshotError for what the file system refuses.
    """
    with _as_snapshot_error(path, "cannot be written"):
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.{os.getpid()}.", suffix=".tmp", dir=path.parent)
        with contextlib.ExitStack() as unless_written:
            # SIGINT too must not leave half a file behind.
            unless_written.callback(Path(name).unlink, missing_ok=True)
            with os.fdopen(descriptor, "wb") as out:
                os.fchmod(out.fileno(), FILE_MODE)
                yield out
                out.flush()
                os.fsync(out.fileno())
            os.replace(name, path)
            unless_written.pop_all()
        _sync_folder(path.parent)


def place_copy(source: Path, target: Path) -> None:
    """Have the content of `source` at `target` as well: as a link where that is possible. Raises OSError."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        target.chmod(FILE_MODE)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, also where another process is at it as well. Raises OSError."""
    while folder.exists():
        with contextlib.suppress(FileNotFoundError):  # the other one was faster; what is left is ours to remove
            shutil.rmtree(folder)


def make_private_dir(path: Path) -> Path:
    """Make `path` and its missing parents with mode 0700, whatever the umask, and return it.

    An existing folder of our own is narrowed to 0700; a symlink, a file or somebody else's folder is a SnapshotError.
    """
    with _as_snapshot_error(path, "cannot be made"):
        make_missing_folders(path)
        check_own_folder(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchmod(descriptor, FOLDER_MODE)
        finally:
            os.close(descriptor)
    return path


def make_missing_folders(path: Path) -> None:
    """Make those of `path` and its parents that are missing, with mode 0700 whatever the umask. Raises OSError."""
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            with contextlib.suppress(FileExistsError):  # a dangling link, or another process was faster
                folder.mkdir(mode=FOLDER_MODE)
                folder.chmod(FOLDER_MODE)  # a umask may have taken the owner's own bits


def private(path: str, flags: int) -> int:
    """An opener for `open`: what it makes is for its owner only, whatever the umask; no link is followed."""
    return os.open(path, flags | os.O_NOFOLLOW, FILE_MODE)


def read_within(path: Path, most_bytes: int) -> bytes:
    """A file's content. Raises OSError, and SnapshotError for one that is larger than this."""
    with path.open("rb") as file:
        is_larger = os.fstat(file.fileno()).st_size > most_bytes
        content = b"" if is_larger else file.read(most_bytes + 1)
    if is_larger or len(content) > most_bytes:
        raise SnapshotError(f"{path}: is larger than {most_bytes >> 20:,} MiB, which no scan writes")
    return content


def check_writable(path: Path) -> None:
    """Raise SnapshotError unless `path`, or the nearest of its parents that there is, is a folder we may write into."""
    with _as_snapshot_error(path, "cannot be made"):
        nearest = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    if not nearest.is_dir():
        raise SnapshotError(f"{nearest}: is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise SnapshotError(f"{nearest}: we (user {os.geteuid()}) may not write into it")


def refuse_foreign(path: Path) -> None:
    """Raise SnapshotError where `path` belongs to a user, root aside, who could replace what we keep in it."""
    with _as_snapshot_error(path, "cannot be read"):
        owner = path.stat().st_uid if path.exists() else 0
    if owner not in (0, os.geteuid()):
        raise SnapshotError(f"{path}: belongs to user {owner}, not to us ({os.geteuid()})")


def check_own_folder(path: Path) -> None:
    """Raise SnapshotError where `path` is no real folder of our own."""
    with _as_snapshot_error(path, "cannot be read"):
        found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise SnapshotError(f"{path}: is a symbolic link; a real folder of our own is needed here")
    if not stat.S_ISDIR(found.st_mode):
        raise SnapshotError(f"{path}: is not a folder")
    if found.st_uid != os.geteuid():
        raise SnapshotError(f"{path}: belongs to user {found.st_uid}, not to us ({os.geteuid()})")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file as 64 hex digits, read in pieces."""
    with _as_snapshot_error(path, "cannot be read"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    # Without this a power cut may bring the old name back although the new content was on disk.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _as_snapshot_error(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        named = error.filename if isinstance(error.filename, str) else str(path)
        other = "" if Path(named).parent == path.parent else f": {named}"
        raise SnapshotError(f"{path}: {what}: {error.strerror or error}{other}") from error
