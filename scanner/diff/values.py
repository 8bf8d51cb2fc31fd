"""Two JSON values compared: every place where they differ, as a dotted path with both values shortened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from scanner.diff.changes import FieldChange
from scanner.formats.text import shortened

WIDTH = 100
REORDERED = "the same elements in another order"

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_MISSING: Any = object()


def differences(path: str, old: Any, new: Any) -> Iterator[FieldChange]:
    """Where two values differ: tags.Owner, configuration.Rules[0].Port, tags["kubernetes.io/name"]."""
    if old == new and type(old) is type(new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from differences(step(path, name), old.get(name, _MISSING), new.get(name, _MISSING))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _lists(path, old, new)
    else:
        yield FieldChange(path, _shown(old), _shown(new))


def step(path: str, name: str) -> str:
    """The path of a member; a name that would blur the path is written as JSON."""
    return f"{path}.{name}" if _PLAIN.fullmatch(name) else f"{path}[{orjson.dumps(name).decode()}]"


def _lists(path: str, old: list[Any], new: list[Any]) -> Iterator[FieldChange]:
    if sorted(map(_canonical, old)) == sorted(map(_canonical, new)):
        yield FieldChange(path, _shown(old), REORDERED)
    elif len(old) == len(new):
        for at, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from differences(f"{path}[{at}]", before, after)
    else:
        yield FieldChange(path, _shown(old), _shown(new))


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _shown(value: Any) -> str | None:
    if value is _MISSING:
        return None
    return shortened(value if isinstance(value, str) else orjson.dumps(value).decode(), WIDTH)
