"""Filters of records. A module in this folder that has NAME is one: an option of `scan`, a key under `filters:`."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from scanner.errors import ProfileError
from scanner.plugins import Menu

if TYPE_CHECKING:
    from scanner.catalog.spec import ResourceType
    from scanner.model import Chosen, Record

MENU = Menu("filter", "scanner.filters", ("NAME", "HELP", "words", "blind", "judge"))


class Filter(Protocol):
    """What a filter module has. `NAME` is a word such as "state" or "created_after"; `HELP` is one line."""

    NAME: str
    HELP: str

    def words(self, given: tuple[str, ...]) -> tuple[str, ...]:
        """The operator's words as they are compared. Raises ValueError, in words, for one that cannot be meant."""
        ...

    def blind(self, kind: ResourceType | None) -> str:
        """Why this filter cannot judge a type (None: what the tagging API tells); "" where it can."""
        ...

    def judge(self, words: tuple[str, ...]) -> Callable[[Record], bool | None]:
        """A function that says whether a record passes; None where AWS did not say what that hangs on."""
        ...


def names() -> tuple[str, ...]:
    """The filters there are. Only names that can be an option and a variable are any."""
    return tuple(name for name in MENU.names() if name.isidentifier() and name == name.lower())


def get(name: str) -> Filter:
    """The filter of this name. Raises ProfileError."""
    return cast(Filter, MENU.get(name))


def help_of(name: str) -> str:
    """A filter's line for `--help` and the profile's reference; of a broken one, what is wrong with it."""
    try:
        return get(name).HELP
    except ProfileError as error:
        return str(error)


def blindness(chosen: Chosen, kind: ResourceType | None) -> str:
    """Why the chosen filters cannot judge a type (None: what the tagging API tells); "" where they can."""
    reasons = ((name, get(name).blind(kind)) for name, _ in chosen)
    return next((f"filter {name}: {reason}" for name, reason in reasons if reason), "")


def sift(records: Iterator[Any], chosen: Chosen, unjudged: Callable[[str], None]) -> Iterator[Any]:
    """The records that pass all filters. `unjudged` hears of each that none refused and one could not judge."""
    return _sifted(records, chosen, unjudged) if chosen else records


def _sifted(records: Iterator[Any], chosen: Chosen, unjudged: Callable[[str], None]) -> Iterator[Any]:
    judges = [(name, get(name).judge(words)) for name, words in chosen]
    for record in records:
        verdicts = [(name, judge(record)) for name, judge in judges]
        if any(verdict is False for _, verdict in verdicts):
            continue
        unknown = next((name for name, verdict in verdicts if verdict is None), None)
        if unknown is None:
            yield record
        else:
            unjudged(unknown)


def digest(chosen: Chosen) -> str:
    """A word for the code of the chosen filters: what another version of them let through is not reused."""
    seen = hashlib.sha256()
    for name, _ in chosen:
        seen.update(name.encode() + _code_of(get(name)))
    return seen.hexdigest()[:16]


def _code_of(found: Any) -> bytes:
    file = getattr(found, "__file__", None) or getattr(sys.modules.get(type(found).__module__), "__file__", None)
    return Path(file).read_bytes() if file else b""
