"""Faults of pages: tokens that lead back, nowhere, or on for ever. The state is in the tokens, none is kept here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MARK = "~"
_KINDS = ("again", "same", "tail", "endless")
Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Paged:
    """Where an operation has its tokens, its items, and (or "") the word that says there is more."""

    given: str
    answered: str
    items: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class Lie:
    """A token that a fault made: what it leads to, and the `number`th of its sort."""

    kind: str = ""
    number: int = 0


def unwrapped(paged: Paged | None, params: Params) -> tuple[Params, Lie]:
    """A request's parameters with the true token (or none), and what the token was."""
    token = str(params.get(paged.given) or "") if paged else ""
    kind, _, rest = token.partition(_MARK)
    if paged is None or kind not in _KINDS or not rest:
        return params, Lie()
    number, _, true = rest.partition(_MARK)
    others = {name: value for name, value in params.items() if name != paged.given}
    return {**others, paged.given: true} if true else others, Lie(kind, int(number))


def page_behind(paged: Paged, lie: Lie, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The empty page that a token beyond the last page leads to."""
    blank = _with_token(paged, {**answer, paged.items: []}, "")
    if lie.kind == "endless":
        return _with_token(paged, blank, _token("endless", lie.number + 1))
    return _with_token(paged, blank, _token("tail", lie.number - 1) if lie.number > 1 else "")


def lied(fault: str, paged: Paged, asked: str, params: Params, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The page that a fault makes of an answer. `asked` is the token as it came, `params` have the true one."""
    true = str(params.get(paged.given) or "")
    if fault == "same_token":
        return _with_token(paged, answer, asked or _token("same", 0, true))
    if fault in ("empty_page", "duplicate_page"):
        shown = {**answer, paged.items: []} if fault == "empty_page" else answer
        return _with_token(paged, shown, _token("again", 0, true))
    if answer.get(paged.answered):
        return answer
    return _with_token(paged, answer, _token("tail", 2) if fault == "empty_last_page" else _token("endless", 1))


def _token(kind: str, number: int, true: str = "") -> str:
    return f"{kind}{_MARK}{number}{_MARK}{true}"


def _with_token(paged: Paged, answer: Mapping[str, Any], token: str) -> Mapping[str, Any]:
    rest = {name: value for name, value in answer.items() if name != paged.answered}
    more = {paged.more: bool(token)} if paged.more else {}
    return {**rest, **more, **({paged.answered: token} if token else {})}
