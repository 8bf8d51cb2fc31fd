"""What a reader must know before anything else: that not AWS was asked, that the program tried what it may not do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scanner.formats.text import markdown_cell, shortened
from scanner.store.coverage import warning_of

_SERVICES = 8


def notices(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(word, sentence) of each, the sentence free of markup and of what changes from scan to scan."""
    if warning := warning_of(manifest):
        word, _, text = warning.partition(": ")
        yield word, text
    for one in manifest.get("endpoints", []):
        yield "Not AWS", f"{services_of(one)} answered by {one['host']} ({one['source']})"
    refused = manifest.get("refused_calls", {})
    if refused:
        calls = ", ".join(f"{name} ({count:,})" for name, count in refused.items())
        yield "Refused", f"{shortened(calls, 300)}: not on the read-only allow-list, so never sent; this is a defect"


def notice_lines(manifest: Mapping[str, Any]) -> Iterator[str]:
    """The same as lines of text."""
    return (f"{word}: {text}" for word, text in notices(manifest))


def markdown_notices(manifest: Mapping[str, Any]) -> Iterator[str]:
    """The same for report.md."""
    return (f"\n**{word}:** {markdown_cell(text, 600)}" for word, text in notices(manifest))


def services_of(endpoint: Mapping[str, Any]) -> str:
    """Which services an endpoint answers for, in words."""
    names = endpoint["services"]
    if names == ["*"]:
        return "every service"
    more = f" and {len(names) - _SERVICES} more" if len(names) > _SERVICES else ""
    return ", ".join(names[:_SERVICES]) + more
