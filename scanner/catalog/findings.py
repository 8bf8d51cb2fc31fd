"""What is wrong with an entry of the catalog, and where: paths and templates against the shape of what they see."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scanner.catalog.paths import HOLE, PathError, Type, resolve
from scanner.catalog.spec import Text

At = tuple[str | int, ...]
Finding = tuple[At, str]


def path_findings(at: At, path: str, root: Type) -> Iterator[Finding]:
    """Whether a JMESPath ("" is none) leads anywhere."""
    if not path:
        return
    try:
        resolve(path, root)
    except PathError as error:
        yield at, f"{path!r} {error}"


def text_findings(at: At, text: Text | None, env: Type) -> Iterator[Finding]:
    """Whether a path leads anywhere, or all holes of a template do."""
    if text is None:
        return
    if not text.is_template:
        yield from path_findings(at, text.text, env)
    else:
        yield from hole_findings(at, text.text, env)


def paths_in(said: Text | str | None) -> list[str]:
    """The paths that a text is made of."""
    text, is_template = (said.text, said.is_template) if isinstance(said, Text) else (said or "", False)
    return HOLE.findall(text) if is_template else [text] if text else []


def hole_findings(at: At, template: str, env: Type) -> Iterator[Finding]:
    """Whether all holes of a template lead anywhere, and all braces are holes."""
    for hole in HOLE.findall(template):
        yield from path_findings(at, hole, env)
    if re.search(r"[{}]", HOLE.sub("", template)):
        yield at, f"{template!r} has a brace that is no hole"
