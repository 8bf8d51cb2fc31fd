"""By state, as the catalog reads it: running, stopped, available ... in any case."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scanner.catalog.spec import ResourceType
    from scanner.model import Record

NAME = "state"
HELP = "Only resources in one of these states: running, stopped, available ... Types without a state are not asked."


def words(given: tuple[str, ...]) -> tuple[str, ...]:
    """The states, in lower case, each once."""
    if not all(word.strip() for word in given):
        raise ValueError("an empty word is no state")
    return tuple(sorted({word.strip().lower() for word in given}))


def blind(kind: ResourceType | None) -> str:
    """Why a type cannot be judged."""
    if kind is None:
        return "the tagging API does not know states"
    return "" if kind.state else "the catalog knows no state of this type"


def judge(words: tuple[str, ...]) -> Callable[[Record], bool | None]:
    """Whether a record's state is one of these; None where AWS did not tell it."""

    def passes(record: Record) -> bool | None:
        state = record["state"]
        return None if state is None else state.lower() in words

    return passes
