"""Names and tag values are hostile text: here, and only here, they are made harmless for each kind of report."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

ELLIPSIS = "…"

# Controls, formats (bidirectional marks, zero-width characters), lone surrogates, line and paragraph separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MARKDOWN = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", **{mark: f"\\{mark}" for mark in "\\`*_#![]|~$"}})
# GitHub makes links of bare addresses; with a backslash inside they stay text.
_ADDRESS = re.compile(r"(?i)(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?=@)")
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def printable(text: str) -> str:
    r"""The text on one line, with everything invisible written as JSON escapes it (`\u202e`, `\n`)."""
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def harmless_json(line: bytes) -> bytes:
    r"""A line of JSON, its meaning unchanged, with everything invisible escaped (`\u202e`): it may reach a terminal."""
    if line.isascii() and b"\x7f" not in line:
        return line
    return printable(line.decode()).encode()


def shortened(text: str, width: int) -> str:
    """At most `width` characters; what was cut is shown by an ellipsis."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + ELLIPSIS


def markdown_cell(text: str | None, width: int = 80) -> str:
    """Text as it stands in a table or within a line of Markdown: no markup, no link, no HTML, at most `width` wide."""
    shown = shortened(printable(text or ""), width)
    return _ADDRESS.sub(r"\\", shown.translate(_MARKDOWN))


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table; its cells are harmless already."""
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def csv_cell(text: str | None) -> str:
    """Text as a spreadsheet may open it: what would start a formula gets an apostrophe in front."""
    if not text:
        return ""
    is_formula = text.lstrip(" ").startswith(_FORMULA)
    return ("'" if is_formula else "") + printable(text)


def rich_text(text: str | None, style: str = "") -> Text:
    """Text for Rich that is no markup whatever it contains."""
    from rich.text import Text

    return Text(printable(text or ""), style=style, overflow="fold")


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _INVISIBLE:
        return character
    if character in _SHORT:
        return _SHORT[character]
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
