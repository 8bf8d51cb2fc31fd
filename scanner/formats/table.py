"""The table and the summary that a terminal shows, by Rich. Gaps come before totals."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from scanner.formats.text import rich_text, shortened
from scanner.store.coverage import REMEDIES, Coverage, GapLine, account_label, counted, coverage_of
from scanner.store.snapshots import RECORDS, Snapshot

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NAMES = ("table",)
SUFFIX = ".txt"
FILE = "report.txt"

ALL_RECORDS = "resources.json"
DEFAULT_ROWS = 50
TABLE_MINIMUM_WIDTH = 86

_FILE_WIDTH = 160  # a file must not depend on the terminal it was written from
_COLUMNS = (
    ("Region", "blue", "region"),
    ("Resource Type", "yellow", "resource_type"),
    ("Resource ID", "green", "resource_id"),
    ("Resource ARN", "white", "resource_arn"),
)
_GAP_LINES = 20
_TYPES = 8


def write(snapshot: Snapshot, out: BinaryIO, *, limit: int | None = None) -> None:
    """Write table and totals: in colours on a terminal, plain and free of wall clock anywhere else."""
    from rich.console import Console

    # Rich asks the environment for colours and width; a report must be the same bytes wherever it is written.
    plain: dict[str, Any] = {"width": _FILE_WIDTH, "force_terminal": False, "color_system": None}
    text = io.TextIOWrapper(out, encoding="utf-8", newline="\n", write_through=True)
    try:
        console = Console(file=text, **({} if out.isatty() else plain))
        _render_rows(snapshot, console, limit, _records_file(snapshot))
        coverage = coverage_of(snapshot.manifest)
        _render_gaps(snapshot, coverage, console)
        _render_totals(snapshot, coverage, console)
    finally:
        text.detach()


def render_table(snapshot: Snapshot, console: Console, limit: int | None = None) -> None:
    """Print the first `limit` resources (default 50) and where the others are."""
    _render_rows(snapshot, console, limit, str(snapshot.path / _records_file(snapshot)))


def render_summary(snapshot: Snapshot, console: Console) -> None:
    """Print the verdict, gaps before totals, then the requests it took and the folder of the reports."""
    coverage = coverage_of(snapshot.manifest)
    _render_gaps(snapshot, coverage, console)
    _render_totals(snapshot, coverage, console)
    totals = snapshot.manifest["totals"]
    taken = f"{totals['calls']:,} requests, {totals['retries']:,} retried, {totals['throttles']:,} throttled"
    cached = f", {counted(totals['cached_cells'], 'cell')} from the cache" if totals["cached_cells"] else ""
    _say(console, f"{taken}{cached}, in {_duration(snapshot.manifest)}")
    _say(console, f"Reports: {snapshot.path}")


def _render_rows(snapshot: Snapshot, console: Console, limit: int | None, where: str) -> None:
    total = snapshot.manifest["totals"]["resources"]
    if not total:
        _say(console, "No resources were found.")
        return
    table = _empty_table(max(console.width, TABLE_MINIMUM_WIDTH))
    for record in islice(snapshot.records(), DEFAULT_ROWS if limit is None else limit):
        table.add_row(*(rich_text(record[field] or "-", style) for _, style, field in _COLUMNS))
    console.print(table, crop=False)
    if table.row_count < total:
        _say(console, f"… {total - table.row_count:,} more: see {where}")


def _empty_table(width: int) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, width=width, padding=(0, 1, 0, 0))
    for title, style, _ in _COLUMNS:
        table.add_column(title, header_style=f"bold {style}", overflow="fold")
    return table


def _render_gaps(snapshot: Snapshot, coverage: Coverage, console: Console) -> None:
    names = {account["id"]: account_label(account) for account in snapshot.manifest["accounts"]}
    _say(console, coverage.verdict(), "bold green" if coverage.complete else "bold red")
    for failure in coverage.failures:
        _say(console, f"  account {failure.label} was not scanned: {failure.outcome}: {failure.message}", "red")
    for line in coverage.gaps[:_GAP_LINES]:
        _say(console, f"  {_gap_text(line, names)}", "red")
    for line in coverage.expected[:_GAP_LINES]:
        _say(console, f"  expected: {_gap_text(line, names)}", "yellow")
    hidden = sum(max(len(lines) - _GAP_LINES, 0) for lines in (coverage.gaps, coverage.expected))
    if hidden:
        _say(console, f"  … {hidden:,} more lines of gaps: see report.md and manifest.json")
    for outcome in dict.fromkeys(line.outcome for line in coverage.gaps):
        _say(console, f"  {outcome}: {REMEDIES[outcome]}")


def _gap_text(line: GapLine, names: Mapping[str, str]) -> str:
    where = f"{names.get(line.account_id, line.account_id)} {shortened(', '.join(line.regions), 100)}"
    reason = f": {line.code}: {line.message}" if line.code or line.message else ""
    return f"{line.outcome}  {where}  {line.resource_type}  {line.call}{reason}"


def _render_totals(snapshot: Snapshot, coverage: Coverage, console: Console) -> None:
    manifest = snapshot.manifest
    accounts = len(manifest["accounts"])
    regions = len({region for account in manifest["accounts"] for region in account["regions"]})
    scanned = f"{accounts - len(coverage.failures):,} of {counted(accounts, 'account')}"
    found = counted(manifest["totals"]["resources"], "resource")
    kinds = counted(len(manifest["by_type"]), "type")
    _say(console, f"{found} of {kinds} in {counted(regions, 'region')}, {scanned} scanned")
    by_type = sorted(manifest["by_type"].items(), key=lambda item: (-item[1], item[0]))
    if by_type:
        more = f", {counted(len(by_type) - _TYPES, 'more type')}" if len(by_type) > _TYPES else ""
        _say(console, "  " + ", ".join(f"{name} {count:,}" for name, count in by_type[:_TYPES]) + more)


def _records_file(snapshot: Snapshot) -> str:
    return ALL_RECORDS if (snapshot.path / ALL_RECORDS).exists() else RECORDS


def _duration(manifest: Mapping[str, Any]) -> str:
    started, finished = (datetime.fromisoformat(manifest[name]) for name in ("started_at", "finished_at"))
    seconds = (finished - started).total_seconds()
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _say(console: Console, text: str, style: str = "") -> None:
    # Unwrapped, so that paths and messages can be copied; the terminal breaks the line.
    console.print(rich_text(text, style), soft_wrap=True, highlight=False)
