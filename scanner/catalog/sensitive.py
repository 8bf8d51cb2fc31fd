"""What of a record may be a secret: the members that botocore marks as sensitive, as paths of the configuration.

A path is spelt as in `redact`: members, "[]" for every element of a list, "*" for every value of a map.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scanner.catalog.models import AnyShape
from scanner.catalog.paths import (
    ANY,
    PathError,
    Type,
    force,
    from_shape,
    item_of,
    members_of,
    output_type,
    resolve,
    type_of_items,
)
from scanner.catalog.spec import Call, ResourceType, Steps, steps_of


def item_type(kind: ResourceType) -> Type:
    """The item as records are made from it: the list's, with what `get` adds."""
    listed, get = type_of_items(kind.list), kind.get
    if get is None:
        return listed
    try:
        found = item_of(resolve(get.out, output_type(get.service, get.operation)))
    except PathError:
        return ANY
    if found.kind == "any":
        return ANY
    keeps = not get.batch or get.key
    return Type("object", fields={**(members_of(listed) if keeps else {}), **members_of(found)})


def configuration_type(kind: ResourceType) -> Type:
    """The configuration of a record: the item, and what the calls of `with` add to it."""
    item = item_type(kind)
    if item.kind == "any":
        return ANY
    extras = {name: _taken(call) for name, call in kind.extra.items()}
    return Type("object", fields={**members_of(item), **extras})


def marked(kind: ResourceType) -> tuple[str, ...]:
    """The paths that botocore marks as sensitive in a type's configuration, sorted."""
    return tuple(sorted(set(_marked(configuration_type(kind), "", frozenset()))))


def uncovered(kind: ResourceType) -> tuple[str, ...]:
    """The marked paths that neither `redact` nor `reveal` speaks of.

    Who names a path below a marked one has chosen what of it is a secret: the values of variables, not their names.
    """
    said = [steps_of(path) for path in (*kind.redact, *kind.reveal)]
    return tuple(path for path in marked(kind) if not _is_covered(steps_of(path), said))


def is_marked(shape: AnyShape | None) -> bool:
    """Whether botocore marks a shape as sensitive."""
    return shape is not None and bool(shape.metadata.get("sensitive"))


def _taken(call: Call) -> Type:
    try:
        return resolve(call.take, resolve(call.out, output_type(call.service, call.operation)))
    except PathError:
        return ANY


def _is_covered(path: Steps, said: Iterable[Steps]) -> bool:
    return any(path[: len(one)] == one or one[: len(path)] == path for one in said)


def _marked(one: Type, path: str, above: frozenset[str]) -> Iterator[str]:
    one = force(one)
    name = one.shape.name if one.shape is not None else ""
    if path and (is_marked(one.shape) or (name in above and _holds_marked(one.shape, frozenset()))):
        yield path  # a shape that holds itself, and a secret, has no end of paths: all of it is hidden
    if name in above:
        return
    within = above | {name} if name else above
    if one.kind == "list":
        yield from _marked(one.inner or ANY, f"{path}[]", within)
    elif one.kind == "map":
        yield from _marked(one.inner or ANY, f"{path}.*", within)
    for member, shape in one.fields.items():
        step = member if member.isidentifier() else f'"{member}"'
        yield from _marked(from_shape(shape), f"{path}.{step}" if path else step, within)


def _holds_marked(shape: AnyShape, above: frozenset[str]) -> bool:
    if is_marked(shape):
        return True
    if shape.name in above:
        return False
    parts = [getattr(shape, name) for name in _PARTS.get(shape.type_name, ())]
    below = [*getattr(shape, "members", {}).values(), *parts]
    return any(_holds_marked(one, above | {shape.name}) for one in below)


_PARTS = {"list": ("member",), "map": ("value",)}
