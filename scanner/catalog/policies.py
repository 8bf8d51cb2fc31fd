"""IAM policies of actions: valid documents in an order that does not change, each small enough for IAM to take it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

MAX_CHARACTERS = 6144  # of a managed policy; IAM does not count white space
Policy = dict[str, Any]


def policies(actions: Iterable[str], sid: str) -> list[Policy]:
    """The documents that allow these actions: one, or as many as IAM's limit needs. None for no action."""
    found: list[list[str]] = []
    for action in sorted(set(actions)):
        if not found or _size(_policy([*found[-1], action], sid)) > MAX_CHARACTERS:
            found.append([])
        found[-1].append(action)
    return [_policy(some, sid) for some in found]


def numbered(name: str, some: list[Policy]) -> dict[str, Policy]:
    """Policies by name: the only one has the name, more of them are "name (1 of 2)"."""
    if len(some) == 1:
        return {name: some[0]}
    return {f"{name} ({at} of {len(some)})": one for at, one in enumerate(some, start=1)}


def _policy(actions: list[str], sid: str) -> Policy:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _size(policy: Policy) -> int:
    return len(orjson.dumps(policy))
