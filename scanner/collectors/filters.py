"""The profile's tag filters: AND across filters, OR inside one, globs in keys and values; one meaning everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import translate
from functools import lru_cache

from scanner.model import TagFilter

GLOB = re.compile(r"[*?\[]")


def matcher(filters: tuple[TagFilter, ...]) -> Callable[[Mapping[str, str]], bool]:
    """A function that says whether tags pass all filters. Keys and values are case-sensitive, as in AWS."""
    tests = [(_any_of(one.keys), _any_of(one.values)) for one in filters]

    def matches(tags: Mapping[str, str]) -> bool:
        return all(any(key(name) and value(text) for name, text in tags.items()) for key, value in tests)

    return matches


@lru_cache(maxsize=1024)
def _any_of(globs: tuple[str, ...]) -> Callable[[str], object]:
    if not globs:
        return lambda _: True
    return re.compile("|".join(translate(glob) for glob in globs)).match


def server_side(filters: tuple[TagFilter, ...]) -> list[dict[str, object]]:
    """What of the filters GetResources can apply itself (exact keys, exact values); the rest is left to `matcher`."""
    asked: list[dict[str, object]] = []
    for one in filters:
        if len(one.keys) != 1 or GLOB.search(one.keys[0]) or any(key["Key"] == one.keys[0] for key in asked):
            continue
        exact = all(not GLOB.search(value) for value in one.values) and len(one.values) <= 20
        asked.append({"Key": one.keys[0], "Values": list(one.values) if exact else []})
    return asked[:50]
