"""A manifest's `permissions` in words: what to allow, and what only others can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scanner.formats.iam_missing import FILE
from scanner.formats.text import markdown_cell, markdown_table, shortened
from scanner.store.coverage import counted

ROWS = 100
_LINES = 10
Row = tuple[str, ...]


def permission_lines(said: Mapping[str, Any]) -> Iterator[str]:
    """Lines for the end of a scan."""
    missing = said.get("missing", {})
    if missing:
        many = len({action for actions in missing.values() for action in actions})
        yield f"{FILE} allows what is missing: {counted(many, 'action')} in {counted(len(missing), 'account')}"
    by_reason: dict[str, list[str]] = {}
    for one in said.get("blocked", []):
        by_reason.setdefault(one["by"], []).append(f"{one['action']} ({one['account_id']})")
    for reason, actions in list(by_reason.items())[:_LINES]:
        yield f"blocked, {reason}: {shortened(', '.join(actions), 300)}"


def permission_sections(said: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[str]:
    """Sections for report.md; `names`: accounts in words."""
    missing, blocked = said.get("missing", {}), said.get("blocked", [])
    if missing:
        what = f"`{FILE}` holds them as a policy for each account, to be pasted into the role that scans."
        allow: list[Row] = [(_named(one, names), _actions(actions)) for one, actions in missing.items()]
        yield from _section("Missing permissions", what, ("Account", "Actions"), allow)
    if blocked:
        what = "No statement in the role's own policies helps against these."
        rows: list[Row] = [
            (_named(one["account_id"], names), markdown_cell(one["action"]), markdown_cell(one["by"]))
            for one in blocked
        ]
        yield from _section("Blocked by other policies", what, ("Account", "Action", "By"), rows)


def _section(title: str, what: str, header: Row, rows: list[Row]) -> Iterator[str]:
    yield f"\n### {title}\n\n{what}\n"
    yield from markdown_table(header, rows[:ROWS])
    if len(rows) > ROWS:
        yield f"\n{len(rows) - ROWS:,} more are in `permissions` of `manifest.json`."


def _named(account_id: str, names: Mapping[str, str]) -> str:
    return markdown_cell(names.get(account_id, account_id))


def _actions(actions: Sequence[str]) -> str:
    more = f" and {len(actions) - ROWS:,} more" if len(actions) > ROWS else ""
    return ", ".join(map(markdown_cell, actions[:ROWS])) + more
