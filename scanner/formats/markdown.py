"""report.md: what was found and, before that, what is not known. Free of wall clock; always below 1 MiB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from scanner.formats.notices import markdown_notices
from scanner.formats.permissions import permission_sections
from scanner.formats.sample import Sample
from scanner.formats.text import markdown_cell, markdown_table, shortened
from scanner.model import Outcome
from scanner.store.coverage import (
    MEANINGS,
    REMEDIES,
    Coverage,
    GapLine,
    absent_types,
    account_label,
    counted,
    coverage_of,
    type_label,
    unknown_by,
)
from scanner.store.snapshots import RECORDS, Snapshot

NAMES = ("markdown", "md")
SUFFIX = ".md"
FILE = "report.md"

ALL_RECORDS = "resources.json"
DEFAULT_ROWS = 500
MAX_BYTES = 1_000_000  # GitHub shows no step summary above 1 MiB
_RESOURCES_BYTES = 700_000
_MAX_ROWS = 5_000
_GAP_ROWS = 150
_COUNT_ROWS = 200
_ABSENT_TYPES = 200
_CUT = "\n**This report stops here to stay below 1 MiB. The rest is in `manifest.json` and the records.**\n"


def write(snapshot: Snapshot, out: BinaryIO, *, limit: int | None = None) -> None:
    """Write the report; `limit` is the most resources it lists, spread over types and places (default 500)."""
    left_bytes = MAX_BYTES - len(_CUT)
    for line in _report(snapshot, min(DEFAULT_ROWS if limit is None else limit, _MAX_ROWS)):
        data = f"{line}\n".encode()
        left_bytes -= len(data)
        if left_bytes < 0:
            out.write(_CUT.encode())
            return
        out.write(data)


def _report(snapshot: Snapshot, limit: int) -> Iterator[str]:
    manifest = snapshot.manifest
    coverage = coverage_of(manifest)
    yield f"# AWS inventory: {markdown_cell(manifest['profile']['name'])}"
    yield from markdown_notices(manifest)
    yield from _verdict(coverage)
    yield from _summary(manifest, coverage)
    yield from _coverage(manifest, coverage)
    yield from _accounts(manifest, coverage)
    asked = dict.fromkeys((cell["region"] for cell in manifest["ledger"]), 0)
    yield from _counts("Region", {**asked, **manifest["by_region"]}, unknown_by(manifest, "region"))
    yield from _counts("Service", manifest["by_service"], unknown_by(manifest, "service"))
    yield from _counts("Type", manifest["by_type"], unknown_by(manifest, "resource_type"))
    yield from _absent(absent_types(manifest))
    yield from _resources(snapshot, limit, coverage)


def _verdict(coverage: Coverage) -> Iterator[str]:
    word, _, rest = coverage.verdict().partition(":")
    tail = "." if coverage.complete else ". What is unknown may exist: this inventory must not be read as all there is."
    yield f"\n**{word}:**{rest}{tail}"
    if coverage.failures:
        yield ""
    for failure in coverage.failures:
        reason = markdown_cell(failure.message, 300)
        yield f"- **Account {markdown_cell(failure.label)} was not scanned** ({failure.outcome}): {reason}"


def _summary(manifest: Mapping[str, Any], coverage: Coverage) -> Iterator[str]:
    accounts = len(manifest["accounts"])
    regions = {region for account in manifest["accounts"] for region in account["regions"]}
    yield "\n## Summary\n"
    yield from markdown_table(
        ("What", "Count"),
        [
            ("Resources", f"{manifest['totals']['resources']:,}"),
            ("Resource types", f"{len(manifest['by_type']):,}"),
            ("Accounts scanned", f"{accounts - len(coverage.failures):,} of {accounts:,}"),
            ("Regions", f"{len(regions):,}"),
            ("Cells answered", f"{coverage.answered:,} of {coverage.asked:,} ({coverage.percent})"),
            *([("Cells not asked", f"{coverage.unasked_cells:,}")] if coverage.unasked else []),
            ("Gaps", f"{coverage.gap_cells:,}"),
            ("Expected gaps", f"{coverage.expected_cells:,}"),
        ],
    )


def _coverage(manifest: Mapping[str, Any], coverage: Coverage) -> Iterator[str]:
    yield "\n## Coverage\n"
    yield "A cell is one call for one resource type in one region of one account. A gap is a cell without an answer."
    names = {account["id"]: account_label(account) for account in manifest["accounts"]}
    yield from _gaps("Gaps", coverage.gaps, names, _remedies(coverage.gaps))
    yield from _gaps("Gaps that the profile expects", coverage.expected, names, ())
    yield from permission_sections(manifest.get("permissions", {}), names)
    yield from _unasked(coverage)
    if coverage.answers:
        yield "\n### Answers\n"
        rows = [(f"`{outcome}`", f"{cells:,}", MEANINGS[outcome]) for outcome, cells in coverage.answers]
        yield from markdown_table(("Outcome", "Cells", "Meaning"), rows)


def _unasked(coverage: Coverage) -> Iterator[str]:
    if not coverage.unasked:
        return
    yield "\n### Not asked on purpose\n"
    rows = [
        (markdown_cell(one.reason, 240), markdown_cell(", ".join(one.types), 2_000), f"{one.cells:,}")
        for one in coverage.unasked
    ]
    yield from markdown_table(("Reason", "Types", "Cells"), rows)


def _remedies(lines: Sequence[GapLine]) -> list[str]:
    """What to do about gaps; nobody wants that of those that the profile expects."""
    cells = Counter[Outcome]()
    for line in lines:
        cells[line.outcome] += line.cells
    return [f"- `{outcome}`, {counted(count, 'cell')}. {REMEDIES[outcome]}" for outcome, count in cells.items()]


def _gaps(title: str, lines: Sequence[GapLine], names: Mapping[str, str], remedies: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield f"\n### {title}\n"
    if remedies:
        yield from (*remedies, "")
    header = ("Outcome", "Account", "Region", "Type", "Call", "Times", "Code", "Message")
    yield from markdown_table(header, (_gap_row(line, names) for line in lines[:_GAP_ROWS]))
    if len(lines) > _GAP_ROWS:
        yield f"\n{len(lines) - _GAP_ROWS:,} more lines of gaps are in the ledger of `manifest.json`."


def _gap_row(line: GapLine, names: Mapping[str, str]) -> tuple[str, ...]:
    return (
        f"`{line.outcome}`",
        markdown_cell(names.get(line.account_id, line.account_id)),
        markdown_cell(", ".join(line.regions), 120),
        markdown_cell(line.resource_type),
        markdown_cell(line.call),
        f"{line.affected or line.cells:,}",
        markdown_cell(line.code),
        markdown_cell(line.message, 240),
    )


def _accounts(manifest: Mapping[str, Any], coverage: Coverage) -> Iterator[str]:
    found = manifest["by_account"]
    unknown = {known: f"{cells:,}" for known, cells in unknown_by(manifest, "account_id").items()}
    unknown |= {failure.account_id: "all" for failure in coverage.failures}
    labels = {account["id"] or "": account_label(account) for account in manifest["accounts"]}
    rows = [
        (markdown_cell(label), f"{found.get(known, 0):,}", unknown.get(known, "0"))
        for known, label in sorted({**{name: name for name in found}, **labels}.items())
    ]
    yield from _counted_table("Account", rows)


def _counts(what: str, found: Mapping[str, int], unknown: Mapping[str, int]) -> Iterator[str]:
    names = sorted({*found, *unknown}, key=lambda name: (-found.get(name, 0), name))
    label = type_label if what == "Type" else str
    rows = [(markdown_cell(label(name)), f"{found.get(name, 0):,}", f"{unknown.get(name, 0):,}") for name in names]
    yield from _counted_table(what, rows)


def _counted_table(what: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield f"\n## By {what.lower()}\n"
    yield from markdown_table((what, "Resources", "Unknown cells"), rows[:_COUNT_ROWS])
    if len(rows) > _COUNT_ROWS:
        yield f"\n{len(rows) - _COUNT_ROWS:,} more are counted in `manifest.json`."


def _absent(types: Sequence[str]) -> Iterator[str]:
    if types:
        shown = ", ".join(markdown_cell(name) for name in types[:_ABSENT_TYPES])
        more = f" and {len(types) - _ABSENT_TYPES:,} more" if len(types) > _ABSENT_TYPES else ""
        yield f"\nAsked for, answered, and found nowhere: {shown}{more}."


def _resources(snapshot: Snapshot, limit: int, coverage: Coverage) -> Iterator[str]:
    total = snapshot.manifest["totals"]["resources"]
    yield "\n## Resources\n"
    if not total:
        what = "answered" if not coverage.complete else "asked"
        all_known = coverage.complete and not coverage.unasked
        yield "None were found." if all_known else f"None were found, but not everything was {what}: see above."
        return
    rows = _fitting(_collect(snapshot, _shares(snapshot.manifest["by_type"], limit)))
    shown = sum(len(some) for some in rows.values())
    yield f"All {counted(total, 'resource')}." if shown == total else _pointer(snapshot, shown, total)
    for name, some in sorted(rows.items()):
        of_type = snapshot.manifest["by_type"][name]
        yield f"\n### {markdown_cell(name)} ({len(some):,} of {of_type:,})\n"
        yield from markdown_table(("ID", "Name", "Region", "Account", "State", "Tags"), some)


def _pointer(snapshot: Snapshot, shown: int, total: int) -> str:
    where = ALL_RECORDS if (snapshot.path / ALL_RECORDS).exists() else RECORDS
    spread = "spread over types, accounts and regions"
    return f"{shown:,} of {total:,} resources, {spread}. The other {total - shown:,} are in `{where}`."


def _shares(by_type: Mapping[str, int], limit: int) -> dict[str, int]:
    """How many rows each type gets: as equal as the counts allow, never more than `limit` in all."""
    shares: dict[str, int] = {}
    left, types = limit, sorted(by_type.items(), key=lambda item: (item[1], item[0]))
    for place, (name, count) in enumerate(types):
        # From the rarest on, each takes its equal part of what is left; what it does not need is for the others.
        shares[name] = min(count, -(-left // (len(types) - place)))
        left -= shares[name]
    return {name: share for name, share in shares.items() if share}


def _collect(snapshot: Snapshot, shares: Mapping[str, int]) -> dict[str, list[tuple[str, ...]]]:
    samples = {name: Sample(share, _row) for name, share in shares.items()}
    for record in snapshot.records():
        sample = samples.get(record["resource_type"])
        if sample:
            sample.offer((record["account_id"], record["region"]), record)
    return {name: sample.rows for name, sample in samples.items() if sample.rows}


def _fitting(rows: dict[str, list[tuple[str, ...]]]) -> dict[str, list[tuple[str, ...]]]:
    """The same with fewer rows of each type, until all fit into the report."""
    while sum(len(cell.encode()) + 3 for some in rows.values() for row in some for cell in row) > _RESOURCES_BYTES:
        most = max(len(some) for some in rows.values())
        rows = {name: _thinned(some, max(most * 3 // 4, 1)) for name, some in rows.items()}
        if most == 1:
            break
    return rows


def _thinned(rows: list[tuple[str, ...]], most: int) -> list[tuple[str, ...]]:
    """So many of them, at even distances: they stand place by place, and each place keeps its part."""
    return rows if len(rows) <= most else [rows[at * len(rows) // most] for at in range(most)]


def _row(record: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        markdown_cell(record["resource_id"]),
        markdown_cell(record["resource_name"], 60),
        markdown_cell(record["region"], 30),
        markdown_cell(record["account_id"], 30),
        markdown_cell(record["state"], 30),
        _tags(record["tags"]),
    )


def _tags(tags: Mapping[str, str] | None) -> str:
    if tags is None:
        return "not read"
    return markdown_cell(", ".join(f"{shortened(key, 40)}={shortened(tags[key], 40)}" for key in sorted(tags)), 100)
