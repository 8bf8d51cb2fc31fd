"""The rules for a resource that both snapshots have: which fields differ, and which of them were read in both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from scanner.catalog.spec import Call, ResourceType
from scanner.diff.changes import BOTH, FieldChange, Reason, Why
from scanner.diff.ledger import Ledger, Place
from scanner.diff.listing import Listing, place_of
from scanner.diff.values import differences
from scanner.model import REDACTED

# Not compared: what follows from other fields (managed_by, fingerprint) or from who asked (sources, account_name).
_ATTRIBUTES = ("resource_id", "resource_name", "created_at", "state", "ownership", "relationships")

Record = Mapping[str, Any]
Finding = tuple[FieldChange, Reason | None]  # a field that differs; with a reason: nobody knows whether it does
_NO_LEDGER = "without a ledger nobody knows whether this was read"


def compare_fields(old: Record, new: Record, listing: Listing | None) -> Iterator[Finding]:
    """Every field in which two records of one resource differ, and why that may mean nothing."""
    if listing is None:
        yield from _without_ledger(old, new)
        return
    rules = _Rules(listing, place_of(old if "services" in old["sources"] else new))
    yield from rules.tags(old, new)
    if ("services" in old["sources"]) == ("services" in new["sources"]):
        yield from rules.attributes(old, new)
        yield from rules.configuration(old["configuration"], new["configuration"])
    else:
        side = listing.new if "services" in old["sources"] else listing.old
        reason = rules.not_described(side)
        yield from ((change, reason) for change in _whole(old, new))


def without_secrets(found: Finding) -> Finding:
    """A difference that only one side redacts, with neither value: the other side's may be a secret.

    Snapshots that both have a ledger are not compared where one redacts and the other does not; files without one, and
    answers of another catalog, may be.
    """
    change, reason = found
    hides = reason and (_is_redacted(change.old) or _is_redacted(change.new))
    return (replace(change, old=REDACTED, new=REDACTED), reason) if hides else found


def _whole(old: Record, new: Record) -> Iterable[FieldChange]:
    return differences("configuration", old["configuration"], new["configuration"])


def _without_ledger(old: Record, new: Record) -> Iterator[Finding]:
    for name in ("tags", *_ATTRIBUTES, "configuration"):
        for change in differences(name, old[name], new[name]):
            one_sided = None in (old[name], new[name]) or (_is_one_sided(change) and name != "tags")
            doubtful = one_sided or _is_redacted(change.old) != _is_redacted(change.new)
            yield change, Reason(BOTH, Why.NO_LEDGER, _NO_LEDGER) if doubtful else None


def _is_redacted(value: str | None) -> bool:
    return REDACTED in (value or "")


def _is_one_sided(change: FieldChange) -> bool:
    return change.old is None or change.new is None


class _Rules:
    """What the two ledgers say of the calls that read the fields of one type in one place."""

    def __init__(self, listing: Listing, place: Place) -> None:
        self._listing, self._place = listing, place
        self._kind: ResourceType | None = listing.kind(place)
        self._all = self._not_alike()

    def tags(self, old: Record, new: Record) -> Iterator[Finding]:
        """Tags that were not read are null: they are unknown, not gone."""
        if old["tags"] is not None and new["tags"] is not None:
            for change in differences("tags", old["tags"], new["tags"]):
                yield change, self._all
        elif old["tags"] != new["tags"]:
            side = self._listing.old if old["tags"] is None else self._listing.new
            call = (self._kind.tags_call or self._kind.get) if self._kind else None
            for change in differences("tags", old["tags"], new["tags"]):
                yield change, self._all or self._not_read(side, call, "tags")

    def attributes(self, old: Record, new: Record) -> Iterator[Finding]:
        """Name, state and their like come with the list or with its `get`."""
        for name in _ATTRIBUTES:
            if name == "resource_name" and _is_the_name_tag(old) and _is_the_name_tag(new):
                continue  # the same is told as `tags`
            for change in differences(name, old[name], new[name]):
                yield change, self._all or self._undescribed()
        if old["region"] != new["region"]:
            yield FieldChange("region", old["region"], new["region"]), self._all

    def configuration(self, old: Any, new: Any) -> Iterator[Finding]:
        """What list and `get` said, and each extra by the call that read it."""
        if old is None or new is None:
            for change in differences("configuration", old, new):
                yield change, self._all or self._undescribed()
            return
        extras: Mapping[str, Call] = self._kind.extra if self._kind else {}
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) == new.get(name) and name in old and name in new:
                continue
            if self._kind and name == self._kind.tags:
                continue  # the same is told as `tags`
            for change in _member(name, old, new):
                if name in extras:
                    yield change, self._all or self._extra(extras[name], name, old, new)
                else:
                    yield change, self._all or self._undescribed() or self._other_botocore(change)

    def not_described(self, side: Ledger) -> Reason:
        """Why a snapshot has no more of a resource than what the tagging API tells."""
        if self._all:
            return self._all
        if not side.lists(self._place):
            return side.why_not(self._place)
        return self._not_read(side, None, "configuration")

    def _not_alike(self) -> Reason | None:
        """What makes every difference doubtful: another catalog, or answers in the wrong order of time."""
        place, listing = self._place, self._listing
        other = listing.other_catalog(place)
        if other:
            return other
        old, new = (side.of_calls(place, None) or side.of_tagging(place) for side in (listing.old, listing.new))
        what = f"{place.account_id} {place.region} {place.resource_type}"
        return next(iter(listing.older(old, new, what)), None)

    def _undescribed(self) -> Reason | None:
        """Why the fields that come with list and `get` are not known, if they are not."""
        if self._kind is None:
            return self._first_gap(None)
        # One answer of a batch is needed to make a record at all, but an item survives a lost `get` of its own.
        if self._kind.get is None or self._kind.get.batch:
            return None
        return self._first_gap({self._kind.get.operation})

    def _first_gap(self, calls: set[str] | None) -> Reason | None:
        sides = (self._listing.old, self._listing.new)
        return next((gap for side in sides for gap in side.gaps(side.of_calls(self._place, calls))), None)

    def _extra(self, call: Call, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Reason | None:
        """An extra that was not answered for this resource is missing; null is an answer."""
        if name in old and name in new:
            return None
        side = self._listing.old if name not in old else self._listing.new
        return self._not_read(side, call, f"configuration.{name}")

    def _not_read(self, side: Ledger, call: Call | None, what: str) -> Reason:
        lines = side.of_calls(self._place, {call.operation} if call else None)
        gap = next(iter(side.gaps(lines)), None)
        return gap or Reason(side.snapshot, Why.NOT_READ, f"{self._place.resource_type} {what} was not read")

    def _other_botocore(self, change: FieldChange) -> Reason | None:
        versions = [side.manifest["versions"]["botocore"] for side in (self._listing.old, self._listing.new)]
        if versions[0] == versions[1] or not _is_one_sided(change):
            return None
        return Reason(
            BOTH, Why.OTHER_BOTOCORE, f"botocore {versions[0]} and {versions[1]} may not read the same fields"
        )


def _is_the_name_tag(record: Record) -> bool:
    return bool(record["resource_name"] == (record["tags"] or {}).get("Name"))


def _member(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[FieldChange]:
    """The differences below one member of `configuration`, which either may lack."""
    one, other = ({name: side[name]} if name in side else {} for side in (old, new))
    return differences("configuration", one, other)
