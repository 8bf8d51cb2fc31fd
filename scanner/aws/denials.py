"""What a denial of AWS says: the action that it wants, and which kind of policy forbids it."""

from __future__ import annotations

import re

ORGANIZATION_POLICIES = frozenset({"service control policy", "resource control policy"})

_ACTION = re.compile(r"not authorized to perform: ?([A-Za-z0-9-]{1,40}:[A-Za-z0-9]{1,80})\b")
_FORBIDS = re.compile(
    r"\b(explicit deny in (?:an? |the )?|no )"
    r"(identity-based policy|service control policy|resource control policy|permissions boundary|session policy"
    r"|VPC endpoint policy|resource-based policy|role trust policy)\b",
    re.IGNORECASE,
)
_NAMES = {"vpc endpoint policy": "VPC endpoint policy"}


def refusal_of(text: str) -> tuple[str, str]:
    """The action that AWS names ("" where it names none), and what forbids it besides the caller's own policies.

    The second is "" where another statement in a policy of the caller would allow it.
    """
    flat = " ".join(text.split())
    named, forbidden = _ACTION.search(flat), _FORBIDS.search(flat)
    return _lowered(named[1]) if named else "", _obstacle(*forbidden.groups()) if forbidden else ""


def _lowered(action: str) -> str:
    prefix, _, name = action.partition(":")
    return f"{prefix.lower()}:{name}"


def _obstacle(how: str, kind: str) -> str:
    kind = kind.lower()
    if kind == "identity-based policy":
        return "" if how.lower() == "no " else "explicit deny in an identity-based policy"
    return _NAMES.get(kind, kind)
