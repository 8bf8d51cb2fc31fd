"""What lies in a cache folder, seen from outside: what is ours, how old it is, and how it is removed."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from scanner.errors import SnapshotError
from scanner.store.files import check_own_folder
from scanner.store.shards import read_head

_SHARD = re.compile(r"[0-9a-f]{64}\.jsonl\.zst")
_ANSWER = re.compile(r"[0-9a-f]{64}\.json")
_LEFTOVER = re.compile(r"\.[0-9a-f]{64}\.(?:json\.)?[\w.]+\.tmp")
_ZSTD = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One file of ours. `age_s` is since AWS answered; `account` ... are "" where the file does not tell."""

    name: str
    kind: str  # "unit" | "answer" | "leftover" (of a run that was killed) | "damaged"
    size_bytes: int
    age_s: float
    partition: str = ""
    account: str = ""
    region: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class CacheFolder:
    """A cache folder's content: our entries, and the names of what is not ours."""

    path: Path
    exists: bool
    entries: tuple[CacheEntry, ...] = ()
    foreign: tuple[str, ...] = ()


def look_into(path: Path) -> CacheFolder:
    """The content of a cache folder. Raises SnapshotError for a folder that is a link, a file or somebody else's."""
    if not os.path.lexists(path):
        return CacheFolder(path, False)
    with _opened(path) as descriptor:
        seen = list(_seen(path, descriptor))
    entries = tuple(entry for _, entry in seen if entry)
    return CacheFolder(path, True, entries, tuple(name for name, entry in seen if entry is None))


def remove(folder: CacheFolder, older_than_s: float = 0.0) -> tuple[CacheEntry, ...]:
    """Remove the entries of at least this age and return them. Raises SnapshotError where the disk refuses."""
    removed = []
    with _opened(folder.path) as descriptor:
        for entry in folder.entries:
            # Asked again: what stood here may have become a link since.
            with contextlib.suppress(FileNotFoundError):
                if entry.age_s >= older_than_s and _is_own_file(entry.name, descriptor):
                    os.unlink(entry.name, dir_fd=descriptor)
                    removed.append(entry)
    return tuple(removed)


def sweep(path: Path, older_than_s: float) -> None:
    """Remove our own files that are older than this by the clock of the disk. Raises SnapshotError."""
    with _opened(path) as descriptor:
        for name in os.listdir(descriptor):
            # Another scan may sweep as well.
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                is_old = datetime.now(UTC).timestamp() - found.st_mtime > older_than_s
                if is_old and _entry(path, name, descriptor):
                    os.unlink(name, dir_fd=descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    check_own_folder(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be opened: {error.strerror}") from None
    try:
        yield descriptor
    except OSError as error:
        raise SnapshotError(f"{path}: {error.filename or 'an entry'}: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _seen(folder: Path, descriptor: int) -> Iterator[tuple[str, CacheEntry | None]]:
    for name in sorted(os.listdir(descriptor)):
        # A scan under way may have removed what was listed a moment ago.
        with contextlib.suppress(FileNotFoundError):
            yield name, _entry(folder, name, descriptor)


def _entry(folder: Path, name: str, descriptor: int) -> CacheEntry | None:
    """What a file is; None for one that is not ours: another name, a link, somebody else's, another content."""
    if not _is_own_file(name, descriptor):
        return None
    found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    age_s = datetime.now(UTC).timestamp() - found.st_mtime
    if _SHARD.fullmatch(name) and _starts_with(folder / name, _ZSTD, found.st_size):
        return _unit(folder, name, found.st_size, age_s)
    if _ANSWER.fullmatch(name) and _starts_with(folder / name, f'{{"key":"{name[:64]}"'.encode(), found.st_size):
        return _answer(folder, name, found.st_size, age_s)
    if _LEFTOVER.fullmatch(name):
        return CacheEntry(name, "leftover", found.st_size, age_s)
    return None


def _is_own_file(name: str, descriptor: int) -> bool:
    found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()


def _starts_with(path: Path, magic: bytes, size_bytes: int) -> bool:
    """Whether a file has our beginning; an empty one is what a full disk left of ours."""
    with path.open("rb") as file:
        return size_bytes == 0 or file.read(len(magic)) == magic


def _unit(folder: Path, name: str, size_bytes: int, age_s: float) -> CacheEntry:
    try:
        head = read_head(folder / name)
        partition, account, region, service, _ = head.unit.split(".")
        return CacheEntry(name, "unit", size_bytes, _age_s(head.written_at), partition, account, region, service)
    except (SnapshotError, ValueError):
        return CacheEntry(name, "damaged", size_bytes, age_s)


def _answer(folder: Path, name: str, size_bytes: int, age_s: float) -> CacheEntry:
    try:
        written_at = str(orjson.loads((folder / name).read_bytes())["written_at"])
        return CacheEntry(name, "answer", size_bytes, _age_s(written_at))
    except (ValueError, KeyError, TypeError):
        return CacheEntry(name, "damaged", size_bytes, age_s)


def _age_s(written_at: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(written_at)).total_seconds()
