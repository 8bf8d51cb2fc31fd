"""Which calls of a type a unit makes: what the collector follows, and what the least policy is derived from."""

from __future__ import annotations

from collections.abc import Iterator

from scanner.catalog import Catalog
from scanner.catalog.spec import Call, ResourceType
from scanner.model import Unit


def enriches(unit: Unit, kind: ResourceType) -> bool:
    """Whether a type's extra calls are wanted: its name is among the globs of the unit's `enrich`."""
    globs = unit.enrich
    return "*" in globs or kind.resource_type in globs or f"{kind.service}:{kind.kind}" in globs


def describes(unit: Unit, kind: ResourceType) -> bool:
    """Whether a type's `get` is called."""
    tags_need_get = bool(unit.tags) and kind.tags_call is None and not kind.untagged
    filtered = tags_need_get or bool(unit.filters)  # what a filter asks for may stand in the description only
    return kind.get is not None and (not kind.get_is_extra or enriches(unit, kind) or filtered)


def reads_tags(unit: Unit, kind: ResourceType) -> bool:
    """Whether a type's tags are asked for by a call of their own."""
    return kind.tags_call is not None and (enriches(unit, kind) or bool(unit.tags))


def calls_of_unit(unit: Unit, catalog: Catalog) -> Iterator[Call]:
    """Every call that a unit of services may make, those for the lists of parents included."""
    for name in unit.types:
        kind = catalog.type_of(unit.service, name)
        yield from _listing(unit, kind)
        if kind.tags_call and reads_tags(unit, kind):
            yield kind.tags_call
        if enriches(unit, kind):
            yield from kind.extra.values()
        while kind.of_parent:
            kind = catalog.type_of(unit.service, kind.of_parent)
            yield from _listing(unit, kind)


def _listing(unit: Unit, kind: ResourceType) -> Iterator[Call]:
    yield kind.list
    if kind.get and describes(unit, kind):
        yield kind.get
