"""ARN -> service, type and id: the shapes of the catalog reversed, those of arns.yaml besides, a general rule last."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from scanner.catalog.spec import ResourceType

UNKNOWN = "resource"  # the kind of an ARN that has no word for its type

_DATA = Path(__file__).with_name("arns.yaml")
_ARN = re.compile(r"arn:([a-z][a-z0-9-]*+):([A-Za-z0-9][\w.-]*+):([!-9;-~]*+):([!-9;-~]*+):(.+)", re.DOTALL | re.ASCII)
_FIRST_WORD = re.compile(r"[^/:]*+")
_TYPE_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}+")
_TYPED = re.compile(rf"({_TYPE_WORD.pattern})[/:](.+)", re.DOTALL)
_MANY_DIGITS = re.compile(r"(?:[^0-9]*+[0-9]){3}")  # "ec2securitygroup" is a word, "web-20260101" somebody's name
_HOLE = re.compile(r"(\{[^{}]*\})")
_HOLES = {
    "{*}": "(.+)",
    "{/*}": "(/.+)",
    "{#}": r"([0-9]++|\$LATEST)",
    "{kind}": f"(?P<kind>{_TYPE_WORD.pattern})",
    "{kinds}": f"(?P<kind>{_TYPE_WORD.pattern})",
}
_KIND_HOLES = ("{kind}", "{kinds}")
_LOOSE = {"{#}": 0, "{*}": 2, "{/*}": 2}
_PLURALS = (("ies", "y"), ("ches", "ch"), ("sses", "ss"), ("xes", "x"), ("sis", "sis"), ("ss", "ss"), ("s", ""))
_MAX_KEPT = 1000  # namespaces: AWS has fewer than 500, and hostile text must not fill the memory


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
    """A pattern over what follows the account. Its groups, each after its joint, make the id."""

    pattern: re.Pattern[str]
    service: str
    kind: str  # "" where the ARN itself says it, in the group "kind"
    joints: tuple[tuple[int, str], ...]
    plural: bool  # the ARN says "branches" and means the type "branch"
    owned: bool  # fits only ARNs that name an account

    def read(self, text: str) -> tuple[str, str] | None:
        """Kind and id; None where it does not fit."""
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        name = "".join([joint + found[group] for group, joint in self.joints]) if self.joints else text
        if self.kind:
            return self.kind, name
        return _singular(found["kind"]) if self.plural else found["kind"], name


@dataclass(frozen=True, slots=True)
class _Namespace:
    """The shapes of one namespace by the word that their ARNs begin with, the most telling first."""

    service: str
    by_word: dict[str, tuple[_Shape, ...]]
    wordless: tuple[_Shape, ...]


class ArnParser:
    """Parses ARNs into the words of these resource types. Linear in the ARN's length; make one and keep it."""

    def __init__(self, types: Iterable[ResourceType]) -> None:
        self._types: dict[str, list[ResourceType]] = {}
        for kind in types:
            self._types.setdefault(kind.namespace, []).append(kind)
        self._known: dict[str, _Namespace] = {}

    def parse(self, arn: str) -> ArnParts:
        """Take an ARN apart. Raises ValueError for text that is no ARN."""
        found = _ARN.fullmatch(arn)
        if found is None:
            raise ValueError(f"no ARN: {arn[:100]!r}")
        partition, namespace, region, account, resource = found.groups()
        known = self._known.get(namespace) or self._learn(namespace)
        text = resource.removeprefix("/")
        word = _FIRST_WORD.match(text)
        for shape in known.by_word.get(word[0] if word else "", known.wordless):
            read = shape.read(text) if account or not shape.owned else None
            if read:
                return ArnParts(partition, namespace, shape.service, region, account, *read)
        return ArnParts(partition, namespace, known.service, region, account, *_general(resource))

    def _learn(self, namespace: str) -> _Namespace:
        # Shapes are compiled when a namespace is first seen: a region has a few dozen of them, the data hundreds.
        said = _said()
        service = said["services"].get(namespace, namespace)
        rows = [_split(row, service) for row in said["shapes"].get(namespace, ())]
        rows += [_row_of(kind) for kind in self._types.get(namespace, ()) if kind.shape]
        known = _Namespace(service, *_by_word({pattern: (kind, client) for pattern, kind, client in rows}))
        if len(self._known) < _MAX_KEPT:
            self._known[namespace] = known
        return known


def resource_id(arn: str, kind: str) -> str:
    """The resource part of a catalog type's ARN after its kind: "web/api" of "...:service/web/api"."""
    resource = arn.split(":", 5)[-1]
    return resource[len(kind) + 1 :] if resource.startswith((f"{kind}/", f"{kind}:")) else resource


