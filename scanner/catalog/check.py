"""Proves every entry of the catalog against botocore's models: a typo cannot ship. All problems at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scanner.catalog import external, yaml_files
from scanner.catalog.check_calls import call_findings
from scanner.catalog.compile import compile_source
from scanner.catalog.findings import Finding, path_findings, paths_in, text_findings
from scanner.catalog.paths import (
    ANY,
    HOLE,
    SCALAR,
    PathError,
    Type,
    force,
    from_shape,
    members_of,
    resolve,
    type_of_items,
)
from scanner.catalog.sensitive import configuration_type, is_marked, item_type, marked, uncovered
from scanner.catalog.source import Source, read_source, unknown
from scanner.catalog.spec import RESERVED_HOLES, ResourceType
from scanner.errors import CatalogError


@dataclass(slots=True)
class CheckResult:
    """What the check found. `notes`: what could not be checked here."""

    problems: list[str] = field(default_factory=list)
    entries: int = 0
    calls: int = 0
    notes: list[str] = field(default_factory=list)


def check(extra_dirs: tuple[Path, ...] = ()) -> CheckResult:
    """Check every YAML file of the catalog."""
    problems, kinds = compiled(yaml_files(extra_dirs), is_proved=lambda _: False)
    return CheckResult(problems, len(kinds), sum(len(kind.calls) for kind in kinds), external.notes())


def compiled(files: list[Path], is_proved: Callable[[Path], bool]) -> tuple[list[str], list[ResourceType]]:
    """The problems and the types of these files. A file that is proved already, by the tests, is only compiled."""
    problems: list[str] = []
    found: dict[tuple[str, str], Path] = {}
    kinds: list[ResourceType] = []
    for path in files:
        try:
            source = read_source(path)
            compiled = compile_source(source)
        except CatalogError as error:
            problems.extend(error.problems)
            continue
        problems.extend([] if is_proved(path) else check_source(source, compiled))
        for kind in compiled:
            other = found.setdefault((kind.service, kind.kind), path)
            if other != path:
                problems.append(f"{kind.service}:{kind.kind} is defined twice, in {other} and in {path}: remove one")
        kinds.extend(compiled)
    return problems, kinds


def check_source(source: Source, kinds: tuple[ResourceType, ...]) -> Iterator[str]:
    """The problems of one compiled file."""
    by_kind = {kind.kind: kind for kind in kinds}
    for kind in kinds:
        for at, message in _Entry(kind, by_kind, source.doc["resources"][kind.kind]).findings():
            yield f"{source.where(('resources', kind.kind, *at))}: {message}"


class _Entry:
    def __init__(self, kind: ResourceType, kinds: Mapping[str, ResourceType], doc: Mapping[str, Any]) -> None:
        self._kind, self._kinds, self._doc = kind, kinds, doc
        self._listed = type_of_items(kind.list)
        self._item = item_type(kind)

    def findings(self) -> Iterator[Finding]:
        kind = self._kind
        if kind.of_parent and kind.of_parent not in self._kinds:
            yield ("of",), f"no type {kind.of_parent!r} in this file{unknown(kind.of_parent, self._kinds)}"
            return
        yield from call_findings(("list",), kind.list, self._before_list())
        if kind.get:
            yield from call_findings(("get",), kind.get, self._env(self._listed))
        if kind.tags_call:
            yield from call_findings(("tags",), kind.tags_call, self._env(self._item))
        for name, call in kind.extra.items():
            yield from call_findings(("with", name), call, self._env(self._item))
        yield from self._values()
        yield from self._arn()
        yield from self._scrubbed()
        if kind.cfn and not external.cfn_exists(kind.cfn):
            yield ("cfn",), f"CloudFormation has no type {kind.cfn!r}{unknown(kind.cfn, external.cfn_names())}"

    def _env(self, item: Type) -> Type:
        """What holes and paths see: the item's members and the reserved words, which win."""
        if item.kind == "any":
            return ANY
        reserved: dict[str, Type] = dict.fromkeys(RESERVED_HOLES, SCALAR)
        reserved["item"] = force(from_shape(members_of(item)["item"])) if "item" in members_of(item) else item
        reserved["parent"] = self._parent()
        return Type("object", fields={**members_of(item), **reserved})

    def _before_list(self) -> Type:
        words = dict.fromkeys(("partition", "region", "account"), SCALAR)
        return Type("object", fields={**words, "parent": self._parent()})

    def _parent(self) -> Type:
        parent = self._kinds.get(self._kind.of_parent)
        if parent is None:
            return SCALAR if self._kind.of_literals else Type("object")
        entry = _Entry(parent, self._kinds, {})
        if entry._item.kind == "any":
            return ANY
        return Type("object", fields={**members_of(entry._item), **dict.fromkeys(("id", "arn", "name"), SCALAR)})

    def _values(self) -> Iterator[Finding]:
        kind, env = self._kind, self._env(self._item)
        for name in ("id", "arn", "name"):
            yield from text_findings((name,), getattr(kind, name), env)
        for name in ("where", "owned", "state", "tags", "created"):
            yield from path_findings((name,), getattr(kind, name), env)
        for name in ("Tags", "tags", "TagList", "TagSet") if kind.untagged else ():
            if not list(path_findings(("tags",), name, env)):
                yield ("tags",), f"{{}} says that AWS has no tags for it, but there is {name!r}"
        if kind.created and not list(path_findings(("created",), kind.created, env)):
            shape = force(resolve(kind.created, env)).shape
            stamps = ("timestamp", "long", "string")
            if shape is not None and shape.type_name not in stamps:
                yield ("created",), f"{kind.created!r} is a {shape.type_name}, not a time"
        for word in re.findall(r"'([a-z]+)'\)? *(?:\|\||$)", kind.owned):
            if word not in ("self", "aws", "shared", "default"):
                yield ("owned",), f"{word!r} is none of self, aws, shared, default"

    def _arn(self) -> Iterator[Finding]:
        kind = self._kind
        parts = kind.shape.split(":", 5)
        if len(parts) != 6 or parts[:3] != ["arn", "{partition}", kind.namespace] or "{id}" not in parts[5]:
            yield ("shape",), f"{kind.shape!r} is no ARN of {kind.namespace}: arn:{{partition}}:{kind.namespace}:..."
            return
        for part, allowed in ((parts[3], ("{region}", "")), (parts[4], ("{account}", ""))):
            if part not in allowed:
                yield ("shape",), f"{part!r} is none of {allowed}"
        known = external.arn_words(kind.namespace)
        for word in re.findall(r"[A-Za-z-]{2,}", HOLE.sub("", parts[5])):
            if known and word not in known and word != kind.kind:
                yield ("shape",), f"no ARN of {kind.namespace} has the word {word!r}{unknown(word, known)}"
        if not kind.arn.is_template or kind.arn.text == "{item}":
            return
        if not kind.arn.text.startswith(f"arn:{{partition}}:{kind.namespace}:"):
            yield ("arn",), "an ARN begins with arn:{partition}:" + kind.namespace

    def _scrubbed(self) -> Iterator[Finding]:
        whole = configuration_type(self._kind)
        for name in ("redact", "reveal", "volatile"):
            for at, path in enumerate(getattr(self._kind, name)):
                yield from path_findings((name, at), path.removesuffix(".*"), whole)
        known = marked(self._kind)
        for at, path in enumerate(self._kind.reveal):
            if path not in known:
                yield ("reveal", at), f"botocore does not mark {path!r} as sensitive{unknown(path, known)}"
        for path in uncovered(self._kind):
            yield ("redact",), f"botocore marks {path!r} as sensitive: it belongs here, or into `reveal`"
        yield from self._told()

    def _told(self) -> Iterator[Finding]:
        """What a record tells beside its configuration must be no secret: nobody would redact it there."""
        for name in ("id", "arn", "name", "tags", "created", "state", "owned"):
            said = getattr(self._kind, name)
            for path in paths_in(said):
                try:
                    found = force(resolve(path, self._env(self._item)))
                except PathError:
                    continue
                if is_marked(found.shape):
                    yield (name,), f"tells {path!r}, which botocore marks as sensitive"
