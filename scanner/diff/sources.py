"""What can be compared: a snapshot, or a bare file of records. Both are read as a stream; damage is an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from scanner.errors import SnapshotError
from scanner.store.files import sha256_of
from scanner.store.shards import sort_key
from scanner.store.snapshots import LATEST, MANIFEST, RECORDS, load_snapshot
from scanner.store.streams import stream_records

_LINE_MAX_BYTES = 64 << 20
_SUFFIXES = (".json", ".jsonl", ".jsonl.zst")
_NEEDED = ("resource_id", "resource_name", "service", "sources", "tags", "configuration", "fingerprint")

Record = dict[str, Any]
Key = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """Records on disk and, if there is one, the manifest of the scan that wrote them. `label`: what the user named."""

    label: str
    file: Path
    manifest: dict[str, Any] | None

    @property
    def ledger_missing(self) -> str:
        """Why nothing can be said of what is absent here; "" where there is a ledger and a selection."""
        if self.manifest is None:
            return f"{self.label} has no ledger: no {MANIFEST} beside it lists it"
        if "selection" not in self.manifest:
            return f"{self.label} does not say its selection: it was made by an older version"
        return ""

    def keyed(self) -> Iterator[tuple[Key, Record]]:
        """The records with what identifies them, in order. Raises SnapshotError for damage and for another order."""
        before: Key | None = None
        count = 0
        for count, record in enumerate(_records(self.file), start=1):
            key = _key(self.file, count, record)
            if before is not None and key <= before:
                what = "stands twice" if key == before else "is out of order: records are sorted as a scan writes them"
                raise SnapshotError(f"{self.file}: record {count} ({key[3]}) {what}")
            before = key
            yield key, record
        expected = self.manifest["totals"]["resources"] if self.manifest else count
        if count != expected:
            raise SnapshotError(f"{self.file}: has {count} records where {MANIFEST} says {expected}")


def open_source(path: str | Path) -> Source:
    """A snapshot folder, a profile's folder, `latest`, or a file of records. Raises SnapshotError."""
    place = Path(path)
    if place.is_dir() or place.name == LATEST or not place.exists():
        return _snapshot(path, place)
    if place.name == MANIFEST:
        return _snapshot(path, place.parent)
    if not place.name.endswith(_SUFFIXES):
        allowed = ", ".join(_SUFFIXES)
        raise SnapshotError(f"{path}: is neither a snapshot nor a file of records ({allowed})")
    beside = place.parent / MANIFEST
    if beside.is_file():
        snapshot = load_snapshot(place.parent)
        if place.name in snapshot.manifest["files"]:
            _check_sum(place, snapshot.manifest)
            return Source(str(path), place, snapshot.manifest)
    return Source(str(path), place, None)


def _snapshot(path: str | Path, place: Path) -> Source:
    snapshot = load_snapshot(place)
    _check_sum(snapshot.path / RECORDS, snapshot.manifest)
    return Source(str(path), snapshot.path / RECORDS, snapshot.manifest)


def _check_sum(file: Path, manifest: dict[str, Any]) -> None:
    said = manifest["files"].get(file.name)
    if said is None or sha256_of(file) != said["sha256"]:
        raise SnapshotError(f"{file}: was changed after the scan: its checksum differs from that in {MANIFEST}")


def _records(file: Path) -> Iterator[Record]:
    if file.name.endswith(".zst"):
        return stream_records(file)
    return _plain(file, array=file.suffix == ".json")


def _plain(file: Path, *, array: bool) -> Iterator[Record]:
    """The records of a .jsonl, or of a .json array as a scan writes it: a record on each line."""
    number, last = 0, b""
    try:
        with file.open("rb") as lines:
            while line := lines.readline(_LINE_MAX_BYTES):
                last = line.strip() or last
                if not line.strip() or (array and last in (b"[", b"]", b"[]")):
                    continue
                number += 1
                yield _parsed(file, number, last.removesuffix(b",") if array else last)
    except OSError as error:
        raise SnapshotError(f"{file}: cannot be read: {error.strerror}") from error
    if array and last not in (b"]", b"[]"):
        # A file cut off between two lines must not read as a shorter inventory.
        raise SnapshotError(f"{file}: is cut off after record {number}: its array has no end")


def _parsed(file: Path, number: int, text: bytes) -> Record:
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        hint = f"{file}: record {number} is no JSON object on a line of its own, as aws-scanner writes them: {error}"
        raise SnapshotError(hint) from None
    if not isinstance(record, dict):
        raise SnapshotError(f"{file}: record {number} is no JSON object")
    return record


def _key(file: Path, number: int, record: Record) -> Key:
    """What identifies a resource: its ARN, wherever it was seen, or its id and region."""
    try:
        partition, account_id, resource_type, identity, region = sort_key(record)
        for name in _NEEDED:
            record[name]
    except (KeyError, TypeError) as error:
        raise SnapshotError(f"{file}: record {number} is no record of aws-scanner: without {error}") from None
    return partition, account_id, resource_type, identity, "" if record["resource_arn"] else region
