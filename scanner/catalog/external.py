"""Facts of others for the check: IAM's actions and ARNs (policy_sentry), CloudFormation's types (cfn-lint)."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path


def notes() -> list[str]:
    """What cannot be checked because a package is not installed."""
    wanted = {"policy_sentry": "IAM actions and ARNs", "cfnlint": "CloudFormation names"}
    return [f"{what} not checked: {name} is not installed" for name, what in wanted.items() if not find_spec(name)]


@lru_cache(maxsize=1)
def cfn_names() -> frozenset[str]:
    """Every CloudFormation type; empty without cfn-lint."""
    spec = find_spec("cfnlint")
    if spec is None or not spec.submodule_search_locations:
        return frozenset()
    path = Path(spec.submodule_search_locations[0], "data", "schemas", "providers", "us-east-1.json")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return frozenset(re.findall(r"AWS::[A-Za-z0-9]+::[A-Za-z0-9]+", text))


def cfn_exists(name: str) -> bool:
    """Whether CloudFormation has this type; true where that is not known here."""
    return not cfn_names() or name in cfn_names()


@lru_cache(maxsize=64)
def _actions(prefix: str) -> frozenset[str]:
    if find_spec("policy_sentry") is None:
        return frozenset()
    from policy_sentry.querying.actions import get_actions_for_service

    return frozenset(get_actions_for_service(prefix))


def action_exists(action: str) -> bool:
    """Whether IAM has this action; true where nothing is known of its prefix."""
    known = _actions(action.partition(":")[0])
    return not known or action in known


def actions_like(action: str) -> frozenset[str]:
    """The actions of the same prefix."""
    return _actions(action.partition(":")[0])


@lru_cache(maxsize=64)
def arn_words(namespace: str) -> frozenset[str]:
    """The words in resource parts of ARNs of this namespace ("instance"); empty where that is not known."""
    if find_spec("policy_sentry") is None:
        return frozenset()
    from policy_sentry.querying.arns import get_raw_arns_for_service

    found = get_raw_arns_for_service(namespace) or []
    parts = [re.sub(r"\$\{\w+\}", "", arn.split(":", 5)[5]) for arn in found if arn.count(":") >= 5]
    return frozenset(word for part in parts for word in re.findall(r"[A-Za-z-]{2,}", part))
