"""Snapshots on disk: what one scan left behind. A damaged one is an error, never a shorter answer."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanner.errors import SnapshotError
from scanner.model import SCHEMA_VERSION, LedgerLine, Outcome
from scanner.store.coverage import coverage_of
from scanner.store.files import atomic_write, sha256_of
from scanner.store.ledger import Manifest, read_manifest
from scanner.store.streams import stream_records

MANIFEST = "manifest.json"
RECORDS = "resources.jsonl.zst"
LATEST = "latest"

_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_SCAN_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_REPORTS = Path("reports")  # where a profile that says nothing else has its snapshots
_STAMP = len("20260301T100000Z")
_POINTER_MAX_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One scan's folder and its manifest (docs/manifest.schema.json). The records stay on disk."""

    path: Path
    manifest: dict[str, Any]  # `ledger` too, which is read from its own file whenever it is asked for

    def records(self) -> Iterator[dict[str, Any]]:
        """The records in order, one in memory at a time.

        Raises SnapshotError where the file is damaged, or has other records than the manifest says.
        """
        file = self.path / RECORDS
        count = 0
        for record in stream_records(file):
            count += 1
            yield record
        expected = self.manifest["totals"]["resources"]
        if count != expected:
            raise SnapshotError(f"{file}: has {count} records where {MANIFEST} says {expected}")

    @property
    def ledger(self) -> tuple[LedgerLine, ...]:
        """Every planned cell and how it ended, in order."""
        return tuple(_ledger_line(line) for line in self.manifest["ledger"])

    @property
    def gaps(self) -> tuple[LedgerLine, ...]:
        """What is not known and was not expected to be."""
        return tuple(_ledger_line(line) for line in self.manifest["ledger"] if line["gap"])

    @property
    def complete(self) -> bool:
        """Whether everything is known, apart from what the profile expects not to be."""
        return coverage_of(self.manifest).complete

    @property
    def exit_code(self) -> int:
        """What the program answers: 0 complete, 1 a gate failed, 3 incomplete, 128 + n interrupted."""
        return int(self.manifest["exit_code"])

    def verify(self, names: Collection[str] | None = None) -> None:
        """Compare every file, or those of these names, with the checksum in the manifest.

        Raises SnapshotError naming the first that differs.
        """
        for name, said in sorted(self.manifest["files"].items()):
            if names is not None and name not in names:
                continue
            if not _FOLDER_NAME.fullmatch(name):
                raise SnapshotError(f"{self.path / MANIFEST}: files: {name!r} is not a plain file name")
            if sha256_of(self.path / name) != said["sha256"]:
                raise SnapshotError(f"{self.path / name}: was changed after the scan: its checksum differs")


def _ledger_line(line: dict[str, Any]) -> LedgerLine:
    said = {name: line[name] for name in LedgerLine.__slots__}
    return LedgerLine(**{**said, "outcome": Outcome(line["outcome"])})


def load_snapshot(path: str | Path) -> Snapshot:
    """Open a snapshot folder, a `latest` pointer file, or the folder of a profile's snapshots (its latest one)."""
    folder = _folder_of(Path(path))
    return Snapshot(folder, _read_manifest(folder / MANIFEST))


def scan_folders(reports: Path) -> list[Path]:
    """The folders in a profile's folder that a scan may have made, the newest first. Links are none, and what we may
    not look into is another user's."""
    try:
        found = [one for one in os.scandir(reports) if _SCAN_NAME.fullmatch(one.name)]
    except OSError:
        return []
    named: list[tuple[str, int, Path]] = []
    for one in found:
        # Another scan may have removed it meanwhile.
        with contextlib.suppress(FileNotFoundError):
            if one.is_dir(follow_symlinks=False) and os.access(one.path, os.R_OK | os.X_OK):
                path = Path(one.path)
                named.append((started_second(path), _written_ns(path), path))
    return [path for _, _, path in sorted(named, reverse=True)]


def _written_ns(folder: Path) -> int:
    """When a scan ended: two of one second have no order by name. A folder itself changes when it is tidied up."""
    try:
        return (folder / MANIFEST).lstat().st_mtime_ns
    except OSError:  # there is none, or the folder is somebody else's
        return folder.lstat().st_mtime_ns


def started_second(folder: Path) -> str:
    """The second that a scan's folder is named by: of two in one second, either may be called the newer."""
    return folder.name[:_STAMP]


def point_latest(folder: Path) -> None:
    """Make `folder` the one that `latest` beside it names, atomically."""
    if not _FOLDER_NAME.fullmatch(folder.name):
        raise SnapshotError(f"{folder}: {folder.name!r} is no name of a snapshot folder")
    with atomic_write(folder.parent / LATEST) as out:
        out.write(f"{folder.name}\n".encode())


def _folder_of(path: Path) -> Path:
    if (path / MANIFEST).is_file():
        return path
    pointer = path / LATEST if path.is_dir() else path
    if pointer.name == LATEST and pointer.is_symlink():
        raise SnapshotError(f"{pointer}: is a symbolic link; a scan writes a file with the name of a folder beside it")
    if not pointer.is_file():
        what = f"a folder with neither {MANIFEST} nor {LATEST}" if path.is_dir() else "no such file or folder"
        meant = _REPORTS / path
        near = f"; did you mean {meant}?" if (meant / LATEST).is_file() else ""
        raise SnapshotError(f"{path}: {what}{near}; a snapshot folder, `{LATEST}` or the folder of a profile is wanted")
    return _pointed(pointer)


def _pointed(pointer: Path) -> Path:
    try:
        with pointer.open("rb") as file:
            name = file.read(_POINTER_MAX_BYTES).decode("ascii", "replace").strip()
    except OSError as error:
        raise SnapshotError(f"{pointer}: cannot be read: {error.strerror}") from error
    folder = pointer.parent / name
    if not _FOLDER_NAME.fullmatch(name):
        raise SnapshotError(f"{pointer}: {name[:80]!r} is not the name of a snapshot folder beside it")
    if folder.is_symlink() or not folder.is_dir():
        raise SnapshotError(f"{pointer}: names {name}, which is not a folder beside it")
    return folder


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = read_manifest(path)
    except FileNotFoundError:
        raise SnapshotError(f"{path}: is missing: the scan did not end, or this is no snapshot folder") from None
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{path}: cannot be read: {error}") from error
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != SCHEMA_VERSION:
        raise SnapshotError(f"{path}: schema_version is {version!r}; this program reads {SCHEMA_VERSION}")
    missing = [key for key in ("profile", "accounts", "totals", "ledger", "files") if not _has(manifest, key)]
    if missing or not all(isinstance(manifest["totals"].get(name), int) for name in ("resources", "cells")):
        raise SnapshotError(f"{path}: is damaged: without {', '.join(missing) or 'totals of resources and cells'}")
    return manifest


def _has(manifest: dict[str, Any], key: str) -> bool:
    return key in manifest or (key == "ledger" and isinstance(manifest, Manifest))
