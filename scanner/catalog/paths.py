"""What a JMESPath expression yields, told from botocore's shapes alone: a misspelt member is found without AWS."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from scanner.catalog import models
from scanner.catalog.models import AnyShape
from scanner.catalog.spec import Call

HOLE = re.compile(r"\{([A-Za-z_][\w.]*)\}")


@dataclass(frozen=True, slots=True)
class Type:
    """A static type: "scalar" (with its botocore `shape`), "list" of `inner`, "object" of `fields`, "map", or "any"."""

    kind: str
    inner: Type | None = None
    fields: Mapping[str, Type | AnyShape] = field(default_factory=dict)
    shape: AnyShape | None = None


ANY = Type("any")
SCALAR = Type("scalar")


class PathError(ValueError):
    """An expression that the shapes do not allow."""


def from_shape(shape: AnyShape | Type | None) -> Type:
    """The type of a botocore shape."""
    if isinstance(shape, Type):
        return shape
    if shape is None:
        return Type("object")
    if shape.type_name == "structure":
        if shape.metadata.get("document") or getattr(shape, "is_document_type", False):
            return ANY
        return Type("object", fields=shape.members, shape=shape)
    if shape.type_name == "list":
        return Type("list", from_shape_lazy(shape.member), shape=shape)
    if shape.type_name == "map":
        return Type("map", from_shape_lazy(shape.value), shape=shape)
    return Type("scalar", shape=shape)


def from_shape_lazy(shape: AnyShape) -> Type:
    """As `from_shape`, but one level at a time: shapes may contain themselves."""
    return Type("lazy", shape=shape)


def output_type(service: str, operation: str) -> Type:
    """The type of an operation's whole answer."""
    model = models.operation(service, operation)
    return from_shape(model.output_shape if model else None)


def type_of_items(listing: Call) -> Type:
    """The type of the items that a list call yields; bare strings become {item}."""
    try:
        found = resolve(listing.out, output_type(listing.service, listing.operation))
    except PathError:
        return ANY
    return item_of(found)


def item_of(found: Type) -> Type:
    """One item of what a call's `out` yields."""
    found = force(found)
    one = force(found.inner) if found.kind == "list" and found.inner else found
    return Type("object", fields={"item": one}) if one.kind == "scalar" else one


def members_of(one: Type) -> Mapping[str, Type | AnyShape]:
    """The members of an object type; none for others."""
    return force(one).fields


def force(one: Type) -> Type:
    """A lazy type, looked at."""
    return from_shape(one.shape) if one.kind == "lazy" else one


def resolve(path: str, root: Type) -> Type:
    """What `path` yields on `root`. Raises PathError naming the member that is not there and the nearest that is."""
    if not path:
        return root
    try:
        tree = jmespath.compile(path).parsed
    except JMESPathError as error:
        raise PathError(f"is no JMESPath: {' '.join(str(error).split())[:120]}") from None
    return _walk(tree, root)


def _walk(node: Any, on: Type) -> Type:
    on = force(on)
    handler = _NODES.get(node["type"])
    if handler is None:
        raise PathError(f"uses {node['type']}, which the catalog does not know")
    found: Type = handler(node, on)
    return found


def _field(node: Any, on: Type) -> Type:
    name = node["value"]
    if on.kind in ("any",):
        return ANY
    if on.kind == "map":
        return on.inner or ANY
    if on.kind != "object":
        raise PathError(f"takes {name!r} of a {on.kind}")
    if name not in on.fields:
        near = difflib.get_close_matches(name, list(on.fields), 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(on.fields)[:12])}"
        raise PathError(f"has no member {name!r}{hint}")
    return from_shape(on.fields[name])


def _chain(node: Any, on: Type) -> Type:
    for child in node["children"]:
        on = _walk(child, on)
    return on


def _projection(node: Any, on: Type) -> Type:
    left = force(_walk(node["children"][0], on))
    if left.kind not in ("list", "any"):
        raise PathError(f"projects over a {left.kind}, not a list")
    return Type("list", _walk(node["children"][1], left.inner or ANY))


