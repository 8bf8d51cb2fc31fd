"""The catalog: every resource type as data. `load_catalog` gives it compiled, from one JSON where that is current."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scanner.catalog import derived
from scanner.catalog.spec import Call, ResourceType, Text
from scanner.errors import CatalogError
from scanner.plugins import catalog_folders

COMPILER = 4  # part of the version: raise it when the same YAML compiles to something else
_MAX_BYTES = 2 << 20  # more than the compiler takes of one file
FOLDER = Path(__file__).parent

_ALWAYS_ALLOWED = frozenset(
    {
        ("sts", "get_caller_identity"),
        ("sts", "assume_role"),
        ("ec2", "describe_regions"),
        ("account", "list_regions"),
        ("organizations", "list_accounts"),
        ("organizations", "list_roots"),
        ("organizations", "list_accounts_for_parent"),
        ("organizations", "list_organizational_units_for_parent"),
        ("organizations", "list_tags_for_resource"),
        ("resourcegroupstaggingapi", "get_resources"),
    }
)


@dataclass(frozen=True)
class Catalog:
    """All resource types, the regions of each partition, and the words a profile may use for them."""

    version: str
    types: tuple[ResourceType, ...]
    regions: Mapping[str, tuple[str, ...]]
    aliases: Mapping[str, tuple[str, ...]]
    absent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # client -> regions that do not offer it

    def find(self, pattern: str) -> tuple[ResourceType, ...]:
        """The types that a word means: client, namespace, type, alias, CloudFormation name, or a glob of these."""
        if pattern in self.aliases:
            return tuple(kind for word in self.aliases[pattern] for kind in self._match(word))
        return self._match(pattern)

    def _match(self, pattern: str) -> tuple[ResourceType, ...]:
        if not set("*?[") & set(pattern):
            return self._by_word.get(pattern, ())
        return tuple(kind for kind in self.types if any(fnmatchcase(word, pattern) for word in _words(kind)))

    def select(self, words: Sequence[str]) -> tuple[ResourceType, ...]:
        """The types that a profile's `services` mean: names, globs, aliases, and exclusions with "!"."""
        wanted = [word for word in words if not word.startswith("!")] or ["*"]
        refused = {_key(kind) for word in words if word.startswith("!") for kind in self.find(word[1:])}
        found = {_key(kind) for word in wanted for kind in self.find(word)} - refused
        return tuple(kind for kind in self.types if _key(kind) in found)

    def type_of(self, service: str, kind: str) -> ResourceType:
        """One type by botocore client and kind. Raises KeyError."""
        return self._by_key[service, kind]

    @cached_property
    def _by_key(self) -> Mapping[tuple[str, str], ResourceType]:
        return {_key(kind): kind for kind in self.types}

    @cached_property
    def _by_word(self) -> Mapping[str, tuple[ResourceType, ...]]:
        found: dict[str, list[ResourceType]] = {}
        for kind in self.types:
            for word in dict.fromkeys(_words(kind)):
                found.setdefault(word, []).append(kind)
        return {word: tuple(kinds) for word, kinds in found.items()}

    def names(self) -> tuple[str, ...]:
        """Every accepted word, for "did you mean"."""
        words = {word for kind in self.types for word in _words(kind)}
        return tuple(sorted(words | set(self.aliases)))

    def operations(self) -> frozenset[tuple[str, str]]:
        """The read-only allow-list: (client, operation) of every call in the catalog, and of the program's own."""
        return _ALWAYS_ALLOWED | {(call.service, call.operation) for kind in self.types for call in kind.calls}

    def iam_actions(
        self, types: Iterable[ResourceType], *, enrich: bool = True, tagging: bool = False
    ) -> tuple[str, ...]:
        """The IAM actions that scanning these types needs, sorted, with those of their parents."""
        actions = {"tag:GetResources"} if tagging else set()
        for kind in types:
            calls = kind.calls if enrich else _needed(kind)
            while kind.of_parent:
                kind = self.type_of(kind.service, kind.of_parent)
                calls += _needed(kind)
            actions.update(action for call in calls for action in call.iam)
        return tuple(sorted(actions))

    def partition_of(self, region: str) -> str | None:
        """The partition of a region name; None for a word that is none."""
        return next((name for name, regions in self.regions.items() if region in regions), None)


def load_catalog(extra_dirs: tuple[Path, ...] = ()) -> Catalog:
    """The catalog of the package, of installed catalog packages and of `extra_dirs`. Raises CatalogError."""
    return _load(_folders(extra_dirs))


