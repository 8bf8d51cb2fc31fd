"""The rules for a resource that only one snapshot has: was it listed in both? The table is in docs/diff.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scanner.catalog import Catalog
from scanner.catalog.digests import type_digest
from scanner.catalog.spec import ResourceType
from scanner.diff.changes import BOTH, NEW, OLD, Reason, Why
from scanner.diff.ledger import TAGGING, Ledger, Line, Place, listing_calls
from scanner.model import GLOBAL

_LEFT = {
    OLD: "deleted, or its tags no longer pass the filter",
    NEW: "created, or its tags pass the filter since then",
}
_UNTAGGED = {OLD: "deleted, or its last tag was taken away", NEW: "created, or tagged for the first time"}


class Listing:
    """Both ledgers, asked where a type was listed. Answers are kept: there are far fewer places than resources."""

    def __init__(self, old: Ledger, new: Ledger, catalog: Catalog) -> None:
        self.old, self.new, self._catalog = old, new, catalog
        self._digests: dict[str, str] = {}
        self._by_service: dict[Place, tuple[Reason, ...] | None] = {}
        self._by_tags: dict[Place, tuple[Reason, ...] | None] = {}
        self._backwards = _started(old) > _started(new)

    def verdict(self, record: Mapping[str, Any], seen_in: str) -> tuple[tuple[Reason, ...], str]:
        """Reasons why the absence in the other snapshot proves nothing (none: it does), and what else it may mean."""
        place = place_of(record)
        reasons = self.by_service(place)
        if reasons is not None:
            if not reasons and "services" not in record["sources"]:
                text = f"{place.resource_type} was told by the tagging API alone, its own service answered without it"
                return (Reason(seen_in, Why.TAGGING_ALONE, text),), ""
            return reasons, "" if reasons else self._left(place, seen_in)
        reasons = self.by_tags(place) if "services" not in record["sources"] else None
        if reasons is None:
            return (self._absent(place, seen_in),), ""
        if not reasons and not record["tags"]:
            text = "it has no tags, and the tagging API lists what has none only for a time"
            return (Reason(BOTH, Why.UNTAGGED, text),), ""
        return reasons, "" if reasons else self._left(place, seen_in) or _UNTAGGED[seen_in]

    def by_service(self, place: Place) -> tuple[Reason, ...] | None:
        """Why the type's own service did not list it in both snapshots; () if it did; None if neither asked it."""
        if place not in self._by_service:
            self._by_service[place] = self._ask_service(place)
        return self._by_service[place]

    def by_tags(self, place: Place) -> tuple[Reason, ...] | None:
        """The same of the tagging API."""
        if place not in self._by_tags:
            self._by_tags[place] = self._ask_tagging(place)
        return self._by_tags[place]

    def kind(self, place: Place) -> ResourceType | None:
        """The catalog's entry, if both snapshots were made with the same one; None: its calls are not known."""
        if self.other_catalog(place):
            return None
        said = self.old.digest(place.account_id, place.name) or self.new.digest(place.account_id, place.name)
        try:
            kind = self._catalog.type_of(place.service, place.name.partition(":")[2])
        except KeyError:
            return None
        if place.name not in self._digests:
            self._digests[place.name] = type_digest(self._catalog, kind)
        return kind if said == self._digests[place.name] else None

    def other_catalog(self, place: Place) -> Reason | None:
        """The reason that both snapshots asked for a type, but not alike."""
        digests = {side.digest(place.account_id, place.name) for side in (self.old, self.new)}
        if len(digests - {None}) < 2:
            return None
        return Reason(BOTH, Why.OTHER_CATALOG, f"the catalog's entry of {place.name} is not the same in both")

    def older(self, old: Iterable[Line], new: Iterable[Line], what: str) -> list[Reason]:
        """The reason that the later scan's answers may be the older ones: from a cache, or overlapping."""
        times = [{line["seen_at"] for line in lines if line["seen_at"]} for lines in (old, new)]
        first, last = reversed(times) if self._backwards else times
        finished = str((self.new if self._backwards else self.old).manifest.get("finished_at") or "")
        # A unit's time is when it began: only after the other scan's end, or as the same answer, it is surely no older.
        if not first or all(time >= finished or first == {time} for time in last):
            return []
        text = f"{what}: its answer may be older than that of the earlier scan"
        return [Reason(OLD if self._backwards else NEW, Why.OLDER_ANSWER, text)]

    def _ask_service(self, place: Place) -> tuple[Reason, ...] | None:
        asked = [side for side in (self.old, self.new) if side.lists(place)]
        if not asked:
            return None
        if len(asked) == 1:
            return ((self.new if asked[0] is self.old else self.old).why_not(place),)
        other = self.other_catalog(place)
        if other:
            return (other,)
        gaps = [gap for side in asked for gap in self._gaps(side, place)]
        old, new = (side.of_calls(place, None) for side in (self.old, self.new))
        return tuple(gaps or self.older(old, new, f"{place.account_id} {place.region} {place.resource_type}"))

    def _gaps(self, side: Ledger, place: Place) -> list[Reason]:
        """Why a snapshot does not know all resources of a type in a place; its parents count, which name its own."""
        kind = self.kind(place)
        if kind is None:
            return side.gaps(side.of_calls(place, None))
        filtered = bool(side.words(place.account_id, "tags"))
        found = side.gaps(side.of_calls(place, listing_calls(kind, filtered=filtered)))
        if not side.of_calls(place, {kind.list.operation}):
            found.append(side.why_not(place))
        while kind.of_parent:
            kind = self._catalog.type_of(kind.service, kind.of_parent)
            above = Place(place.account_id, place.region, kind.service, kind.resource_type)
            found += side.gaps(side.of_calls(above, listing_calls(kind, filtered=False)))
        return found

    def _ask_tagging(self, place: Place) -> tuple[Reason, ...] | None:
        account_id = place.account_id
        asked = [side.tagging.get(account_id, {}) for side in (self.old, self.new)]
        # Which region tells of a global resource is AWS's choice: all of them must have been asked.
        regions = sorted(asked[0].keys() | asked[1].keys()) if place.region == GLOBAL else [place.region]
        if not any(region in side for region in regions for side in asked):
            return None
        return tuple(reason for region in regions for reason in self._tagging_gaps(account_id, region))

    def _tagging_gaps(self, account_id: str, region: str) -> list[Reason]:
        place = Place(account_id, region, TAGGING, TAGGING)
        cells = [side.tagging.get(account_id, {}).get(region, []) for side in (self.old, self.new)]
        sides = list(zip((self.old, self.new), cells, strict=True))
        missing = [side.why_not(place) for side, lines in sides if not lines]
        if missing:
            return missing
        if self.old.words(account_id, "services") != self.new.words(account_id, "services"):
            text = f"the tagging API was asked for other services of account {account_id}"
            return [Reason(BOTH, Why.OTHER_SERVICES, text)]
        if self.old.digest(account_id, TAGGING) != self.new.digest(account_id, TAGGING):
            return [Reason(BOTH, Why.OTHER_CATALOG, "the catalogs do not give the same types to ARNs")]
        gaps = [gap for side, lines in sides for gap in side.gaps(lines)]
        return gaps or self.older(cells[0], cells[1], f"{account_id} {region} tagging API")

    def _left(self, place: Place, seen_in: str) -> str:
        return _LEFT[seen_in] if self.old.words(place.account_id, "tags") else ""

    def _absent(self, place: Place, seen_in: str) -> Reason:
        """Neither ledger has a cell that would have listed it by the collector that saw it."""
        return (self.new if seen_in == OLD else self.old).why_not(place)


def place_of(record: Mapping[str, Any]) -> Place:
    """Where a record's type is listed."""
    return Place(record["account_id"], record["region"], record["service"], record["resource_type"])


def _started(side: Ledger) -> str:
    return str(side.manifest.get("started_at") or "")
