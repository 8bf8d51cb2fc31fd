"""Sizes, spans of time and columns, as people read and write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def counted(entries: int) -> str:
    """A number of the cache's entries: "1 entry", "1,200 entries"."""
    return f"{entries:,} {'entry' if entries == 1 else 'entries'}"


def size_text(size_bytes: float) -> str:
    """Bytes with a unit: "1,023 B", "1.5 MiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:,.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:,.1f} TiB"


def span_text(seconds: float) -> str:
    """Seconds in the unit that suits them: "42 s", "12 min", "3.5 h", "12 d"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:,.0f} d"


def span_of(text: str, option: str) -> float:
    """Seconds of "90", "90s", "10m", "1h", "2d". Raises ProfileError, which names the option."""
    from scanner.errors import ProfileError

    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise ProfileError([f"command line: {option} {text}: a span such as 90s, 10m, 1h or 2d is wanted"])
    return float(found[1]) * _SECONDS[found[2] or "s"]


def columns(rows: Iterable[Sequence[str]], indent: str = "  ") -> list[str]:
    """Rows as lines, each column as wide as its widest cell."""
    table = [list(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return [
        (indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in table
    ]
