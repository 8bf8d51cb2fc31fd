"""Snapshots on disk: what one scan left behind. A damaged one is an error, never a shorter answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import zstandard

from scanner.errors import SnapshotError
from scanner.model import SCHEMA_VERSION, LedgerLine, Outcome
from scanner.store.coverage import coverage_of
from scanner.store.files import atomic_write, sha256_of

MANIFEST = "manifest.json"
RECORDS = "resources.jsonl.zst"
LATEST = "latest"

_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_POINTER_MAX_BYTES = 1024
# zstd expands a piece at most some 30,000 times: small pieces bound what a hostile file can make of our memory.
_PIECE_BYTES = 2048
_RECORD_MAX_BYTES = 64 << 20
_WINDOW_MAX_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One scan's folder and its manifest (docs/manifest.schema.json). The records stay on disk."""

    path: Path
    manifest: dict[str, Any]

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
        return tuple(line for line in self.ledger if line.gap)

    @property
    def complete(self) -> bool:
        """Whether everything is known, apart from what the profile expects not to be."""
        return coverage_of(self.manifest).complete

    @property
    def exit_code(self) -> int:
        """What the program answers: 0 complete, 1 a gate failed, 3 incomplete, 130 or 143 interrupted."""
        return int(self.manifest["exit_code"])

    def verify(self) -> None:
        """Compare every file with the checksum in the manifest. Raises SnapshotError naming the first that differs."""
        for name, said in sorted(self.manifest["files"].items()):
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


def point_latest(folder: Path) -> None:
    """Make `folder` the one that `latest` beside it names, atomically."""
    if not _FOLDER_NAME.fullmatch(folder.name):
        raise SnapshotError(f"{folder}: {folder.name!r} is no name of a snapshot folder")
    with atomic_write(folder.parent / LATEST) as out:
        out.write(f"{folder.name}\n".encode())


def stream_records(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a .jsonl.zst file, one in memory at a time. Raises SnapshotError where it is damaged."""
    for number, line in enumerate(_lines(path), start=1):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise SnapshotError(f"{path}: record {number} is damaged: {error}") from None
        if not isinstance(record, dict):
            raise SnapshotError(f"{path}: record {number} is damaged: not a JSON object")
        yield record


def _lines(path: Path) -> Iterator[bytes]:
    number, parts, held_bytes = 1, [], 0
    try:
        for piece in _pieces(path):
            head, newline, rest = piece.partition(b"\n")
            parts.append(head)
            held_bytes += len(head)
            if held_bytes > _RECORD_MAX_BYTES:
                raise SnapshotError(f"{path}: record {number} is longer than {_RECORD_MAX_BYTES >> 20} MiB")
            if not newline:
                continue
            *lines, tail = [b"".join(parts), *rest.split(b"\n")]
            for line in lines:
                yield line
                number += 1
            parts, held_bytes = [tail], len(tail)
    except (OSError, zstandard.ZstdError) as error:
        raise SnapshotError(f"{path}: cannot be read from record {number} on: {error}") from error
    if any(parts):
        raise SnapshotError(f"{path}: record {number} is damaged: the file ends in its middle")


def _pieces(path: Path) -> Iterator[bytes]:
    unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX_BYTES)
    frame, ended = unpacker.decompressobj(), False
    with path.open("rb") as packed:
        while piece := packed.read(_PIECE_BYTES):
            while piece:
                if ended:
                    frame = unpacker.decompressobj()
                yield frame.decompress(piece)
                piece, ended = frame.unused_data, frame.eof
    if not ended:
        # zstd itself does not mind: without this a file cut off is a shorter inventory.
        raise zstandard.ZstdError("the file is cut off")


def _folder_of(path: Path) -> Path:
    if (path / MANIFEST).is_file():
        return path
    pointer = path / LATEST if path.is_dir() else path
    if not pointer.is_file():
        what = f"a folder with neither {MANIFEST} nor {LATEST}" if path.is_dir() else "no such file or folder"
        raise SnapshotError(f"{path}: {what}; a snapshot folder, `{LATEST}` or the folder of a profile is wanted")
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
        manifest = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise SnapshotError(f"{path}: is missing: the scan did not end, or this is no snapshot folder") from None
    except (OSError, orjson.JSONDecodeError) as error:
        raise SnapshotError(f"{path}: cannot be read: {error}") from error
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != SCHEMA_VERSION:
        raise SnapshotError(f"{path}: schema_version is {version!r}; this program reads {SCHEMA_VERSION}")
    missing = [key for key in ("profile", "accounts", "totals", "ledger", "files") if key not in manifest]
    if missing or not isinstance(manifest["totals"].get("resources"), int):
        raise SnapshotError(f"{path}: is damaged: without {', '.join(missing) or 'totals.resources'}")
    return manifest  # type: ignore[no-any-return]
