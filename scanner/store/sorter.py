"""Sorting what is larger than memory: rows come in any order and go, sorted, through files beside what is written."""

from __future__ import annotations

import heapq
import io
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import zstandard

from scanner.errors import SnapshotError

FAN_IN = 64  # files merged at once: more would cost memory (a window each) and file handles
LINE_MAX_BYTES = 64 << 20
_PIECE = 1 << 14  # bytes read at once of each
_SPILL_BYTES = 8 << 20
_WINDOW_LOG = 17

Row = dict[str, Any]
Key = Callable[[Row], tuple[str, ...]]
Keyed = tuple[tuple[str, ...], bytes]


class Sorter:
    """Takes JSON objects from several threads and gives them back in order, in bounded memory."""

    def __init__(self, key: Key, folder: Path, spill_bytes: int = _SPILL_BYTES) -> None:
        self._key, self._folder, self._spill_bytes = key, folder, spill_bytes
        self._rows: list[Keyed] = []
        self._runs: list[Path] = []
        self._held_bytes = 0
        self._lock = threading.Lock()
        self.count = 0

    def add(self, row: Row) -> None:
        """Take one row. Raises OSError where the disk refuses."""
        # A copy: what orjson returns keeps the 8 KiB that it was written into from being used again.
        keyed = (self._key(row), bytes(memoryview(orjson.dumps(row))))
        with self._lock:
            self._rows.append(keyed)
            self.count += 1
            self._held_bytes += len(keyed[1])
            if self._held_bytes > self._spill_bytes:
                self._spill()

    def rows(self) -> Iterator[Keyed]:
        """All rows, sorted: key and JSON. Raises SnapshotError where what was spilled cannot be read."""
        self._rows.sort(key=lambda row: row[0])
        if not self._runs:
            return iter(self._rows)
        self._spill()
        return _merged([lines_of(run) for run in self._runs], self._key)

    def lines(self) -> Iterator[bytes]:
        """All rows as JSON, sorted. Raises SnapshotError where what was spilled cannot be read."""
        return (line for _, line in self.rows())

    def discard(self) -> None:
        """Forget the rows and remove what was spilled."""
        for run in self._runs:
            run.unlink(missing_ok=True)
        self._runs, self._rows = [], []

    def _spill(self) -> None:
        self._rows.sort(key=lambda row: row[0])
        self._write_run(row[1] for row in self._rows)
        self._rows, self._held_bytes = [], 0
        if len(self._runs) >= FAN_IN:
            runs, self._runs = self._runs, []
            self._write_run(merge_sorted([lines_of(run) for run in runs], self._key))
            for run in runs:
                run.unlink()

    def _write_run(self, lines: Iterator[bytes]) -> None:
        descriptor, name = tempfile.mkstemp(prefix=".run.", suffix=".tmp", dir=self._folder)
        self._runs.append(Path(name))
        with os.fdopen(descriptor, "wb") as raw, packer(level=1).stream_writer(raw) as out:
            for line in lines:
                out.write(line + b"\n")


def packer(level: int) -> zstandard.ZstdCompressor:
    """What packs files of which many are read at once: each reader needs memory of the size of the window."""
    parameters = zstandard.ZstdCompressionParameters.from_level(level, window_log=_WINDOW_LOG, write_checksum=True)
    return zstandard.ZstdCompressor(compression_params=parameters)


def merge_sorted(sources: list[Iterator[bytes]], key: Key) -> Iterator[bytes]:
    """Merge sorted iterators of JSON objects into one sorted iterator."""
    if len(sources) == 1:
        return sources[0]
    return (line for _, line in _merged(sources, key))


def _merged(sources: list[Iterator[bytes]], key: Key) -> Iterator[Keyed]:
    keyed = [((key(orjson.loads(line)), line) for line in source) for source in sources]
    return heapq.merge(*keyed, key=lambda row: row[0])


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a compressed file of ours. Raises SnapshotError where it cannot be read."""
    try:
        with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw, _PIECE) as packed:
            reader = io.BufferedReader(packed, _PIECE)
            while line := reader.readline(LINE_MAX_BYTES):
                if len(line) == LINE_MAX_BYTES:
                    raise SnapshotError(f"{path}: a line is longer than {LINE_MAX_BYTES >> 20} MiB")
                yield line.rstrip(b"\n")
    except (OSError, zstandard.ZstdError) as error:
        raise SnapshotError(f"{path}: cannot be read: {error}") from None
