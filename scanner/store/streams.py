"""Compressed files of JSON objects, a line each, read as a stream: damage is an error, never a shorter file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import zstandard

from scanner.errors import SnapshotError

# zstd expands a piece at most some 30,000 times: small pieces bound what a hostile file can make of our memory.
_PIECE_BYTES = 2048
_OBJECT_MAX_BYTES = 64 << 20
_WINDOW_MAX_BYTES = 128 << 20


def stream_records(path: Path, noun: str = "record") -> Iterator[dict[str, Any]]:
    """The JSON objects of a .jsonl.zst file, one in memory at a time. Raises SnapshotError where it is damaged."""
    for number, line in enumerate(_lines(path, noun), start=1):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise SnapshotError(f"{path}: {noun} {number} is damaged: {error}") from None
        if not isinstance(record, dict):
            raise SnapshotError(f"{path}: {noun} {number} is damaged: not a JSON object")
        yield record


def _lines(path: Path, noun: str) -> Iterator[bytes]:
    number, parts, held_bytes = 1, [], 0
    try:
        for piece in _pieces(path):
            head, newline, rest = piece.partition(b"\n")
            parts.append(head)
            held_bytes += len(head)
            if held_bytes > _OBJECT_MAX_BYTES:
                raise SnapshotError(f"{path}: {noun} {number} is longer than {_OBJECT_MAX_BYTES >> 20} MiB")
            if not newline:
                continue
            *lines, tail = [b"".join(parts), *rest.split(b"\n")]
            for line in lines:
                yield line
                number += 1
            parts, held_bytes = [tail], len(tail)
    except (OSError, zstandard.ZstdError) as error:
        raise SnapshotError(f"{path}: cannot be read from {noun} {number} on: {error}") from error
    if any(parts):
        raise SnapshotError(f"{path}: {noun} {number} is damaged: the file ends in its middle")


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