def compiled_catalog(extra_dirs: tuple[Path, ...] = ()) -> Catalog | None:
    """The catalog where it is compiled and current, else None. Never compiles, so it never reads botocore's models."""
    return _from_cache(_stamp(_folders(extra_dirs)))


def yaml_files(extra_dirs: tuple[Path, ...] = ()) -> list[Path]:
    """The service files of the catalog, in order: the package's own, then those that were added to it."""
    return _files((FOLDER, *_folders(extra_dirs)))


def _folders(extra_dirs: tuple[Path, ...]) -> tuple[Path, ...]:
    """The folders beside the package's own, each once."""
    found = dict.fromkeys(path.resolve() for path in (*catalog_folders(), *extra_dirs))
    return tuple(path for path in found if path != FOLDER)


def _files(folders: tuple[Path, ...]) -> list[Path]:
    found = [path for folder in folders for path in sorted(folder.glob("*.yaml"))]
    return [path for path in found if path.parent != FOLDER or path.name not in ("aliases.yaml", "arns.yaml")]


@lru_cache(maxsize=8)
def _load(folders: tuple[Path, ...]) -> Catalog:
    stamp = _stamp(folders)
    return _from_cache(stamp) or _compiled(stamp, folders)


def _stamp(folders: tuple[Path, ...]) -> str:
    digest = hashlib.sha256(f"{COMPILER} {version('botocore')}".encode())
    for path in [*_files((FOLDER, *folders)), FOLDER / "aliases.yaml", FOLDER / "arns.yaml"]:
        try:
            with path.open("rb") as file:
                digest.update(file.read(_MAX_BYTES))
        except OSError as error:
            raise CatalogError([f"{path}: cannot be read: {error.strerror}"]) from None
    return digest.hexdigest()[:16]


def _compiled(stamp: str, folders: tuple[Path, ...]) -> Catalog:
    # Only a catalog that has changed needs botocore's models, and with them half a second.
    from scanner.catalog.check import compiled
    from scanner.catalog.models import region_names, regions_without
    from scanner.catalog.strict_yaml import load_marked

    problems, kinds = compiled(_files((FOLDER, *folders)), is_proved=lambda path: path.parent == FOLDER)
    if problems:
        raise CatalogError(problems)
    aliases, _ = load_marked((FOLDER / "aliases.yaml").read_text())
    ordered = tuple(sorted(kinds, key=lambda kind: (kind.service, kind.kind)))
    absent = regions_without(sorted({kind.service for kind in ordered if kind.scope == "regional"}))
    named = {name: tuple(words) for name, words in aliases.items()}
    catalog = Catalog(stamp, ordered, region_names(), named, absent)
    derived.keep(f"catalog-{stamp}", asdict(catalog))
    return catalog


def _from_cache(stamp: str) -> Catalog | None:
    said = derived.load(f"catalog-{stamp}")
    try:
        kinds = tuple(_kind(one) for one in said["types"])
        regions = {name: tuple(names) for name, names in said["regions"].items()}
        aliases = {name: tuple(words) for name, words in said["aliases"].items()}
        absent = {name: tuple(names) for name, names in said["absent"].items()}
        return Catalog(said["version"], kinds, regions, aliases, absent) if said["version"] == stamp else None
    except (KeyError, TypeError, AttributeError):
        return None


def _kind(said: dict[str, Any]) -> ResourceType:
    for name in ("list", "get", "tags_call"):
        said[name] = _call(said[name])
    for name in ("id", "arn", "name"):
        said[name] = Text(**said[name]) if said[name] else None
    said["extra"] = {name: _call(call) for name, call in said["extra"].items()}
    return ResourceType(**_tuples(said))


def _call(said: dict[str, Any] | None) -> Call | None:
    return Call(**_tuples(said)) if said else None


def _tuples(said: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}


def _key(kind: ResourceType) -> tuple[str, str]:
    return kind.service, kind.kind


def _words(kind: ResourceType) -> tuple[str, ...]:
    own = (kind.service, f"{kind.service}:{kind.kind}", kind.namespace, kind.resource_type)
    return (*own, kind.cfn) if kind.cfn else own


def _needed(kind: ResourceType) -> tuple[Call, ...]:
    return (kind.list, kind.get) if kind.get and not kind.get_is_extra else (kind.list,)


__all__ = ["Call", "Catalog", "ResourceType", "Text", "compiled_catalog", "load_catalog", "yaml_files"]
