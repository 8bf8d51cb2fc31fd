"""A few records of many, from as many places as there are rows for: no place is all that is seen."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

Row = tuple[str, ...]


class Sample:
    """The rows of at most `most` of the records offered, as evenly from their places as these have them."""

    def __init__(self, most: int, row: Callable[[Any], Row]) -> None:
        self._most, self._row = most, row
        self._size = 0
        self._ceiling = most  # no place has more rows; once all are taken it can only sink
        self._by_place: dict[Hashable, list[Row]] = {}

    def offer(self, place: Hashable, record: Any) -> None:
        """Take a record, in exchange for the last one of the place that has most, or leave it."""
        own = self._by_place.get(place, [])
        if self._size == self._most:
            if len(own) + 1 >= self._ceiling:
                return
            fullest = max(self._by_place.values(), key=len)
            self._ceiling = len(fullest)
            if len(own) + 1 >= self._ceiling:
                return
            fullest.pop()
            self._size -= 1
        self._by_place.setdefault(place, own).append(self._row(record))
        self._size += 1

    @property
    def rows(self) -> list[Row]:
        """Place by place, in the order in which the places were first seen."""
        return [row for some in self._by_place.values() for row in some]
