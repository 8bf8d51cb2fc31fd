"""The comparison itself: two sorted streams of records side by side, one record of each in memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from scanner.catalog import Catalog
from scanner.diff.changes import BOTH, NEW, OLD, Change, FieldChange, Kind, Reason, Totals, Why, subject_of
from scanner.diff.fields import compare_fields, without_secrets
from scanner.diff.ledger import Ledger
from scanner.diff.listing import Listing
from scanner.diff.sources import Key, Record, Source

FIELDS_MAX = 50


def compare(old: Source, new: Source, catalog: Catalog, totals: Totals) -> Iterator[Change]:
    """Every change in the order of the records, counted in `totals`. Raises SnapshotError for damaged files.

    A resource may give two: one for what surely changed, one for what is not known.
    """
    listing, doubt = listing_of(old, new, catalog)
    for before, after in _side_by_side(old, new):
        if before and after:
            found = list(_both(before, after, listing))
            totals.unchanged += not found
        else:
            found = [_alone(before or after or {}, OLD if before else NEW, listing, doubt)]
        for change in found:
            totals.add(change)
            yield change


def listing_of(old: Source, new: Source, catalog: Catalog) -> tuple[Listing | None, tuple[Reason, ...]]:
    """The rules of two ledgers; without one of them only the reasons why no absence proves anything."""
    sides = ((OLD, old), (NEW, new))
    doubt = tuple(Reason(side, Why.NO_LEDGER, one.ledger_missing) for side, one in sides if one.ledger_missing)
    if doubt or old.manifest is None or new.manifest is None:
        return None, doubt
    return Listing(Ledger(OLD, old.manifest), Ledger(NEW, new.manifest), catalog), ()


def _side_by_side(old: Source, new: Source) -> Iterator[tuple[Record | None, Record | None]]:
    nothing: Any = (None, None)
    olds, news = old.keyed(), new.keyed()
    before: tuple[Key, Record] = next(olds, nothing)
    after: tuple[Key, Record] = next(news, nothing)
    while before is not nothing or after is not nothing:
        first = after is nothing or (before is not nothing and before[0] <= after[0])
        second = before is nothing or (after is not nothing and after[0] <= before[0])
        yield before[1] if first else None, after[1] if second else None
        before = next(olds, nothing) if first else before
        after = next(news, nothing) if second else after


def _alone(record: Record, seen_in: str, listing: Listing | None, doubt: tuple[Reason, ...]) -> Change:
    reasons, note = listing.verdict(record, seen_in) if listing else (doubt, "")
    kind = Kind.UNKNOWN if reasons else Kind.REMOVED if seen_in == OLD else Kind.ADDED
    return Change(kind, subject_of(record), seen_in, reasons=reasons, note=note)


def _both(before: Record, after: Record, listing: Listing | None) -> Iterator[Change]:
    if before == after:
        return
    sure: list[FieldChange] = []
    doubtful: list[FieldChange] = []
    reasons: dict[Reason, None] = {}
    for change, reason in map(without_secrets, compare_fields(before, after, listing)):
        (doubtful if reason else sure).append(change)
        if reason:
            reasons[reason] = None
    if doubtful:
        yield _changed(Kind.UNKNOWN, after, doubtful, tuple(sorted(reasons)))
    if sure:
        yield _changed(Kind.CHANGED, after, sure)


def _changed(kind: Kind, record: Record, fields: list[FieldChange], reasons: tuple[Reason, ...] = ()) -> Change:
    shown = tuple(islice(fields, FIELDS_MAX))
    return Change(kind, subject_of(record), BOTH, shown, len(fields) - len(shown), reasons)
