"""What tells two catalogs apart, type by type: equal digests mean that AWS was asked the same and read the same."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

import orjson

from scanner.catalog import FOLDER, Catalog
from scanner.catalog.spec import ResourceType

_LENGTH = 12
_NO_PART = frozenset({"iam", "size", "size_param"})  # permissions and page sizes change no answer


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
    return {name: value for name, value in fields if name not in _NO_PART}


def _digest(said: object) -> str:
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()[:_LENGTH]
