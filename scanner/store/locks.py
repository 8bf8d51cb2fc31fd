"""Who works in a folder: a lock on the folder itself, which the kernel takes away when its holder dies in any way."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from scanner.errors import SnapshotError


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
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise SnapshotError(f"{folder}: cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            os.close(descriptor)
            return None
    return FolderLock(descriptor)


def is_busy(folder: Path) -> bool:
    """Whether another process, or another scan of this one, works in a folder."""
    with contextlib.suppress(SnapshotError):
        lock = lock_folder(folder)
        if lock is None:
            return True
        lock.release()
    return False
