"""Which cells of two ledgers cannot be compared, and why: what they hold may have changed without anybody seeing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from scanner.diff.changes import NEW, OLD, Reason, Why
from scanner.diff.ledger import TAGGING, Ledger, Line, Place, answered
from scanner.diff.sources import Source

_Key = tuple[Place, str]


@dataclass(frozen=True, slots=True, order=True)
class Blind:
    """Cells that were not compared for one reason. `cells` is how many (0: a whole snapshot without a ledger)."""

    snapshot: str
    why: str
    text: str
    cells: int


def blind_cells(old: Source, new: Source) -> tuple[Blind, ...]:
    """Everything that one ledger answers and the other does not, or neither; what a profile expects is left out."""
    missing = [(OLD, old.ledger_missing), (NEW, new.ledger_missing)]
    if any(text for _, text in missing):
        return tuple(Blind(side, Why.NO_LEDGER, text, 0) for side, text in missing if text)
    assert old.manifest is not None
    assert new.manifest is not None
    counts: dict[tuple[str, str, str, str], dict[str, int]] = {}
    for reason, region, rest in _doubts(Ledger(OLD, old.manifest), Ledger(NEW, new.manifest)):
        regions = counts.setdefault((reason.snapshot, reason.why, reason.text, rest), {})
        regions[region] = regions.get(region, 0) + 1
    found = (
        Blind(
            side,
            why,
            " ".join(part for part in (text, ", ".join(sorted(regions)), rest) if part),
            sum(regions.values()),
        )
        for (side, why, text, rest), regions in counts.items()
    )
    return tuple(sorted(found))


def _doubts(old: Ledger, new: Ledger) -> Iterator[tuple[Reason, str, str]]:
    """Each cell that is not comparable: a reason without its region, the region, and what follows it in the text."""
    olds, news = _by_key(old), _by_key(new)
    for key in olds.keys() | news.keys():
        before, after = olds.get(key), news.get(key)
        asked = [side for side, line in ((old, before), (new, after)) if line and _asked(side, key[0])]
        if len(asked) == 1 and not _is_account(key[0]):
            yield (new if asked[0] is old else old).why_not(key[0]), "", ""
        elif asked:
            yield from (_gap(side, line) for side, line in _unlike(((old, before), (new, after))))


def _unlike(sides: tuple[tuple[Ledger, Line | None], ...]) -> Iterator[tuple[Ledger, Line]]:
    """The sides that leave something open: a gap, or no answer where the other has one."""
    outcomes = {line["outcome"] if line and not answered(line) else "" for _, line in sides}
    for side, line in sides:
        if line is None or answered(line) or line["expected"]:
            continue
        if line["gap"] or len(outcomes) > 1:
            yield side, line


def _gap(side: Ledger, line: Line) -> tuple[Reason, str, str]:
    said = ": ".join(part for part in (line["code"], line["message"]) if part)
    rest = f"{line['resource_type']} {line['call']}"
    return (
        Reason(side.snapshot, line["outcome"], line["account_id"]),
        line["region"],
        f"{rest}: {said}" if said else rest,
    )


def _by_key(side: Ledger) -> Mapping[_Key, Line]:
    found: dict[_Key, Line] = {}
    for line in side.manifest["ledger"]:
        place = Place(line["account_id"], line["region"], line["service"], line["resource_type"])
        held = found.get((place, line["call"]))
        if held is None or answered(held):
            found[place, line["call"]] = line
    return found


def _asked(side: Ledger, place: Place) -> bool:
    return place.resource_type == TAGGING or side.lists(place)


def _is_account(place: Place) -> bool:
    """Whether the cell is an account's door, which only has a cell where it stays shut."""
    return place.region == TAGGING
