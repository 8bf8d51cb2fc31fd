"""CSV (RFC 4180, UTF-8) for spreadsheets: the columns that every resource has. No cell can become a formula."""

from __future__ import annotations

import csv
from itertools import islice
from typing import Any, BinaryIO

import orjson

from scanner.formats.text import csv_cell
from scanner.store.snapshots import Snapshot

NAMES = ("csv",)
SUFFIX = ".csv"
FILE = "resources.csv"

COLUMNS = (
    "resource_type",
    "resource_id",
    "resource_name",
    "region",
    "account_id",
    "account_name",
    "resource_arn",
    "state",
    "created_at",
    "ownership",
    "tags",
    "service",
    "cfn_type",
)


def write(snapshot: Snapshot, out: BinaryIO, *, limit: int | None = None) -> None:
    """Write a header and a row for each record, or for the first `limit`. Null is an empty cell, `{}` is no tags."""
    rows = csv.writer(_Utf8(out), lineterminator="\r\n")
    rows.writerow(COLUMNS)
    for record in islice(snapshot.records(), limit):
        rows.writerow([_cell(record[column]) for column in COLUMNS])


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        value = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return csv_cell(value)


class _Utf8:
    """What csv.writer needs of a file, on top of one that takes bytes."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return self._out.write(text.encode())
