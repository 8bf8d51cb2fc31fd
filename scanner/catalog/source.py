"""One YAML file of the catalog: read, and what every message about it begins and ends with."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanner.catalog import FOLDER
from scanner.catalog.strict_yaml import Locate, YamlProblem, load_marked, read_text
from scanner.errors import CatalogError


@dataclass(slots=True)
class Source:
    """One YAML file of the catalog: its value, and where things stand in it."""

    path: Path
    doc: dict[str, Any]
    locate: Locate

    def where(self, path: tuple[str | int, ...], of_key: bool = False) -> str:
        """file:line:column: path - as every problem begins; with `of_key` where the last key stands."""
        line, column = self.locate(path, of_key)
        return f"{_shown(self.path)}:{line}:{column}: {'.'.join(str(step) for step in path)}"


def read_source(path: Path) -> Source:
    """Read one YAML file. Raises CatalogError."""
    try:
        doc, locate = load_marked(read_text(path))
    except YamlProblem as problem:
        raise CatalogError([f"{_shown(path)}:{problem.line}:{problem.column}: {problem.message}"]) from None
    except OSError as error:
        raise CatalogError([f"{path}: cannot be read: {error.strerror}"]) from None
    if not isinstance(doc, dict):
        raise CatalogError([f"{_shown(path)}:1:1: a mapping with `service` and `resources` is wanted"])
    return Source(path, doc, locate)


def _shown(path: Path) -> str:
    """A file of the package by its name, one of somebody else's folder with its way there."""
    return path.name if path.parent == FOLDER else str(path)


def unknown(word: str, allowed: Any) -> str:
    """The tail of a message about a word that is not allowed: the nearest that is."""
    near = difflib.get_close_matches(str(word), [str(one) for one in allowed], 1)
    return f"; did you mean {near[0]!r}?" if near else ""
