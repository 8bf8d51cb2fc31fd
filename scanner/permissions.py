"""What denials come to: the IAM actions that each account's role lacks, and what the policies of others forbid."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from scanner.aws.regions import SOURCES
from scanner.catalog import Catalog
from scanner.collectors.tagging import GET_RESOURCES
from scanner.model import Cell
from scanner.store.ledger import Denied

NOT_IN_CATALOG = "AWS names it, the catalog does not: look at it before you allow it"

# Verbs that tell of settings only. `Get` is none of them: GetObject and GetSecretValue are reads as well.
_HARMLESS = ("List", "Describe")

Actions = Mapping[str, Sequence[str]]  # "s3 list_buckets" -> s3:ListAllMyBuckets


def actions_of(catalog: Catalog, services: Collection[str] | None = None) -> dict[str, list[str]]:
    """The IAM actions of each call that a scan of these services (None: all) may make, the program's own among them."""
    found: dict[str, dict[str, None]] = {}
    kinds = (kind for kind in catalog.types if services is None or kind.service in services)
    for call in (GET_RESOURCES, *SOURCES, *(call for kind in kinds for call in kind.calls)):
        found.setdefault(f"{call.service} {call.operation}", {}).update(dict.fromkeys(call.iam))
    return {call: list(actions) for call, actions in found.items()}


def permissions_of(denied: Iterable[Denied]) -> dict[str, Any]:
    """The manifest's `permissions`: `missing` actions by account, and `blocked` ones with what forbids them."""
    missing: dict[str, list[str]] = {}
    blocked = []
    for account_id, action, by in sorted(denied):
        if by:
            blocked.append({"account_id": account_id, "action": action, "by": by})
        else:
            missing.setdefault(account_id, []).append(action)
    return {"missing": missing, "blocked": blocked}


class Refusals:
    """What cells' denials ask for, in IAM's words."""

    def __init__(self, actions: Actions) -> None:
        self._of_call = actions
        self._spelling = {action.lower(): action for found in actions.values() for action in found}

    def of(self, cell: Cell) -> list[tuple[str, str]]:
        """The actions that a cell lacks, and what forbids each ("": the role's own policies do not allow it)."""
        return sorted(set(self._wanted(cell))) if cell.refusals else []

    def _wanted(self, cell: Cell) -> Iterator[tuple[str, str]]:
        declared = self._of_call.get(f"{cell.service} {cell.call}", ())
        for named, by in cell.refusals:
            for action in (self._spelling.get(named.lower(), named),) if named else declared:
                yield action, by or self._doubt(action, declared)

    def _doubt(self, action: str, declared: Sequence[str]) -> str:
        """Why an action must not be pasted unread: whoever answers for AWS could name any."""
        prefix, _, name = action.partition(":")
        is_kin = any(one.startswith(f"{prefix}:") for one in declared) and name.startswith(_HARMLESS)
        return "" if is_kin or action.lower() in self._spelling else NOT_IN_CATALOG
