"""Who works in a folder: a lock on the folder itself, which the kernel takes away when its holder dies in any way."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scanner.errors import SnapshotError

# Whoever asks `is_busy` has the folder for microseconds: that is not another scan.
_GLANCE_S = 0.01
_PATIENCE_S = 60


class FolderLock:
    """A folder held by this process until `release`, or until it ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others work there. The folder may be gone."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def lock_folder(folder: Path) -> FolderLock | None:
    """Hold a folder; None where another process does. A file system without locks holds nobody back.

    Raises SnapshotError for what is no folder.
    """
    descriptor = _opened(folder)
    until = time.monotonic() + _PATIENCE_S
    while not _takes(descriptor, fcntl.LOCK_EX):
        # Who looks shares; who works there does not.
        if not _takes(descriptor, fcntl.LOCK_SH) or time.monotonic() > until:
            os.close(descriptor)
            return None
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        time.sleep(_GLANCE_S)
    return FolderLock(descriptor)


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Hold a folder while the block lasts, if nobody else does, so that another scan does not remove it."""
    lock = lock_folder(folder)
    try:
        yield
    finally:
        if lock:
            lock.release()


def is_busy(folder: Path) -> bool:
    """Whether another process, or another scan of this one, works in a folder."""
    try:
        descriptor = _opened(folder)
    except SnapshotError:
        return False
    try:
        return not _takes(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _opened(folder: Path) -> int:
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise SnapshotError(f"{folder}: cannot be opened: {error.strerror}") from None


def _takes(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True
