"""The file of a profile: found by its name, read within bounds, and shown line by line in messages without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanner.catalog.strict_yaml import Locate, YamlProblem, load_marked, read_text
from scanner.errors import ProfileError
from scanner.profile.problems import Problem, nearest

_WIDEST = 200
CONFIG_DIR = Path("config")
# What a line of a profile may have that must not be shown: an external id, in whatever spelling and to the line's end,
# the user and password of an address.
_SECRET_KEY = re.compile(r"external[_ -]?id\W*:", re.IGNORECASE)
_SECRETS = re.compile(r"(?<=//).*(?=@)")


@dataclass(slots=True)
class File:
    """A profile's YAML, and its lines for messages."""

    path: Path | None
    doc: dict[str, Any]
    locate: Locate
    lines: list[str]

    def place(self, loc: tuple[str | int, ...]) -> str:
        line, column = self.locate(loc)
        return f"{self.path}:{line}:{column}"

    def show(self, problem: Problem) -> str:
        """The problem as file:line:column, with the line and a caret under it."""
        where = f"{problem.path}: " if problem.path else ""
        place = self.locate(problem.loc, problem.of_key)
        return _shown(self.path, self.lines, place, f"{where}{problem.message}")


def read(ref: str | Path | None) -> File:
    """Read config/<ref>.yaml, or the file `ref`; None: no file. Raises ProfileError."""
    if ref is None:
        return File(None, {}, lambda *_: (1, 1), [])
    path = _find(ref)
    try:
        text = read_text(path)
    except OSError as error:
        raise ProfileError([f"{path}: cannot be read: {error.strerror}"]) from None
    except YamlProblem as problem:
        raise ProfileError([f"{path}:{problem.line}:{problem.column}: {problem.message}"]) from None
    try:
        doc, locate = load_marked(text, as_text=True)
    except YamlProblem as problem:
        place = problem.line, problem.column
        lines = text.splitlines()
        is_secret = any(_SECRET_KEY.search(one) for one in lines[max(problem.line - 2, 0) : problem.line])
        message = problem.message.partition("; quote it")[0] if is_secret else problem.message
        raise ProfileError([_shown(path, lines, place, message)]) from None
    if not isinstance(doc, dict):
        what = "is empty" if doc is None else f"is a {type(doc).__name__}"
        raise ProfileError([f"{path}:1:1: {what}; a mapping is wanted, such as `regions: [us-east-1]`"])
    return File(path, doc, locate, text.splitlines())


def _find(ref: str | Path) -> Path:
    named = Path(ref)
    is_path = named.suffix in (".yaml", ".yml") or len(named.parts) > 1
    path = named if is_path else CONFIG_DIR / f"{ref}.yaml"
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError as error:
        raise ProfileError([f"{str(path)[:_WIDEST]}: cannot be read: {error.strerror}"]) from None
    if is_folder:
        raise ProfileError([f"{path}: is a folder, not a profile"])
    if not is_there:
        known = sorted(one.stem for one in CONFIG_DIR.glob("*.yaml"))
        there = f"; there are: {', '.join(known)}" if known else f"; no profile is in {CONFIG_DIR}/"
        raise ProfileError([f"{path}: no such profile{nearest(str(ref), known)}{there}"])
    return path


def _shown(path: Path | None, lines: list[str], place: tuple[int, int], message: str) -> str:
    """A message as file:line:column, with the line and a caret under it."""
    line, column = place
    text = _harmless(lines, line)[:_WIDEST]
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    excerpt = f"\n    {shown}\n    {' ' * (column - 1)}^" if text and column <= _WIDEST else ""
    return f"{path}:{line}:{column}: {message}{excerpt}"


def _harmless(lines: list[str], line: int) -> str:
    """A line with stars for what is secret in it; nothing of one that may be the value of a secret key above it."""
    above = [one for one in lines[: line - 1] if one.strip()][-1:]
    text = lines[line - 1] if line <= len(lines) else ""
    if any(_SECRET_KEY.search(one) and one.rstrip().endswith((":", "|", ">", "-", "'", '"')) for one in above):
        return ""
    if found := _SECRET_KEY.search(text):
        text = text[: found.end()] + "*" * len(text[found.end() :].rstrip())
    return _SECRETS.sub(_starred, text)


def _starred(found: re.Match[str]) -> str:
    """As many stars as there were characters: the caret below must keep its place."""
    return "*" * len(found[0])
