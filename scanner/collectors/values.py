"""Values out of AWS's answers by the catalog's paths and templates; nothing here calls AWS."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jmespath
from jmespath import functions

from scanner.aws.timestamps import iso_utc
from scanner.catalog.spec import Text, steps_of
from scanner.model import REDACTED

Item = dict[str, Any]

_HOLE = re.compile(r"\{([A-Za-z_][\w.]*)\}")
_WHOLE_HOLE = re.compile(r"\{([A-Za-z_][\w.]*)\}\Z")
_PLAIN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z", re.ASCII)
_FIRST = re.compile(r"(\w+)\[\?(\w+)=='([^'\\]*)'\]\.(\w+) \| \[0\]\Z", re.ASCII)


class _Functions(functions.Functions):
    """The catalog's one function beyond JMESPath: tail(text, '/') is what follows the last separator."""

    @functions.signature({"types": ["string"]}, {"types": ["string"]})
    def _func_tail(self, text: str, separator: str) -> str:
        return text.rsplit(separator, 1)[-1]


_OPTIONS = jmespath.Options(custom_functions=_Functions())


@lru_cache(maxsize=4096)
def getter(path: str) -> Callable[[Mapping[str, Any]], Any]:
    """A function that takes the value at a JMESPath; plain members and the name among tags cost a look-up."""
    if not path:
        return lambda value: value
    if _PLAIN.match(path):
        return _member(*path.split("."))
    if first := _FIRST.match(path):
        return _first(*first.groups())
    compiled = jmespath.compile(path)
    return lambda value: compiled.search(value, options=_OPTIONS)


def _member(name: str, *below: str) -> Callable[[Any], Any]:
    """`a.b.c`"""
    if not below:
        return lambda value: value.get(name) if isinstance(value, Mapping) else None
    rest = _member(*below)
    return lambda value: rest(value.get(name)) if isinstance(value, Mapping) else None


def _first(items: str, key: str, wanted: str, member: str) -> Callable[[Any], Any]:
    """`items[?key=='wanted'].member | [0]`"""

    def found(value: Any) -> Any:
        among = value.get(items) if isinstance(value, Mapping) else None
        of_key = (one for one in among if isinstance(one, Mapping)) if isinstance(among, list) else ()
        matches = (one.get(member) for one in of_key if one.get(key) == wanted)
        return next((one for one in matches if one is not None), None)

    return found


def text_of(text: Text | None, env: Mapping[str, Any]) -> str | None:
    """A Text's value as a string; None where the member is missing or any hole is empty."""
    if text is None:
        return None
    value = fill(text.text, env) if text.is_template else getter(text.text)(env)
    return None if value is None else str(value)


def fill(template: str, env: Mapping[str, Any]) -> Any:
    """A template with its {holes} filled; one that is a single hole keeps its type. None if any hole is empty."""
    whole = _WHOLE_HOLE.match(template)
    if whole:
        return getter(whole[1])(env)
    values = {name: getter(name)(env) for name in _HOLE.findall(template)}
    if any(value is None for value in values.values()):
        return None
    return _HOLE.sub(lambda hole: str(values[hole[1]]), template)


def fill_params(params: Any, env: Mapping[str, Any]) -> Any:
    """Call parameters (any nesting) with their holes filled."""
    if isinstance(params, str):
        return fill(params, env) if "{" in params else params
    if isinstance(params, Mapping):
        return {name: fill_params(value, env) for name, value in params.items()}
    if isinstance(params, list | tuple):
        return [fill_params(value, env) for value in params]
    return params


def tags_of(raw: Any) -> dict[str, str]:
    """AWS's many spellings of tags ([{Key, Value}], [{key, value}], [{TagKey, TagValue}], a map) as one dict."""
    if isinstance(raw, Mapping):
        return {str(key): _tag_text(value) for key, value in raw.items()}
    found: dict[str, str] = {}
    for tag in raw or ():
        key = tag.get("Key", tag.get("key", tag.get("TagKey")))
        if key is not None:
            found[str(key)] = _tag_text(tag.get("Value", tag.get("value", tag.get("TagValue"))))
    return found


def _tag_text(value: Any) -> str:
    return "" if value is None else str(value)


Scrub = Callable[[Item], Item]
_GONE, _HIDDEN = "gone", "hidden"


def scrubber(redact: Iterable[str], volatile: Iterable[str]) -> Scrub:
    """A function that gives a value with what is at `redact` hidden and what is at `volatile` left out.

    What is changed is copied; the value itself, and what it shares with others, stays as it is.
    """
    tree: _Tree = {}
    for end, paths in ((_GONE, volatile), (_HIDDEN, redact)):
        for path in paths:
            _plant(tree, steps_of(path), end)
    return (lambda value: _scrubbed(value, tree)) if tree else (lambda value: value)


_Tree = dict[str, Any]  # step -> the tree below it, or what becomes of all that is there


def _plant(tree: _Tree, steps: Sequence[str], end: str) -> None:
    *way, last = steps
    for step in way:
        tree = tree.setdefault(step, {})
        if not isinstance(tree, dict):
            return  # all of it is hidden or gone already
    tree[last] = end


def _scrubbed(value: Any, tree: _Tree) -> Any:
    if "[]" in tree:
        below = tree["[]"]
        if not isinstance(value, list):
            return _ended(value, below)
        return [_ended(one, below) for one in value if below != _GONE]
    if not isinstance(value, dict):
        return value
    found = dict(value)
    for name in list(value) if "*" in tree else [name for name in tree if name in value]:
        below = tree.get(name, tree.get("*"))
        if below == _GONE:
            del found[name]
        else:
            found[name] = _ended(value[name], below)
    return found


def _ended(value: Any, below: Any) -> Any:
    if below != _HIDDEN:
        return _scrubbed(value, below)
    return REDACTED if value not in (None, "", [], {}) else value


def moment(value: Any) -> str | None:
    """A time as ISO 8601 UTC: text, seconds or (CloudWatch Logs) milliseconds since 1970; None if it is no time."""
    if value is None:
        return None
    try:
        return iso_utc(value / 1000 if isinstance(value, int | float) and value > 1e11 else value)
    except (ValueError, TypeError, OverflowError):
        return None


def scalar(value: Any) -> str | None:
    """A value as text; None stays None."""
    return None if value is None else str(value)
