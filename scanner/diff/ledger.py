"""One snapshot's ledger as a diff asks it: which cells list a type in a place, and were they answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scanner.catalog.spec import ResourceType
from scanner.diff.changes import Reason, Why
from scanner.model import GLOBAL, Outcome

TAGGING = "*"
_GET_RESOURCES = "get_resources"
_ANSWERED = frozenset({Outcome.OK, Outcome.EMPTY, Outcome.CACHED})

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a type is listed: an account, a region and the client that is asked."""

    account_id: str
    region: str
    service: str
    resource_type: str

    @property
    def name(self) -> str:
        """The type as a selection names it: client and kind."""
        return f"{self.service}:{self.resource_type.partition(':')[2]}"


@dataclass(slots=True)
class Ledger:
    """The ledger and the selection of one snapshot. `snapshot`: "old" or "new"."""

    snapshot: str
    manifest: Mapping[str, Any]
    cells: dict[Place, list[Line]] = field(default_factory=dict)
    tagging: dict[str, dict[str, list[Line]]] = field(default_factory=dict)  # account -> region -> cells
    regions: set[tuple[str, str]] = field(default_factory=set)
    _accounts: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for line in self.manifest["ledger"]:
            account_id, region = line["account_id"], line["region"]
            self.regions.add((account_id, region))
            if line["resource_type"] != TAGGING:
                place = Place(account_id, region, line["service"], line["resource_type"])
                self.cells.setdefault(place, []).append(line)
            elif line["call"] == _GET_RESOURCES:
                self.tagging.setdefault(account_id, {}).setdefault(region, []).append(line)
        self._accounts = {one["id"]: one for one in self.manifest["selection"]["accounts"]}

    def digest(self, account_id: str, name: str) -> str | None:
        """How an account was asked for a type (client:kind, or "*"); None: it was not."""
        account = self._accounts.get(account_id)
        own = account and account["types"]
        if account is None or (own is not None and name not in own):
            return None
        found: str | None = self.manifest["selection"]["types"].get(name)
        return found

    def words(self, account_id: str, name: str) -> Any:
        """The words that hold for an account: its own `tags`, `services` or `regions`, else the selection's."""
        own = self._accounts.get(account_id, {}).get(name)
        return self.manifest["selection"][name] if own is None else own

    def lists(self, place: Place) -> bool:
        """Whether the type was asked for there, not only listed for the sake of the types below it."""
        return place in self.cells and self.digest(place.account_id, place.name) is not None

    def why_not(self, place: Place) -> Reason:
        """The reason why a type was not asked for in a place: the account, the region or the type."""
        failed = {one["id"]: one for one in self.manifest["accounts"] if one["outcome"] != Outcome.OK}
        account_id, region = place.account_id, place.region
        if account_id in failed:
            one = failed[account_id]
            return Reason(self.snapshot, one["outcome"], f"account {account_id} was not scanned: {one['message']}")
        if account_id not in self._accounts:
            return Reason(self.snapshot, Why.NOT_ASKED, f"account {account_id} was not scanned")
        if (account_id, region) not in self.regions:
            return Reason(self.snapshot, Why.NOT_ASKED, f"{region} of account {account_id} was not scanned")
        what = "every tagged resource" if place.resource_type == TAGGING else place.resource_type
        return Reason(self.snapshot, Why.NOT_ASKED, f"{region} of account {account_id} was not asked for {what}")

    def gaps(self, lines: Iterable[Line]) -> list[Reason]:
        """The reasons of those cells that were not answered."""
        return [reason_of(self.snapshot, line) for line in lines if not answered(line)]

    def of_tagging(self, place: Place) -> list[Line]:
        """The tagging API's cells that may tell of a place: of a global one, those of every region."""
        by_region = self.tagging.get(place.account_id, {})
        regions = by_region if place.region == GLOBAL else [place.region]
        return [line for region in regions for line in by_region.get(region, ())]

    def of_calls(self, place: Place, calls: set[str] | None) -> list[Line]:
        """A type's cells in a place, of some calls or of all."""
        return [line for line in self.cells.get(place, ()) if calls is None or line["call"] in calls]


def answered(line: Line) -> bool:
    """Whether AWS answered this cell, now or a little earlier."""
    return line["outcome"] in _ANSWERED


def reason_of(snapshot: str, line: Line) -> Reason:
    """A cell that was not answered, as a reason."""
    where = f"{line['account_id']} {line['region']} {line['resource_type']} {line['call']}"
    said = ": ".join(part for part in (line["code"], line["message"]) if part)
    return Reason(snapshot, line["outcome"], f"{where}: {said}" if said else where)


def listing_calls(kind: ResourceType, *, filtered: bool) -> set[str]:
    """The calls that decide which resources of a type are found; under tag filters also those that read tags."""
    calls = {kind.list.operation}
    if kind.get and (filtered or not kind.get_is_extra):
        calls.add(kind.get.operation)
    if kind.tags_call and filtered:
        calls.add(kind.tags_call.operation)
    return calls
