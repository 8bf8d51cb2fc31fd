"""A diff as Markdown for people and step summaries: the unknown first; at most so many rows that it stays readable."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from scanner.diff.changes import BOTH, Change, Kind
from scanner.diff.result import Diff
from scanner.diff.text import field_text, reason_text, totals_line
from scanner.formats.text import markdown_cell
from scanner.store.coverage import counted

_ROWS = 200  # of each kind: with it a diff stays below the 1 MiB of a step summary
_REASON_ROWS = 100
_FIELDS = 6
_WIDTH = 200


def markdown_lines(diff: Diff) -> Iterator[str]:
    """All lines of the page."""
    yield f"# Changes from {markdown_cell(diff.old.label, _WIDTH)} to {markdown_cell(diff.new.label, _WIDTH)}"
    yield f"\n**{totals_line(diff)}**"
    for note in diff.notes:
        yield f"\n> {markdown_cell(note, 2 * _WIDTH)}"
    for kind in Kind:
        count = diff.totals.kinds[kind]
        if not count and not (kind is Kind.UNKNOWN and diff.cells):
            continue
        yield f"\n## {kind.capitalize()}: {counted(count, 'resource')}"
        if kind is Kind.UNKNOWN:
            yield from _reasons(diff)
        if count:
            yield from _rows(diff, kind, count)


def _reasons(diff: Diff) -> Iterator[str]:
    cells = [(reason_text(one.snapshot, one.why, one.text), counted(one.cells, "cell")) for one in diff.cells]
    found = sorted(diff.totals.reasons.items())
    cells += [(reason_text(one.snapshot, one.why, one.text), counted(count, "resource")) for one, count in found]
    yield "\nWhat is unknown may have changed, or not.\n"
    yield "| Why | Concerns |\n| --- | --- |"
    for text, concerned in cells[:_REASON_ROWS]:
        yield f"| {markdown_cell(text, 2 * _WIDTH)} | {concerned} |"
    if len(cells) > _REASON_ROWS:
        yield f"\n{len(cells) - _REASON_ROWS:,} more reasons are in the diff as JSON."


def _rows(diff: Diff, kind: Kind, count: int) -> Iterator[str]:
    yield "\n| Type | Resource | Account | Region | What |\n| --- | --- | --- | --- | --- |"
    for change in islice(diff.changes(kind), _ROWS):
        one = change.subject
        name = f" ({one.resource_name})" if one.resource_name else ""
        texts = (one.resource_type, f"{one.resource_arn or one.resource_id}{name}", one.account_id, one.region)
        yield f"| {' | '.join(markdown_cell(text, _WIDTH) for text in texts)} | {_what(change)} |"
    if count > _ROWS:
        yield f"\n{count - _ROWS:,} more are in the diff as JSON."


def _what(change: Change) -> str:
    said = [field_text(one) for one in change.fields[:_FIELDS]]
    more = len(change.fields) - _FIELDS + change.more_fields
    said += [counted(more, "more field")] if more > 0 else []
    if change.kind is Kind.UNKNOWN and change.seen_in != BOTH:
        said.append(f"only in the {change.seen_in} one")
    said += [reason.why for reason in change.reasons] + ([change.note] if change.note else [])
    return "<br>".join(markdown_cell(text, _WIDTH) for text in said)
