"""The end of a scan in words: what is missing and why, what to do, what was found, what it took, where it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scanner.formats.notices import notice_lines
from scanner.formats.permissions import permission_lines
from scanner.formats.text import rich_text, shortened
from scanner.store.coverage import (
    REMEDIES,
    Coverage,
    GapLine,
    account_label,
    counted,
    coverage_of,
    unknown_by,
)
from scanner.store.snapshots import MANIFEST, Snapshot

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_GAP_LINES = 20
_TYPES = 8
_TYPES_OF_REGION = 3


def render_summary(snapshot: Snapshot, console: Console, written: Sequence[str] = ()) -> None:
    """Print all of it; `written` names files that were written beside the scan's own."""
    if console.quiet:
        return
    render_notices(snapshot, console)
    render_gaps(snapshot, console)
    render_found(snapshot, console)
    totals = snapshot.manifest["totals"]
    taken = f"{counted(totals['calls'], 'request')}, {totals['retries']:,} retried, {totals['throttles']:,} throttled"
    cached = f", {counted(totals['cached_cells'], 'cell')} from the cache" if totals["cached_cells"] else ""
    say(console, f"{taken}{cached}, in {_duration(snapshot.manifest)}")
    for one in written:
        say(console, f"Written: {one}")
    say(console, f"Reports: {snapshot.path}")
    say(console, f"  {', '.join([*sorted(snapshot.manifest['files']), MANIFEST])}")


def render_notices(snapshot: Snapshot, console: Console) -> None:
    """Print what a reader must know before anything else."""
    for text in notice_lines(snapshot.manifest):
        say(console, text, "bold yellow")


def render_gaps(snapshot: Snapshot, console: Console) -> None:
    """Print the verdict, what is not known and why, and what to do about it."""
    coverage = coverage_of(snapshot.manifest)
    names = {account["id"]: account_label(account) for account in snapshot.manifest["accounts"]}
    say(console, coverage.verdict(), "bold green" if coverage.complete else "bold red")
    for failure in coverage.failures:
        say(console, f"  account {failure.label} was not scanned: {failure.outcome}: {failure.message}", "red")
    for line in coverage.gaps[:_GAP_LINES]:
        say(console, f"  {_gap_text(line, names)}", "red")
    for line in coverage.expected[:_GAP_LINES]:
        say(console, f"  expected: {_gap_text(line, names)}", "yellow")
    for aside in coverage.unasked:
        more = f" and {len(aside.types) - _TYPES} more" if len(aside.types) > _TYPES else ""
        say(console, f"  not asked: {', '.join(aside.types[:_TYPES])}{more}: {aside.reason}")
    hidden = sum(max(len(lines) - _GAP_LINES, 0) for lines in (coverage.gaps, coverage.expected))
    if hidden:
        say(console, f"  … {hidden:,} more lines of gaps: see report.md and manifest.json")
    for outcome in dict.fromkeys(line.outcome for line in coverage.gaps):
        say(console, f"  {outcome}: {REMEDIES[outcome]}")
    for text in permission_lines(snapshot.manifest.get("permissions", {})):
        say(console, f"  {text}")


def render_found(snapshot: Snapshot, console: Console) -> None:
    """Print the totals, then each region."""
    manifest, coverage = snapshot.manifest, coverage_of(snapshot.manifest)
    accounts = len(manifest["accounts"])
    regions = len({region for account in manifest["accounts"] for region in account["regions"]})
    scanned = f"{accounts - len(coverage.failures):,} of {counted(accounts, 'account')}"
    found = counted(manifest["totals"]["resources"], "resource")
    kinds = counted(len(manifest["by_type"]), "type")
    say(console, f"{found} of {kinds} in {counted(regions, 'region')}, {scanned} scanned")
    if manifest["by_type"]:
        say(console, f"  {_most(manifest['by_type'], _TYPES)}")
    _render_regions(manifest, coverage, console)


def say(console: Console, text: str, style: str = "") -> None:
    """Print hostile text unwrapped, so that paths and messages can be copied; a terminal breaks the line itself."""
    if not console.quiet:
        console.print(rich_text(text, style), soft_wrap=True, highlight=False)


def _render_regions(manifest: Mapping[str, Any], coverage: Coverage, console: Console) -> None:
    rows = list(_regions(manifest))
    told = [row for row in rows if row[1] or row[2]]
    if told:
        table = _regions_table(console)
        for region, resources, unknown, most in told:
            style = "red" if unknown and not coverage.complete else ""
            table.add_row(rich_text(region), f"{resources:,}", rich_text(f"{unknown:,}", style), rich_text(most))
        console.print(table, crop=False)
    if len(told) < len(rows):
        say(console, f"  {counted(len(rows) - len(told), 'region')} without resources")


def _regions(manifest: Mapping[str, Any]) -> Iterator[tuple[str, int, int, str]]:
    """(region, resources, unknown cells, its commonest types) of every region that was asked or had something."""
    unknown, of_region = unknown_by(manifest, "region"), manifest.get("by_region_type", {})
    asked = {cell["region"] for cell in manifest["ledger"]} - {"*"}
    for region in sorted(asked | manifest["by_region"].keys()):
        most = _most(of_region.get(region, {}), _TYPES_OF_REGION)
        yield region, manifest["by_region"].get(region, 0), unknown[region], most


def _regions_table(console: Console) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=True, padding=(0, 1))
    table.add_column("Region", style="blue", header_style="bold")
    table.add_column("Resources", justify="right", header_style="bold")
    table.add_column("Unknown", justify="right", header_style="bold")
    table.add_column("Most of them", style="yellow", header_style="bold", overflow="fold")
    return table


def _most(counts: Mapping[str, int], limit: int) -> str:
    """The commonest of some counts in words: "ec2:volume 20, ec2:subnet 12, 10 more types"."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = [counted(len(ordered) - limit, "more type")] if len(ordered) > limit else []
    return ", ".join([*(f"{name} {count:,}" for name, count in ordered[:limit]), *more])


def _gap_text(line: GapLine, names: Mapping[str, str]) -> str:
    where = f"{names.get(line.account_id, line.account_id)} {shortened(', '.join(line.regions), 100)}"
    reason = "".join(f": {said}" for said in (line.code, line.message) if said)
    return f"{line.outcome}  {where}  {line.resource_type}  {line.call}{reason}"


def _duration(manifest: Mapping[str, Any]) -> str:
    started, finished = (datetime.fromisoformat(manifest[name]) for name in ("started_at", "finished_at"))
    seconds = (finished - started).total_seconds()
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
