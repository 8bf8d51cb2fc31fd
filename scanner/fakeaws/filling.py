"""Values made of botocore's shapes: plausible, always the same, and with items where a path looks for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel

from scanner.catalog.models import AnyShape

MOMENT = "2026-01-01T00:00:00Z"
MOMENT_S = 1_767_225_600


def place(path: str, items: list[Any]) -> dict[str, Any]:
    """A structure in which `path` ("Reservations[].Instances[]") finds the items."""
    *steps, last = path.split(".")
    value: Any = items
    for step in [last, *reversed(steps)]:
        name = step.removesuffix("[]")
        value = {name: value if step == last else [value] if step.endswith("[]") else value}
    return dict(value)


def blank(model: OperationModel) -> dict[str, Any]:
    """A whole answer filled from its shape, without any token."""
    filled = fill(model.output_shape, "extra") if model.output_shape else {}
    return {name: value for name, value in filled.items() if "oken" not in name and "arker" not in name}


def nothing(model: OperationModel) -> dict[str, Any]:
    """An answer with empty lists and maps."""
    members = model.output_shape.members if model.output_shape else {}
    return {name: [] if one.type_name == "list" else {} for name, one in members.items() if one.type_name in _MANY}


_MANY = ("list", "map")


def fill(shape: AnyShape, word: str, depth: int = 0) -> Any:
    """A plausible value of a shape: enums their first value, times one moment, structures to three levels."""
    if shape.type_name == "structure":
        members = shape.members.items() if depth < 3 else ()
        return {name: fill(one, f"{name}-{word}"[:60], depth + 1) for name, one in members if _is_wanted(one, depth)}
    if shape.type_name == "list":
        return [fill(shape.member, word, depth + 1)] if depth < 3 and shape.member.type_name != "structure" else []
    if shape.type_name == "map":
        return {}
    return _scalar(shape, word)


def _is_wanted(shape: AnyShape, depth: int) -> bool:
    return shape.serialization.get("location") is None and (depth < 2 or shape.type_name != "structure")


def _scalar(shape: AnyShape, word: str) -> Any:
    if getattr(shape, "enum", None):
        return shape.enum[0]
    if shape.type_name == "timestamp":
        return MOMENT if shape.metadata.get("timestampFormat") == "iso8601" else _Moment()
    if shape.type_name == "boolean":
        return False
    if shape.type_name in ("integer", "long"):
        return MOMENT_S * 1000 if "ime" in word.split("-")[0] and shape.type_name == "long" else 1
    if shape.type_name in ("float", "double"):
        return 1.0
    return MOMENT if re.search(r"(Date|Time)\Z", word.split("-")[0]) else word


class _Moment(int):
    """A time that JSON writes as a number and XML as text."""

    def __new__(cls) -> _Moment:
        return super().__new__(cls, MOMENT_S)

    def __str__(self) -> str:
        return MOMENT


def give_state(item: dict[str, Any], shape: AnyShape, path: str, leaf: str) -> None:
    """The resource's state by its number, so that a fleet has some in each; models that list none keep a word."""
    *steps, last = path.split(".")
    for step in steps:
        if step not in shape.members:
            return  # a list that gives less than the description
        shape, item = shape.members[step], item[step]
    states = getattr(shape.members.get(last), "enum", None)
    if states:
        item[last] = states[int(leaf[-5:]) % len(states)]


def tag_value(shape: AnyShape, tags: Mapping[str, str]) -> Any:
    """Tags as a shape wants them: a map, or a list of keys and values."""
    if shape.type_name == "map":
        return dict(tags)
    words = list(shape.member.members)
    key = next(word for word in words if word.lower().endswith("key"))
    value = next(word for word in words if word.lower().endswith("value"))
    return [{key: name, value: text} for name, text in tags.items()]


def shape_at(shape: AnyShape | None, path: str, *, whole: bool = False) -> Any:
    """The shape of one item at a plain path (or, `whole`, of all that is there)."""
    found = re.match(r"merge\((\w+)", path)
    for step in (found[1] if found else path).split("."):
        if shape is None or shape.type_name != "structure":
            return None
        shape = shape.members[step.removesuffix("[]")]
        if shape.type_name == "list" and not whole:
            shape = shape.member
    return shape


def first_word(path: str) -> str:
    """The member that a path begins with."""
    found = re.match(r"(?:merge\()?(\w+)", path)
    return found[1] if found else path
