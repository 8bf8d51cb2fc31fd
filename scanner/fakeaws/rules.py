"""Faults by rule: which calls are denied, throttled or broken, answered as AWS does in each protocol."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from botocore.model import OperationModel

from scanner.errors import ProfileError
from scanner.fakeaws.content import FakeError

FAULTS = ("deny", "throttle", "error500", "error503", "invalid_key")


@dataclass(frozen=True, slots=True)
class Rule:
    """A fault for calls that fit all globs, after the first `after` of them, at most `times` times (None: always)."""

    fault: str
    service: str = "*"
    operation: str = "*"
    region: str = "*"
    account: str = "*"
    after: int = 0
    times: int | None = None


def parse_rule(text: str) -> Rule:
    """FAULT[:SERVICE[:OPERATION[:REGION[:ACCOUNT]]]], globs. Raises ProfileError."""
    fault, *rest = text.split(":")
    if fault not in FAULTS or len(rest) > 4:
        allowed = ", ".join(FAULTS)
        raise ProfileError([f"--rule {text}: FAULT:SERVICE:OPERATION:REGION:ACCOUNT is wanted; faults: {allowed}"])
    service, operation, region, account = ([part or "*" for part in rest] + ["*"] * 4)[:4]
    return Rule(fault, service, operation, region, account)


class Rules:
    """The rules of a server, and how often each has fitted. `actions`: IAM's words where they are not the API's."""

    def __init__(self, rules: tuple[Rule, ...], actions: Mapping[tuple[str, str], str] | None = None) -> None:
        self._rules = rules
        self._actions = actions or {}
        self._seen = [0] * len(rules)
        self._lock = threading.Lock()

    def check(self, model: OperationModel, operation: str, account: str, region: str) -> None:
        """Raise the FakeError of the first rule that fits."""
        service = model.service_model.service_name
        for at, rule in enumerate(self._rules):
            asked = (
                (service, rule.service),
                (operation, rule.operation),
                (region, rule.region),
                (account, rule.account),
            )
            if not all(fnmatchcase(value, glob) for value, glob in asked):
                continue
            with self._lock:
                self._seen[at] += 1
                number = self._seen[at] - rule.after
            if number > 0 and (rule.times is None or number <= rule.times):
                action = self._actions.get((service, operation), f"{model.service_model.signing_name}:{model.name}")
                raise fault_of(rule.fault, model, account, action)


def fault_of(fault: str, model: OperationModel, account: str, action: str) -> FakeError:
    """A fault as this service words it; a denial names the IAM action."""
    protocol, service = model.service_model.resolved_protocol, model.service_model.service_name
    if fault == "deny":
        message = f"User: arn:aws:iam::{account}:user/scanner is not authorized to perform: {action}"
        codes = {"ec2": "UnauthorizedOperation", "json": "AccessDeniedException", "rest-json": "AccessDeniedException"}
        return FakeError(400 if protocol == "json" else 403, codes.get(protocol, "AccessDenied"), message)
    if fault == "throttle":
        if protocol == "ec2":
            return FakeError(503, "RequestLimitExceeded", "Request limit exceeded.")
        if service == "s3":
            return FakeError(503, "SlowDown", "Please reduce your request rate.")
        code = "Throttling" if protocol == "query" else "ThrottlingException"
        return FakeError(400, code, "Rate exceeded")
    if fault == "invalid_key":
        return FakeError(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    status = 503 if fault == "error503" else 500
    return FakeError(status, "ServiceUnavailable" if status == 503 else "InternalFailure", "An internal error occurred")
