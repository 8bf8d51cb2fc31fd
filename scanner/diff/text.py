"""A diff as lines for people: what is unknown and why, then removed, added, changed, then the totals."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from scanner.diff.changes import BOTH, Change, FieldChange, Kind, Reason
from scanner.diff.result import Diff
from scanner.formats.text import printable
from scanner.store.coverage import counted

STYLES = {Kind.UNKNOWN: "magenta", Kind.REMOVED: "red", Kind.ADDED: "green", Kind.CHANGED: "yellow"}
_MARKS = {Kind.UNKNOWN: "?", Kind.REMOVED: "-", Kind.ADDED: "+", Kind.CHANGED: "~"}
_REASON_LINES = 40
_FIELD_LINES = 12

Line = tuple[str, str]  # a style's name ("" for none) and a text without line breaks or anything invisible


def text_lines(diff: Diff, limit: int | None = None, rest: str = "--format json") -> Iterator[Line]:
    """All lines; `limit` is the most resources of each kind, `rest` says where the others are."""
    for style, text in _lines(diff, limit, rest):
        yield style, printable(text)


def totals_line(diff: Diff) -> str:
    """The sums: "1 unknown, 2 removed, 0 added, 3 changed, 590 unchanged; 4 cells not compared"."""
    said = ", ".join(f"{diff.totals.kinds[kind]:,} {kind}" for kind in Kind)
    cells = sum(one.cells for one in diff.cells)
    blind = f"; {counted(cells, 'cell')} not compared" if cells else ""
    return f"{said}, {diff.totals.unchanged:,} unchanged{blind}"


def name_of(change: Change) -> str:
    """The resource in words: its type, its ARN (or account, region and id), and its name."""
    one = change.subject
    identity = one.resource_arn or f"{one.account_id} {one.region} {one.resource_id}"
    name = f" ({one.resource_name})" if one.resource_name and one.resource_name not in identity else ""
    return f"{one.resource_type}  {identity}{name}"


def field_text(field: FieldChange) -> str:
    """A field in words: what it was and what it is."""
    old, new = ("(none)" if value is None else value for value in (field.old, field.new))
    return f"{field.path}: {old} -> {new}"


def reason_text(snapshot: str, why: str, text: str) -> str:
    """A reason in words: which snapshot, what, where."""
    return f"{'in both' if snapshot == BOTH else f'in the {snapshot} one'}: {why}: {text}"


def _lines(diff: Diff, limit: int | None, rest: str) -> Iterator[Line]:
    numbers = {reason: at for at, reason in enumerate(sorted(diff.totals.reasons), start=1)}
    for note in diff.notes:
        yield "", f"note: {note}"
    for kind in Kind:
        count = diff.totals.kinds[kind]
        if not count and not (kind is Kind.UNKNOWN and diff.cells):
            continue
        yield STYLES[kind], f"{kind}: {counted(count, 'resource')}"
        if kind is Kind.UNKNOWN:
            yield from _reasons(diff, numbers, rest)
        for change in islice(diff.changes(kind), limit):
            yield from _change(change, numbers)
        if limit is not None and count > limit:
            yield "", f"  … {count - limit:,} more: see {rest}"
    yield "bold", totals_line(diff)


def _reasons(diff: Diff, numbers: dict[Reason, int], rest: str) -> Iterator[Line]:
    """Cells first, then the numbered reasons that the resources below point to."""
    for blind in diff.cells[:_REASON_LINES]:
        cells = f" ({counted(blind.cells, 'cell')})" if blind.cells else ""
        yield "", f"  not compared, {reason_text(blind.snapshot, blind.why, blind.text)}{cells}"
    for reason, at in islice(numbers.items(), _REASON_LINES):
        found = counted(diff.totals.reasons[reason], "resource")
        yield "", f"  [{at}] {found}, {reason_text(reason.snapshot, reason.why, reason.text)}"
    hidden = sum(max(len(found) - _REASON_LINES, 0) for found in (diff.cells, numbers))
    if hidden:
        yield "", f"  … {counted(hidden, 'more reason')}: see {rest}"


def _change(change: Change, numbers: dict[Reason, int]) -> Iterator[Line]:
    seen = f"  only in the {change.seen_in} one" if change.kind is Kind.UNKNOWN and change.seen_in != BOTH else ""
    why = "".join(f" [{numbers[reason]}]" for reason in change.reasons)
    note = f"  ({change.note})" if change.note else ""
    yield STYLES[change.kind], f"  {_MARKS[change.kind]} {name_of(change)}{seen}{why}{note}"
    for field in change.fields[:_FIELD_LINES]:
        yield "", f"      {field_text(field)}"
    more = len(change.fields) - _FIELD_LINES + change.more_fields
    if more > 0:
        yield "", f"      … {counted(more, 'more field')}"
