"""A snapshot's ledger on disk: a line for each planned cell, sorted, read as a stream whoever asks and how often."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, overload

import orjson
import zstandard

from scanner.errors import SnapshotError
from scanner.model import Cell, Outcome
from scanner.store.files import atomic_write
from scanner.store.sorter import LINE_MAX_BYTES, Sorter
from scanner.store.streams import stream_records

_SPILL_BYTES = 1 << 20
ORDER = ("account_id", "region", "service", "resource_type", "call")
_BEGIN, _END = b'  "ledger": [', b"\n  ]\n}\n"

_MAX_BYTES = 512 << 20  # of what must be held at once

Line = dict[str, Any]
Refused = Sequence[tuple[str, str]]  # IAM actions, and what forbids each ("": no policy of the role allows it)
Denied = tuple[str, str, str]  # account, action, what forbids it


class Manifest(dict[str, Any]):
    """A manifest whose `ledger` is read from disk, a line at a time, by whoever asks for it."""

    def __init__(self, said: Mapping[str, Any], ledger: LedgerFile) -> None:
        super().__init__(said)
        self._ledger = ledger

    def __missing__(self, key: str) -> LedgerFile:
        if key != "ledger":
            raise KeyError(key)
        return self._ledger


class LedgerFile(Sequence[Line]):
    """The lines of a ledger, as often as they are asked for. Raises SnapshotError where they are damaged or fewer."""

    def __init__(self, path: Path, cells: int, read: Callable[[Path], Iterator[Line]]) -> None:
        self._path, self._cells, self._read = path, cells, read

    def __iter__(self) -> Iterator[Line]:
        count = 0
        for line in self._read(self._path):
            count += 1
            yield line
        if count != self._cells:
            raise SnapshotError(f"{self._path}: has {count} cells where its totals say {self._cells}")

    def __len__(self) -> int:
        return self._cells

    @overload
    def __getitem__(self, at: int) -> Line: ...
    @overload
    def __getitem__(self, at: slice) -> list[Line]: ...
    def __getitem__(self, at: int | slice) -> Line | list[Line]:
        return list(self)[at] if isinstance(at, slice) else list(islice(self, range(self._cells)[at] + 1))[-1]


def read_manifest(path: Path) -> dict[str, Any]:
    """A manifest.json; of one that `write_manifest` wrote the ledger stays on disk. Raises OSError and ValueError."""
    head: list[bytes] = []
    with path.open("rb") as file:
        for line in _bounded(file):
            if line.rstrip(b"\n") == _BEGIN:
                break
            head.append(line)
        else:
            return orjson.loads(b"".join(head))  # type: ignore[no-any-return]
        said = _head_of(head)
        if said is None:
            file.seek(0)
            return orjson.loads(b"".join(_bounded(file)))  # type: ignore[no-any-return]
        file.seek(-len(_END), os.SEEK_END)
        if file.read() != _END:
            raise ValueError("it is cut off")
    return Manifest(said, LedgerFile(path, said["totals"]["cells"], _lines_in_manifest))


def _bounded(file: BinaryIO) -> Iterator[bytes]:
    left = _MAX_BYTES
    while left > 0 and (line := file.readline(LINE_MAX_BYTES)):
        left = left - len(line) if len(line) < LINE_MAX_BYTES else 0
        yield line
    if left <= 0:
        raise ValueError(f"it is larger than {_MAX_BYTES >> 20} MiB, which no scan writes")


def _head_of(lines: list[bytes]) -> dict[str, Any] | None:
    """What stands before the ledger, if that is all but the ledger; else an older version wrote it."""
    try:
        said = orjson.loads(b"".join(lines).rstrip().removesuffix(b",") + b"}")
        return said if isinstance(said["totals"]["cells"], int) and "files" in said else None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _lines_in_manifest(path: Path) -> Iterator[Line]:
    try:
        with path.open("rb") as file:
            for line in file:
                if line.rstrip(b"\n") == _BEGIN:
                    break
            for line in file:
                if line == b"  ]\n":
                    return
                yield orjson.loads(line.strip().removesuffix(b","))
    except (OSError, orjson.JSONDecodeError) as error:
        raise SnapshotError(f"{path}: its ledger is damaged: {error}") from None


def write_manifest_file(path: Path, said: Mapping[str, Any], ledger: Iterable[Line]) -> Manifest:
    """Write manifest.json, the ledger last and a line for each cell, and return it. Raises SnapshotError."""
    head = {name: value for name, value in said.items() if name != "ledger"}
    text = orjson.dumps(head, option=orjson.OPT_INDENT_2).removesuffix(b"\n}")
    with atomic_write(path) as out:
        out.write(text + b",\n" + _BEGIN)
        separator = b"\n    "
        for line in ledger:
            out.write(separator + orjson.dumps(line))
            separator = b",\n    "
        out.write(_END)
    return Manifest(head, LedgerFile(path, head["totals"]["cells"], _lines_in_manifest))


@dataclass(slots=True)
class Sums:
    """What the lines of a ledger add up to."""

    cells: int = 0
    gaps: int = 0
    expected: int = 0
    cached: int = 0
    unasked: int = 0  # on purpose
    denied: set[Denied] = field(default_factory=set)

    def add(self, line: Line) -> None:
        """Count one line."""
        self.cells += 1
        self.gaps += line["gap"]
        self.expected += line["expected"]
        self.cached += line["cached"]
        self.unasked += line["outcome"] == Outcome.SKIPPED
        if not line["expected"]:
            self.denied.update((line["account_id"], action, by) for action, by in line.get("refused", ()))


class LedgerWriter:
    """Takes cells in any order and gives the ledger; memory does not grow with them."""

    def __init__(
        self,
        scratch: Path,
        is_expected: Callable[[Cell], bool] = lambda _: False,
        refused: Callable[[Cell], Refused] = lambda _: (),
    ) -> None:
        self._path, self._is_expected, self._refused = scratch / ".ledger.jsonl.zst", is_expected, refused
        self._sorter = Sorter(order_of, scratch, _SPILL_BYTES)
        self.sums = Sums()

    def add(self, cell: Cell, seen_at: str = "", *, cached: bool = False) -> None:
        """Take one cell. `seen_at`: when AWS answered its unit."""
        line = line_of(cell, seen_at, cached, cell.is_gap and self._is_expected(cell))
        if refused := self._refused(cell):
            line["refused"] = refused
        self.sums.add(line)
        self._sorter.add(line)

    def sorted(self) -> LedgerFile:
        """All lines in order, from a file in the scratch folder. Raises SnapshotError where the disk refuses."""
        write_lines(self._path, self._sorter.lines())
        self._sorter.discard()
        return LedgerFile(self._path, self.sums.cells, stream_records)

    def discard(self) -> None:
        """Remove that file."""
        self._path.unlink(missing_ok=True)


def write_lines(path: Path, lines: Iterator[bytes]) -> None:
    """Write JSON lines, compressed and with a checksum, whole or not at all."""
    packer = zstandard.ZstdCompressor(level=3, write_checksum=True)
    with atomic_write(path) as out, packer.stream_writer(out, closefd=False) as packed:
        for line in lines:
            packed.write(line + b"\n")


def order_of(line: Line) -> tuple[str, ...]:
    """The place of a line in the ledger."""
    return tuple(str(line[key]) for key in ORDER)


def line_of(cell: Cell, seen_at: str, cached: bool, expected: bool) -> Line:
    """A cell as a line of the ledger."""
    return {
        "account_id": cell.account_id,
        "region": cell.region,
        "service": cell.service,
        "resource_type": cell.resource_type,
        "call": cell.call,
        "outcome": str(cell.outcome),
        "gap": cell.is_gap and not expected,
        "expected": expected,
        "resources": cell.resources,
        "calls": cell.calls,
        "code": cell.code,
        "message": cell.message,
        "affected": cell.affected,
        "seen_at": seen_at,
        "cached": cached,
        "duplicates": cell.duplicates,
    }
