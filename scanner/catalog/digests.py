"""What tells two catalogs apart, type by type: equal digests mean that AWS was asked the same and read the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import orjson

from scanner.catalog import FOLDER, Catalog, derived
from scanner.catalog.spec import ResourceType

_LENGTH = 12
_FORMAT = 1  # raise it when the same catalog gets other digests
_NO_PART = frozenset({"iam", "size", "size_param"})  # permissions and page sizes change no answer
_IF_SO = frozenset({"untagged"})  # part of the digest of those types only of which it is said


def type_digests(catalog: Catalog, kinds: Iterable[ResourceType]) -> dict[str, str]:
    """The digests of types by "client:kind"; they are kept as long as the catalog stays as it is."""
    name = f"digests-{catalog.version}-{_FORMAT}"
    kept, found = derived.load(name), dict[str, str]()
    if not isinstance(kept, dict):
        kept = {f"{kind.service}:{kind.kind}": type_digest(catalog, kind) for kind in catalog.types}
        derived.keep(name, kept)
    for kind in kinds:
        key = f"{kind.service}:{kind.kind}"
        found[key] = str(kept.get(key) or type_digest(catalog, kind))
    return found


def type_digest(catalog: Catalog, kind: ResourceType) -> str:
    """The digest of a type's compiled entry and of its parents', which decide what can be found of it."""
    line = [kind]
    while line[-1].of_parent:
        line.append(catalog.type_of(kind.service, line[-1].of_parent))
    return _digest([asdict(one, dict_factory=_telling) for one in line])


def names_digest(catalog: Catalog) -> str:
    """The digest of the words that an ARN becomes and that a profile may use: the tagging API's types."""
    words = [(kind.namespace, kind.kind, kind.service, kind.shape, kind.cfn) for kind in catalog.types]
    return _digest([words, dict(catalog.aliases), (FOLDER / "arns.yaml").read_text(encoding="utf-8")])


def _telling(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in fields if name not in _NO_PART and (value or name not in _IF_SO)}


def _digest(said: object) -> str:
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()[:_LENGTH]
