"""The accounts of an AWS organization, as its management account or a delegated administrator lists them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from scanner.aws.calls import Lane
from scanner.catalog.spec import Call
from scanner.errors import GapError
from scanner.model import Outcome

SERVICE = "organizations"
ACTIVE = "ACTIVE"
_PAGE = 20  # the largest that AWS allows


def _listing(operation: str, api: str, out: str, *, sized: bool = True) -> Call:
    return Call(
        service=SERVICE,
        operation=operation,
        api=api,
        out=out,
        input_tokens=("NextToken",),
        output_tokens=("NextToken",),
        size_param="MaxResults" if sized else "",
        size=_PAGE if sized else 0,
        iam=(f"{SERVICE}:{api}",),
    )


LIST_ACCOUNTS = _listing("list_accounts", "ListAccounts", "Accounts")
LIST_ROOTS = _listing("list_roots", "ListRoots", "Roots")
LIST_OF_PARENT = _listing("list_accounts_for_parent", "ListAccountsForParent", "Accounts")
LIST_OUS = _listing("list_organizational_units_for_parent", "ListOrganizationalUnitsForParent", "OrganizationalUnits")
LIST_TAGS = _listing("list_tags_for_resource", "ListTagsForResource", "Tags", sized=False)


@dataclass(frozen=True, slots=True)
class Member:
    """An account of an organization; `state` is ACTIVE, SUSPENDED, PENDING_CLOSURE ..."""

    id: str
    name: str
    state: str


@dataclass(slots=True)
class Members:
    """What was listed, and the calls that were not answered: what these would have told is not known."""

    found: list[Member] = field(default_factory=list)
    gaps: list[tuple[Call, GapError]] = field(default_factory=list)


def list_members(lane: Lane, include_ous: Sequence[str], exclude_ous: Sequence[str]) -> Members:
    """All accounts, or those below (and not below) organizational units: ids, or paths of names with globs."""
    members = Members()
    walk = _Walk(lane, members, include_ous, exclude_ous)
    if include_ous or exclude_ous:
        walk.whole()
    else:
        walk.accounts(LIST_ACCOUNTS, {})
    members.found = sorted(set(members.found), key=lambda one: one.id)
    return members


def tags_of(lane: Lane, account_id: str) -> dict[str, str]:
    """The tags of an account. Raises GapError."""
    pages = lane.pages(LIST_TAGS, {"ResourceId": account_id})
    return {str(one["Key"]): str(one["Value"]) for page in pages for one in page.get("Tags", [])}


class _Walk:
    """Goes through an organization's tree; what is not answered is noted, and the rest goes on."""

    def __init__(self, lane: Lane, members: Members, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._lane, self._members = lane, members
        self._include, self._exclude = include, exclude
        self._missed = set(include)  # words that no unit was found for

    def whole(self) -> None:
        """From the root to every unit that is wanted."""
        for root in self._items(LIST_ROOTS, {}):
            self._visit(str(root["Id"]), "", inside=not self._include)
        if not self._members.gaps:
            for word in sorted(self._missed):
                message = f"include_ous: {word!r} is no organizational unit here"
                self._members.gaps.append((LIST_OUS, GapError(Outcome.ERROR, "NoSuchUnit", message)))

    def accounts(self, call: Call, params: dict[str, str]) -> None:
        """Note the accounts that a call lists."""
        for one in self._items(call, params):
            state = str(one.get("State") or one.get("Status") or ACTIVE)
            self._members.found.append(Member(str(one["Id"]), str(one.get("Name") or ""), state))

    def _visit(self, unit_id: str, path: str, *, inside: bool) -> None:
        named = {word for word in self._include if _fits(word, unit_id, path)}
        self._missed -= named
        if any(_fits(word, unit_id, path) for word in self._exclude):
            return
        inside = inside or bool(named)
        if inside:
            self.accounts(LIST_OF_PARENT, {"ParentId": unit_id})
        for unit in self._items(LIST_OUS, {"ParentId": unit_id}):
            self._visit(str(unit["Id"]), f"{path}/{unit.get('Name')}".lstrip("/"), inside=inside)

    def _items(self, call: Call, params: dict[str, str]) -> Iterator[dict[str, Any]]:
        try:
            for page in self._lane.pages(call, params):
                yield from page.get(call.out, [])
        except GapError as gap:
            self._members.gaps.append((call, gap))


def _fits(word: str, unit_id: str, path: str) -> bool:
    return word == unit_id or (bool(path) and fnmatchcase(path, word.strip("/")))
