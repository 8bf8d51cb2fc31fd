"""Values out of AWS's answers by the catalog's paths and templates; nothing here calls AWS."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import jmespath
from jmespath import functions

from scanner.aws.timestamps import iso_utc
from scanner.catalog.spec import Text

Item = dict[str, Any]

_HOLE = re.compile(r"\{([A-Za-z_][\w.]*)\}")
_WHOLE_HOLE = re.compile(r"\{([A-Za-z_][\w.]*)\}\Z")
_PLAIN = re.compile(r"[A-Za-z_]\w*\Z")
REDACTED = "(redacted)"


class _Functions(functions.Functions):
    """The catalog's one function beyond JMESPath: tail(text, '/') is what follows the last separator."""

    @functions.signature({"types": ["string"]}, {"types": ["string"]})
    def _func_tail(self, text: str, separator: str) -> str:
        return text.rsplit(separator, 1)[-1]


_OPTIONS = jmespath.Options(custom_functions=_Functions())


@lru_cache(maxsize=4096)
def getter(path: str) -> Callable[[Mapping[str, Any]], Any]:
    """A function that takes the value at a JMESPath; a plain member costs no more than a dict look-up."""
    if not path:
        return lambda value: value
    if _PLAIN.match(path):
        return lambda value: value.get(path) if isinstance(value, Mapping) else None
    compiled = jmespath.compile(path)
    return lambda value: compiled.search(value, options=_OPTIONS)


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


def scrubbed(value: Any, path: list[str], replace: Callable[[Any], Any] | None) -> Any:
    """A value with `replace` applied to (or, if None, without) all at a path of members: "a.b", "a[].b", "a.*".

    What is changed is copied; the value itself, and what it shares with others, stays as it is.
    """
    head, *rest = path
    name, is_list = head.removesuffix("[]"), head.endswith("[]")
    if not isinstance(value, dict):
        return value
    changed = dict(value)
    for key in list(value) if name == "*" else [name] if name in value else []:
        if not rest and replace is None:
            del changed[key]
            continue
        inner = value[key]
        change = partial(scrubbed, path=rest, replace=replace) if rest else replace
        assert change is not None
        changed[key] = [change(one) for one in inner] if is_list and isinstance(inner, list) else change(inner)
    return changed


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
