"""JSON Lines: one record a line, plain, for tools that stream."""

from __future__ import annotations

from itertools import islice
from typing import BinaryIO

import orjson

from scanner.formats.text import harmless_json
from scanner.store.snapshots import Snapshot

NAMES = ("jsonl", "ndjson")
SUFFIX = ".jsonl"
FILE = "resources.jsonl"


def write(snapshot: Snapshot, out: BinaryIO, *, limit: int | None = None) -> None:
    """Write a line for each record in order, or for the first `limit`."""
    for record in islice(snapshot.records(), limit):
        out.write(harmless_json(orjson.dumps(record)) + b"\n")
