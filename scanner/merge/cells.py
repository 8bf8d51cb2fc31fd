"""Whose answer holds where several snapshots asked the same: an answer before a gap, then the later, then any one."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import orjson

from scanner.store.ledger import Line, Sums, order_of

Place = tuple[str, str, str, str]  # account, region, client, resource type
Rank = tuple[bool, str, int, bytes]

_DOOR = ("*", "sts", "*")


@dataclass(slots=True)
class Contest:
    """The places that several snapshots know, and which of them (by number) hold there."""

    shut: frozenset[str]
    sums: Sums = field(default_factory=Sums)
    winners: dict[Place, frozenset[int]] = field(default_factory=dict)

    def lines(self, manifests: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
        """The merged ledger, in order."""
        streams = [_numbered(at, manifest) for at, manifest in enumerate(manifests)]
        for place, group in groupby(heapq.merge(*streams, key=lambda one: one[0]), key=lambda one: _place(one[2])):
            by_source: dict[int, list[Line]] = {}
            for _, at, line in group:
                by_source.setdefault(at, []).append(line)
            if place[1:] == _DOOR and place[0] not in self.shut:
                continue  # another scan of the same plan came in
            for line in self._best(place, by_source):
                self.sums.add(line)
                yield line

    def holds(self, place: Place, at: int) -> bool:
        """Whether a snapshot's records of a place are those of the merged one."""
        winners = self.winners.get(place)
        return winners is None or at in winners

    def _best(self, place: Place, by_source: dict[int, list[Line]]) -> list[Line]:
        if len(by_source) > 1:
            ranks = {at: _rank(lines) for at, lines in by_source.items()}
            best = max(ranks.values())
            self.winners[place] = frozenset(at for at, rank in ranks.items() if rank == best)
            return by_source[min(self.winners[place])]
        return next(iter(by_source.values()))


def _rank(lines: list[Line]) -> Rank:
    gaps = sum(line["gap"] or line["expected"] for line in lines)
    return not gaps, max(line["seen_at"] for line in lines), -gaps, orjson.dumps(lines, option=orjson.OPT_SORT_KEYS)


def _numbered(at: int, manifest: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], int, Line]]:
    ledger = manifest["ledger"]
    # Older versions wrote it into the manifest, sorted too; what people wrote may not be.
    for line in sorted(ledger, key=order_of) if isinstance(ledger, list) else ledger:
        yield order_of(line), at, line


def _place(line: Line) -> Place:
    return line["account_id"], line["region"], line["service"], line["resource_type"]
