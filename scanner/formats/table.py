"""The table of resources that a terminal shows, by Rich; in a file, with verdict and totals below it."""

from __future__ import annotations

import io
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from scanner.formats.console import console_for
from scanner.formats.summary import render_found, render_gaps, render_notices, say
from scanner.formats.text import rich_text
from scanner.store.snapshots import RECORDS, Snapshot

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NAMES = ("table",)
SUFFIX = ".txt"
FILE = "report.txt"

ALL_RECORDS = "resources.json"
DEFAULT_ROWS = 200
TABLE_MINIMUM_WIDTH = 86

_COLUMNS = (
    ("Region", "blue", "region"),
    ("Resource Type", "yellow", "resource_type"),
    ("Resource ID", "green", "resource_id"),
    ("Resource ARN", "white", "resource_arn"),
)


def write(snapshot: Snapshot, out: BinaryIO, *, limit: int | None = None) -> None:
    """Write table and totals: in colours on a terminal, plain and free of wall clock anywhere else."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="\n", write_through=True)
    try:
        console = console_for(text)
        render_notices(snapshot, console)
        _render_rows(snapshot, console, limit, f"see {_records_file(snapshot)}")
        render_gaps(snapshot, console)
        render_found(snapshot, console)
    finally:
        text.detach()


def render_table(snapshot: Snapshot, console: Console, limit: int | None = None) -> None:
    """Print the first `limit` resources (default 200) and where the others are."""
    render_notices(snapshot, console)
    where = f"see {snapshot.path / _records_file(snapshot)}, or: aws-scanner report {snapshot.path} --format csv"
    _render_rows(snapshot, console, limit, where)


def _render_rows(snapshot: Snapshot, console: Console, limit: int | None, where: str) -> None:
    total, rows = snapshot.manifest["totals"]["resources"], DEFAULT_ROWS if limit is None else limit
    if not total:
        say(console, "No resources were found.")
        return
    if rows:
        table = _empty_table(console)
        for record in islice(snapshot.records(), rows):
            table.add_row(*(rich_text(record[field] or "-", style) for _, style, field in _COLUMNS))
        console.print(table, crop=False)
    if rows < total:
        say(console, f"… {total - rows:,} more: {where}")


def _empty_table(console: Console) -> Table:
    from rich import box
    from rich.table import Table

    plain = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
    head = box.SIMPLE_HEAD if console.is_terminal else plain
    table = Table(box=head, width=max(console.width, TABLE_MINIMUM_WIDTH), padding=(0, 1, 0, 0))
    for title, style, _ in _COLUMNS:
        table.add_column(title, header_style=f"bold {style}", overflow="fold")
    return table


def _records_file(snapshot: Snapshot) -> str:
    return ALL_RECORDS if (snapshot.path / ALL_RECORDS).exists() else RECORDS