def type_word(parts: ArnParts) -> str:
    """The everyday word for an ARN's type: "db-parameter-group" where the ARN says "pg"."""
    words: dict[str, str] = _said()["words"]
    return words.get(parts.resource_type, parts.kind)


@lru_cache(maxsize=1)
def _said() -> dict[str, Any]:
    from scanner.catalog.strict_yaml import load_marked  # only who reads ARNs needs PyYAML

    said: dict[str, Any] = load_marked(_DATA.read_text(encoding="utf-8"))[0]
    return said


def _split(row: str, service: str) -> tuple[str, str, str]:
    """A row of arns.yaml, "PATTERN [KIND [CLIENT]]", as pattern, kind and client."""
    pattern, kind, client = [*row.split(), "", ""][:3]
    return pattern.removeprefix("/"), kind or _last_word(pattern), client or service


def _row_of(kind: ResourceType) -> tuple[str, str, str]:
    """The same of a catalog type: the shape's {id} is the rest, its other holes are in no id."""
    resource = kind.shape.split(":", 5)[-1]
    pattern = _HOLE.sub(lambda hole: "{*}" if hole[0] == "{id}" else "{-}", resource)
    return pattern.removeprefix("/"), kind.kind, kind.service


def _last_word(pattern: str) -> str:
    words = [word for word in re.split("[/:]", pattern) if (word and not _HOLE.match(word)) or word in _KIND_HOLES]
    return words[-1]


def _by_word(rows: dict[str, tuple[str, str]]) -> tuple[dict[str, tuple[_Shape, ...]], tuple[_Shape, ...]]:
    # The same pattern twice: the catalog's, the later one, stands.
    ranked = sorted(rows, key=_rank)
    shapes = {pattern: _shape(pattern, *rows[pattern]) for pattern in ranked}
    words = {pattern: _first_word(pattern) for pattern in ranked}

    def under(word: str) -> tuple[_Shape, ...]:
        return tuple(shapes[pattern] for pattern in ranked if words[pattern] in (word, ""))

    return {word: under(word) for word in set(words.values()) - {""}}, under("")


def _rank(pattern: str) -> tuple[int, int, int, str]:
    """The more fixed words, the sooner it is tried; then the more holes; digits before any part before all the rest."""
    fixed = [word for word in re.split("[/:]", _HOLE.sub("", pattern)) if word]
    holes = _HOLE.findall(pattern)
    return -len(fixed), -len(holes), sum(_LOOSE.get(hole, 1) for hole in holes), pattern


def _first_word(pattern: str) -> str:
    word = re.split("[/:{]", pattern.removeprefix("{account}:"), maxsplit=1)
    return word[0]


def _shape(pattern: str, kind: str, service: str) -> _Shape:
    pieces = _HOLE.split(pattern.removeprefix("{account}:"))
    texts: list[str] = []
    joints: list[tuple[int, str]] = []
    groups = 0
    for place in range(0, len(pieces) - 1, 2):
        before, hole, after = pieces[place : place + 3]
        texts += [re.escape(before), _HOLES.get(hole) or _part(hole, after)]
        groups += hole != "{-}"
        if hole != "{-}" and hole not in _KIND_HOLES:
            joints.append((groups, before[-1:] if joints else ""))
    compiled = re.compile("".join([*texts, re.escape(pieces[-1])]), re.DOTALL)
    fixed = "" if kind in _KIND_HOLES else kind
    return _Shape(compiled, service, fixed, tuple(joints), kind == "{kinds}", pattern.startswith("{account}:"))


def _part(hole: str, after: str) -> str:
    """One part of an id: it ends where the shape's next separator stands, so "{}:x" may hold slashes."""
    text = f"[^{after[0]}]++" if after else "[^/:]++"
    return text if hole == "{-}" else f"({text})"


def _general(resource: str) -> tuple[str, str]:
    """Kind and id where no shape fits: /types/id/types/id, type/id or type:id; else it has no word for its type."""
    if resource.startswith("/"):
        words = resource[1:].removesuffix("/").split("/")
        even = len(words) & ~1
        fixed, names = words[:even:2], words[1:even:2] + words[even:]
        if fixed and all(map(_is_word, fixed)) and "" not in names:
            return _singular(fixed[-1]), "/".join(names)
    typed = _TYPED.fullmatch(resource)
    if typed and not _MANY_DIGITS.match(typed[1]):
        return typed[1], typed[2]
    return UNKNOWN, resource


def _is_word(text: str) -> bool:
    return bool(_TYPE_WORD.fullmatch(text)) and not _MANY_DIGITS.match(text)


def _singular(word: str) -> str:
    for plural, single in _PLURALS:
        if word.endswith(plural):
            return word.removesuffix(plural) + single
    return word
