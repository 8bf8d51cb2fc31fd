"""Plug-ins: the modules of one of this package's folders, and what other installed packages add by entry points."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanner.errors import CatalogError, ProfileError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

CATALOGS = "aws_scanner.catalogs"
# What a foreign module raises while it is imported is its own defect: it costs its own name, nothing else.
_DEFECTS = (
    ImportError, SyntaxError, NameError, AttributeError, LookupError, TypeError, ValueError, ArithmeticError,
    AssertionError, OSError, RuntimeError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Menu:
    """One kind of plug-in. `needs` are the names that each has; the first, NAME or NAMES, makes a module one."""

    noun: str  # "report format"
    folder: str  # "scanner.formats": its modules; entry points of "aws_scanner.formats" stand beside them
    needs: tuple[str, ...]

    def names(self) -> tuple[str, ...]:
        """Every name that can be chosen, sorted. Plug-ins of other packages are not imported for that."""
        return tuple(sorted({*self._built_in(), *_entry_points(self.group)}))

    def get(self, name: str) -> Any:
        """The module (or object) of this name. Raises ProfileError: unknown, defined twice, or broken and by whom."""
        own, foreign = self._built_in().get(name, ()), _entry_points(self.group).get(name, ())
        places = [_file(module) for module in own] + [_told(one) for one in foreign]
        if not places:
            raise ProfileError([self._unknown(name)])
        if len(places) > 1:
            raise ProfileError([f"{self.noun} {name!r} is defined twice, by {' and by '.join(places)}: remove one"])
        if own:
            return own[0]
        return _loaded(self, foreign[0])

    @property
    def group(self) -> str:
        """The group of entry points by which other packages add to this menu."""
        return "aws_" + self.folder

    def _built_in(self) -> dict[str, tuple[Any, ...]]:
        return _modules(self.folder, self.needs[0])

    def _unknown(self, name: str) -> str:
        near = difflib.get_close_matches(name.lower(), self.names(), n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(self.names())}"
        return f'unknown {self.noun} "{name}"; {hint}'


@cache
def catalog_folders() -> tuple[Path, ...]:
    """The folders of catalog files that installed packages add, in the order of their names. Raises CatalogError."""
    found = [one for same in _entry_points(CATALOGS).values() for one in same]
    return tuple(_folder(one) for one in sorted(found, key=lambda one: (one.name, one.value)))


@cache
def _modules(folder: str, mark: str) -> dict[str, tuple[Any, ...]]:
    """The modules of a folder by the names that they give themselves in NAME or NAMES."""
    found: dict[str, tuple[Any, ...]] = {}
    for one in pkgutil.iter_modules(importlib.import_module(folder).__path__):
        try:
            module = importlib.import_module(f"{folder}.{one.name}")
        except _DEFECTS as error:
            raise ProfileError([f"{folder}.{one.name} cannot be loaded: {_words(error)}"]) from None
        said = getattr(module, mark, ())
        for name in (said,) if isinstance(said, str) else said:
            found[name] = (*found.get(name, ()), module)
    return found


@cache
def _entry_points(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    if not _is_declared(group.encode()):
        return {}
    from importlib.metadata import entry_points

    found: dict[str, tuple[EntryPoint, ...]] = {}
    for one in entry_points(group=group):
        found[one.name] = (*found.get(one.name, ()), one)
    return found


def _is_declared(group: bytes) -> bool:
    """Whether any installed package names the group; importlib.metadata costs 50 ms, which `--help` has not."""
    return any(group in text for text in _declarations())


@cache
def _declarations() -> tuple[bytes, ...]:
    return tuple(text for folder in dict.fromkeys(sys.path) for text in _declared_in(Path(folder or ".")))


def _declared_in(folder: Path) -> Iterator[bytes]:
    if folder.is_file():
        yield b"aws_scanner."  # packages in a zip file: let importlib.metadata look
    for pattern in ("*.dist-info/entry_points.txt", "*.egg-info/entry_points.txt"):
        for path in folder.glob(pattern):
            try:
                yield path.read_bytes()
            except OSError:
                continue


def _loaded(menu: Menu, one: EntryPoint) -> Any:
    try:
        found = one.load()
    except _DEFECTS as error:
        message = f"{menu.noun} {one.name!r} of {_told(one)} cannot be loaded: {_words(error)}"
        raise ProfileError([f"{message}; mend or uninstall it"]) from None
    missing = [name for name in menu.needs if not hasattr(found, name)]
    if missing:
        message = f"{menu.noun} {one.name!r} of {_told(one)} has no {', '.join(missing)}"
        raise ProfileError([f"{message}; it needs {', '.join(menu.needs)}"])
    return found


def _folder(one: EntryPoint) -> Path:
    """Where a catalog package keeps its YAML. The package itself is found, not run."""
    try:
        spec = importlib.util.find_spec(one.module)
    except _DEFECTS as error:
        raise CatalogError([f"catalog {one.name!r} of {_told(one)} cannot be found: {_words(error)}"]) from None
    places = list(spec.submodule_search_locations or ()) if spec else []
    folder = Path(places[0]) if places else None
    if folder is None or not any(folder.glob("*.yaml")):
        raise CatalogError([f"catalog {one.name!r} of {_told(one)}: {one.module} is no package with *.yaml files"])
    return folder


def _told(one: EntryPoint) -> str:
    """Where a plug-in comes from, in words: "aws-scanner-xml 1.0 (xml = aws_xml.report)"."""
    owner = f"{one.dist.name} {one.dist.version}" if one.dist else "an unknown package"
    return f"{owner} ({one.name} = {one.value})"


def _file(module: Any) -> str:
    return str(getattr(module, "__file__", None) or module.__name__)


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
