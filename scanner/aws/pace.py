"""Budgets that all processes of this user share: a file per account, a slot per region, service and bucket.

The clock is the machine's monotonic one, which all processes see alike and nobody can set; after a reboot it starts
anew, and a slot from the future is forgotten. A process that dies holds nothing: its lock goes with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import math
import os
import stat
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

_SLOT = struct.Struct("<16s3d")
_SLOTS = 4096  # of an account: 160 KB at the most, holes where nothing was written
_PROBES = 64
_FORGOTTEN_S = 86_400


class State:
    """A bucket: `tokens` (below zero: turns already promised), `at` (monotonic seconds), `factor` of the full rate."""

    __slots__ = ("at", "factor", "tokens")

    def __init__(self, tokens: float, at: float, factor: float) -> None:
        self.tokens, self.at, self.factor = tokens, at, factor


Change = Callable[[State], float]


class OwnSlot:
    """A bucket of this process alone."""

    def __init__(self) -> None:
        self._state = State(math.inf, 0.0, 1.0)
        self._lock = threading.Lock()

    def change(self, change: Change) -> float:
        """Change the state while nobody else does, and give back what `change` does."""
        with self._lock:
            return change(self._state)


class SharedSlot:
    """A bucket in a file; where the file cannot be used any more, one of this process alone."""

    def __init__(self, book: Book, offset: int, key: bytes) -> None:
        self._book, self._offset, self._key = book, offset, key
        self._own: OwnSlot | None = None

    def change(self, change: Change) -> float:
        """Change the state while nobody else, in any process, does; give back what `change` does."""
        if self._own is None:
            try:
                return self._book.change(self._offset, self._key, change)
            except OSError:  # the disk is full
                self._own = OwnSlot()
        return self._own.change(change)


class Book:
    """The open file of one account's buckets. Raises OSError for what is no plain file of ours."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._file = os.open(path, flags, 0o600)
        found = os.fstat(self._file)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            os.close(self._file)
            raise OSError(f"{path}: is no file of ours")
        os.fchmod(self._file, 0o600)
        self._lock = threading.Lock()

    def slot(self, name: str) -> SharedSlot | None:
        """The slot of a name; None where the file is full."""
        key = hashlib.blake2b(name.encode(), digest_size=16).digest()
        first = int.from_bytes(key[:4], "little")
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                for probe in range(_PROBES):
                    offset = (first + probe) % _SLOTS * _SLOT.size
                    held = os.pread(self._file, _SLOT.size, offset)[:16]
                    if held.strip(b"\0") == b"":
                        os.pwrite(self._file, _SLOT.pack(key, math.inf, 0.0, 1.0), offset)
                    if held.strip(b"\0") == b"" or held == key:
                        return SharedSlot(self, offset, key)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return None

    def change(self, offset: int, key: bytes, change: Change) -> float:
        """Change one slot under the file's lock. Raises OSError where it can be neither read nor written."""
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                state = _state(os.pread(self._file, _SLOT.size, offset), key)
                answer = change(state)
                os.pwrite(self._file, _SLOT.pack(key, state.tokens, state.at, state.factor), offset)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return answer


def _state(raw: bytes, key: bytes) -> State:
    """What a slot holds; a fresh bucket where it holds nothing that can be true."""
    if len(raw) == _SLOT.size:
        held, tokens, at, factor = _SLOT.unpack(raw)
        if held == key and not math.isnan(tokens) and 0 <= at <= time.monotonic() and 0 < factor <= 1:
            return State(tokens, at, factor)
    return State(math.inf, 0.0, 1.0)


_books: dict[str, Book | None] = {}
_own: dict[str, OwnSlot] = {}
_making = threading.Lock()


def slot_of(folder: str, account: str, name: str) -> OwnSlot | SharedSlot:
    """The bucket of a name in an account: in `folder`, or ("": or if that cannot be used) of this process alone."""
    with _making:
        if folder and f"{folder}/{account}" not in _books:
            _books[f"{folder}/{account}"] = _open(Path(folder) / f"{account}.budgets")
        book = _books.get(f"{folder}/{account}") if folder else None
        try:
            shared = book.slot(name) if book else None
        except OSError:
            shared = None
        return shared or _own.setdefault(f"{account}/{name}", OwnSlot())


def sweep(folder: Path) -> None:
    """Remove the files of accounts that nobody has asked anything for a day. Raises OSError."""
    for path in folder.glob("*.budgets"):
        with contextlib.suppress(FileNotFoundError):  # another scan sweeps as well
            if time.time() - path.lstat().st_mtime > _FORGOTTEN_S:
                path.unlink()


def _open(path: Path) -> Book | None:
    try:
        return Book(path)
    except OSError:
        return None


def _forget() -> None:
    """A child must not share its parent's open files: one lock would be both's."""
    _books.clear()
    _own.clear()


os.register_at_fork(after_in_child=_forget)
