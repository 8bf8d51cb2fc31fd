"""ARN <-> service, type and id: the catalog's shapes reversed first, then what is known of a namespace."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from scanner.catalog.spec import ResourceType

_DATA = Path(__file__).with_name("arns.yaml")


@dataclass(frozen=True, slots=True)
class ArnParts:
    """An ARN taken apart. `service` is the botocore client, `kind` the type's word, `id` all that follows it."""

    partition: str
    namespace: str
    service: str
    region: str
    account: str
    kind: str
    id: str

    @property
    def resource_type(self) -> str:
        """The record's type: "ec2:instance"."""
        return f"{self.namespace}:{self.kind}"


@dataclass(frozen=True, slots=True)
class _Shape:
    """A pattern over an ARN's resource part; `kind` and `service` are what it means, groups joined are the id."""

    pattern: re.Pattern[str]
    service: str
    kind: str
    joint: str = "/"
    prefix: str = ""


class ArnParser:
    """Parses ARNs with the words of these resource types. Linear in the ARN's length; make one and keep it."""

    def __init__(self, types: Iterable[ResourceType]) -> None:
        known, services = _known_shapes()
        self._services = services
        self._shapes: dict[str, list[_Shape]] = {name: list(shapes) for name, shapes in known.items()}
        for kind in types:
            shape = _shape_of(kind)
            if shape:
                # Sub-resources ("table/t/index/i") are told by the known shapes; a catalog shape takes the rest.
                self._shapes.setdefault(kind.namespace, []).append(shape)
                services.setdefault(kind.namespace, kind.service)

    def parse(self, arn: str) -> ArnParts:
        """Take an ARN apart. Raises ValueError for text that is no ARN."""
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
            raise ValueError(f"no ARN: {arn[:100]!r}")
        _, partition, namespace, region, account, resource = parts
        for shape in self._shapes.get(namespace, ()):
            found = shape.pattern.fullmatch(resource)
            if found:
                joined = shape.prefix + shape.joint.join(one for one in found.groups() if one is not None)
                return ArnParts(partition, namespace, shape.service, region, account, shape.kind, joined)
        kind, name = _general(resource)
        service = self._services.get(namespace, namespace)
        return ArnParts(partition, namespace, service, region, account, kind, name)


def resource_id(arn: str, kind: str) -> str:
    """The resource part of a catalog type's ARN after its kind: "web/api" of "...:service/web/api"."""
    resource = arn.split(":", 5)[-1]
    return resource[len(kind) + 1 :] if resource.startswith((f"{kind}/", f"{kind}:")) else resource


def type_word(parts: ArnParts) -> str:
    """The everyday word for an ARN's type: "db-parameter-group" where the ARN says "pg"."""
    words: dict[str, str] = _said()["words"]
    return words.get(parts.resource_type, parts.kind)


def _general(resource: str) -> tuple[str, str]:
    """Type and id of a namespace that nothing is known of: type/id or type:id; a bare name is a "resource"."""
    text = resource.lstrip("/")
    found = re.match(r"[A-Za-z][\w.-]{0,63}(?=[/:])", text)
    if found is None or len(text) == found.end() + 1:
        return "resource", text or resource
    return found[0], text[found.end() + 1 :]


def _shape_of(kind: ResourceType) -> _Shape | None:
    parts = kind.shape.split(":", 5)
    if len(parts) != 6:
        return None
    pattern = "".join(
        "(.+)" if piece == "{id}" else "[^:/]+" if piece.startswith("{") else re.escape(piece)
        for piece in re.split(r"(\{\w+\})", parts[5])
    )
    if kind.service == "elb":
        pattern = r"loadbalancer/([^/]+)"
    return _Shape(re.compile(pattern, re.DOTALL), kind.service, kind.kind)


@lru_cache(maxsize=1)
def _said() -> dict[str, Any]:
    from scanner.catalog.strict_yaml import load_marked  # PyYAML is needed for ARNs only

    said: dict[str, Any] = load_marked(_DATA.read_text(encoding="utf-8"))[0]
    return said


@lru_cache(maxsize=1)
def _known() -> tuple[dict[str, list[_Shape]], dict[str, str]]:
    said = _said()
    shapes: dict[str, list[_Shape]] = {}
    for namespace, rows in said["shapes"].items():
        for row in rows:
            shapes.setdefault(namespace, []).append(_known_shape(row, said["services"].get(namespace, namespace)))
    return shapes, said["services"]


def _known_shapes() -> tuple[dict[str, list[_Shape]], dict[str, str]]:
    shapes, services = _known()
    return shapes, dict(services)


def _known_shape(row: dict[str, str], service: str) -> _Shape:
    """A row of arns.yaml: {shape, kind, service?, joint?, prefix?}; in `shape`, {} is a part and {*} all the rest."""
    pieces = re.split(r"(\{[*#:]?\})", row["shape"])
    holes = {"{}": "([^/:]+)", "{:}": "([^:]+)", "{*}": "(.+)", "{#}": "([0-9]+)"}
    pattern = "".join(holes.get(piece) or re.escape(piece) for piece in pieces)
    compiled = re.compile(pattern, re.DOTALL)
    return _Shape(compiled, row.get("service", service), row["kind"], row.get("joint", "/"), row.get("prefix", ""))