def _filter(node: Any, on: Type) -> Type:
    left = force(_walk(node["children"][0], on))
    if left.kind not in ("list", "any"):
        raise PathError(f"filters a {left.kind}, not a list")
    _walk(node["children"][2], left.inner or ANY)
    return Type("list", _walk(node["children"][1], left.inner or ANY))


def _values(node: Any, on: Type) -> Type:
    left = force(_walk(node["children"][0], on))
    return Type("list", _walk(node["children"][1], left.inner or ANY))


def _flatten(node: Any, on: Type) -> Type:
    left = force(_walk(node["children"][0], on))
    if left.kind == "any":
        return Type("list", ANY)
    if left.kind != "list":
        raise PathError(f"flattens a {left.kind}, not a list")
    inner = force(left.inner or ANY)
    return Type("list", inner.inner if inner.kind == "list" and inner.inner else inner)


def _index(node: Any, on: Type) -> Type:
    if on.kind not in ("list", "any"):
        raise PathError(f"takes an element of a {on.kind}")
    return on if node["type"] == "slice" else (on.inner or ANY)


def _either(node: Any, on: Type) -> Type:
    found = [force(_walk(child, on)) for child in node["children"]]
    return found[-1] if found[-1].kind != "scalar" else found[0]


def _compare(node: Any, on: Type) -> Type:
    left, right = (force(_walk(child, on)) for child in node["children"])
    for one, other in ((left, node["children"][1]), (right, node["children"][0])):
        allowed = getattr(one.shape, "enum", None) if one.shape is not None else None
        if allowed and other["type"] == "literal" and other["value"] not in allowed:
            near = difflib.get_close_matches(str(other["value"]), allowed, 1)
            raise PathError(f"compares with {other['value']!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return SCALAR


def _object(node: Any, on: Type) -> Type:
    return Type("object", fields={pair["value"]: _walk(pair["children"][0], on) for pair in node["children"]})


def _call(node: Any, on: Type) -> Type:
    given = [force(_walk(child, on)) for child in node["children"] if child["type"] != "expref"]
    if node["value"] == "merge" and all(one.kind == "object" for one in given):
        return Type("object", fields={name: one for part in given for name, one in part.fields.items()})
    if node["value"] not in _FUNCTIONS:
        raise PathError(f"calls {node['value']!r}, which is no function of JMESPath")
    return ANY if node["value"] not in _SCALAR_FUNCTIONS else SCALAR


_FUNCTIONS = frozenset(
    [
        "abs",
        "avg",
        "contains",
        "ceil",
        "ends_with",
        "floor",
        "join",
        "keys",
        "length",
        "map",
        "max",
        "max_by",
        "merge",
        "min",
        "min_by",
        "not_null",
        "reverse",
        "sort",
        "sort_by",
        "starts_with",
        "sum",
        "tail",
        "to_array",
        "to_string",
        "to_number",
        "type",
        "values",
    ]
)
_SCALAR_FUNCTIONS = frozenset(
    ["contains", "ends_with", "length", "starts_with", "tail", "to_string", "to_number", "type", "join"]
)

_NODES: dict[str, Callable[[Any, Type], Type]] = {
    "field": _field,
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "projection": _projection,
    "filter_projection": _filter,
    "value_projection": _values,
    "flatten": _flatten,
    "index": _index,
    "slice": _index,
    "or_expression": _either,
    "and_expression": _either,
    "not_expression": lambda node, on: (_walk(node["children"][0], on), SCALAR)[1],
    "comparator": _compare,
    "multi_select_dict": _object,
    "multi_select_list": lambda node, on: Type("list", next(_walk(child, on) for child in node["children"])),
    "function_expression": _call,
    "literal": lambda _, __: SCALAR,
    "identity": lambda _, on: on,
    "current": lambda _, on: on,
}
