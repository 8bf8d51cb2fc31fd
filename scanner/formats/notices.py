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
    yield from _left_out(manifest.get("selection", {}))
    refused = manifest.get("refused_calls", {})
    if refused:
        calls = ", ".join(f"{name} ({count:,})" for name, count in refused.items())
        yield "Refused", f"{shortened(calls, 300)}: not on the read-only allow-list, so never sent; this is a defect"


def _left_out(selection: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is not in the inventory on purpose: without this an empty one reads as if there were nothing."""
    said = [f"tag {_tag(one)}" for one in selection.get("tags", [])]
    said += [f"{name.replace('_', ' ')} {' or '.join(words)}" for name, words in selection.get("filters", {}).items()]
    if any(account["tags"] for account in selection.get("accounts", [])):
        said.append("what the tag filters of single accounts ask for")
    if said:
        yield "Filtered", f"only resources with {shortened(' and '.join(said), 300)} are in it"
    elif selection.get("collector") == "tagging" or (
        selection.get("collector") == "auto" and selection.get("all_services")
    ):
        yield "Tagged only", "the tagging API tells of resources that have, or had, tags; --collector both finds all"
    if "*" in selection.get("types", {}) and selection.get("collector") != "both":
        what = "what the tagging API found has ARN and tags, but no state, date or configuration"
        yield "Without details", f"{what}; --collector both reads those too"


def _tag(one: Mapping[str, Any]) -> str:
    keys = " or ".join(one["keys"]) or "of any key"
    return f"{keys} = {' or '.join(one['values'])}" if one["values"] else keys


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
