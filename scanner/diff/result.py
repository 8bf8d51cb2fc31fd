"""A whole diff: two sources that may be compared, the totals, what cannot be compared, and the changes by kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from scanner.catalog import Catalog, load_catalog
from scanner.diff.cells import Blind, blind_cells
from scanner.diff.changes import Change, Kind, Totals
from scanner.diff.engine import compare
from scanner.diff.sources import Source
from scanner.diff.spool import Spool
from scanner.errors import ProfileError
from scanner.formats.notices import services_of
from scanner.model import TagFilter
from scanner.store.coverage import SENSITIVE

EXIT_SAME, EXIT_CHANGED, EXIT_UNKNOWN = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Diff:
    """What comparing two sources gave. The changes are on disk until the diff is closed."""

    old: Source
    new: Source
    totals: Totals
    cells: tuple[Blind, ...]
    notes: tuple[str, ...]
    spool: Spool

    def changes(self, kind: Kind) -> Iterator[Change]:
        """The changes of one kind in the order of the records."""
        return self.spool.of(kind)

    @property
    def has_unknown(self) -> bool:
        """Whether anything could not be compared."""
        return bool(self.totals.kinds[Kind.UNKNOWN] or self.cells)

    @property
    def has_changes(self) -> bool:
        """Whether anything surely changed."""
        return any(self.totals.kinds[kind] for kind in (Kind.REMOVED, Kind.ADDED, Kind.CHANGED))

    def exit_code(self, *, fail_on_change: bool) -> int:
        """3 where anything is unknown; else 1 for changes, if those are to fail; else 0."""
        if self.has_unknown:
            return EXIT_UNKNOWN
        return EXIT_CHANGED if fail_on_change and self.has_changes else EXIT_SAME


@contextmanager
def diff(old: Source, new: Source, catalog: Catalog | None = None) -> Iterator[Diff]:
    """Compare two sources. Raises ProfileError for other filters, SnapshotError for damaged files."""
    problems = other_filters(old, new)
    if problems:
        raise ProfileError([f"{old.label} and {new.label} cannot be compared: {problem}" for problem in problems])
    spool, totals = Spool(), Totals()
    try:
        for change in compare(old, new, catalog or load_catalog(), totals):
            spool.add(change)
        yield Diff(old, new, totals, blind_cells(old, new), tuple(_notes(old, new)), spool)
    finally:
        spool.close()


def other_filters(old: Source, new: Source) -> list[str]:
    """How the filters of two sources differ, in words; [] where they are the same or nobody knows them."""
    if old.ledger_missing or new.ledger_missing or old.manifest is None or new.manifest is None:
        return []
    return unlike_filters(old.manifest["selection"], new.manifest["selection"])


def unlike_filters(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """How the filters of two selections differ; an account that only one of them has is decided by its cells."""
    found = []
    if old["filters"] != new["filters"]:
        found.append(f"record filters were {_shown(old['filters'])} and are {_shown(new['filters'])}")
    revealed = [bool(side.get("include_sensitive")) for side in (old, new)]
    if revealed[0] != revealed[1]:
        words = ["shown" if one else "redacted" for one in revealed]
        found.append(f"secrets were {words[0]} and are {words[1]} (include_sensitive)")
    olds, news = ({one["id"]: one["tags"] for one in side["accounts"]} for side in (old, new))
    pairs = {f" of account {one}": (olds[one], news[one]) for one in sorted(olds.keys() & news.keys())}
    for where, pair in (pairs or {"": (None, None)}).items():
        before, after = (side["tags"] if own is None else own for own, side in zip(pair, (old, new), strict=True))
        if before != after:
            found.append(f"tag filters{where} were {_filters(before)} and are {_filters(after)}")
    return found


def _filters(filters: list[dict[str, list[str]]]) -> str:
    if not filters:
        return "none"
    return " and ".join(str(TagFilter(tuple(one["keys"]), tuple(one["values"]))) for one in filters)


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode() if value else "none"


def _asked(manifest: Mapping[str, Any]) -> str:
    """Who was asked, in words."""
    if manifest["endpoint_url"] or not manifest.get("endpoints"):
        return manifest["endpoint_url"] or "AWS"
    return ", ".join(f"{one['url']} for {services_of(one)}" for one in manifest["endpoints"])


def _notes(old: Source, new: Source) -> Iterator[str]:
    """What a reader should know of the two snapshots besides."""
    if old.ledger_missing or new.ledger_missing or old.manifest is None or new.manifest is None:
        return
    if old.manifest["started_at"] > new.manifest["started_at"]:
        yield f"{old.label} was scanned after {new.label}: what is called added is in the earlier one"
    asked = [_asked(one) for one in (old.manifest, new.manifest)]
    if asked[0] != asked[1]:
        yield f"different endpoints were asked: {' and '.join(asked)}"
    if new.manifest["selection"].get("include_sensitive"):
        yield SENSITIVE
    tags = new.manifest["selection"]["tags"]
    if tags:
        yield f"both keep only what has {_filters(tags)}: removed and added say what left and entered that"
