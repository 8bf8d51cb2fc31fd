"""What the fake AWS was asked: every call, those outside the allow-list, those that would change something, faults."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import orjson

from scanner.fakeaws.rules import Asked

COUNTS_PATH = "/_fake-aws/counts"

Key = tuple[str, str, str, str]

_READS = ("list_", "describe_", "get_", "head_", "batch_get_", "search_", "lookup_")
# They read nothing and change nothing: who am I, and keys of a role.
_NEITHER = frozenset({"assume_role", "assume_role_with_web_identity", "assume_role_with_saml"})


def is_read(operation: str) -> bool:
    """Whether an operation by its name only reads; what else is asked is refused and counted."""
    return operation.startswith(_READS) or operation in _NEITHER


class Counts:
    """Counters by (account, region, service, operation).

    `outside`: calls that are not on the catalog's allow-list; `mutating`: those of them that are no reads;
    `faults`: answers spoiled, by (fault, service, operation).
    """

    def __init__(self) -> None:
        self.calls: Counter[Key] = Counter()
        self.outside: Counter[Key] = Counter()
        self.mutating: Counter[Key] = Counter()
        self.faults: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()

    def ask(self, asked: Asked, *, is_allowed: bool) -> None:
        """Count a request."""
        key = (asked.account, asked.region, asked.service, asked.operation)
        with self._lock:
            self.calls[key] += 1
            if not is_allowed:
                self.outside[key] += 1
                if not is_read(asked.operation):
                    self.mutating[key] += 1

    def spoil(self, fault: str, asked: Asked) -> None:
        """Count an answer that a fault has changed."""
        with self._lock:
            self.faults[fault, asked.service, asked.operation] += 1

    def as_json(self, unknown: int) -> bytes:
        """All counters as JSON: rows that end in their count; `unknown`: requests that were not understood."""
        with self._lock:
            said = {name: _rows(counter) for name, counter in self._all()}
        return orjson.dumps({**said, "unknown": unknown})

    def lines(self) -> Iterator[str]:
        """What was asked, for people: one line for each service and operation, then what should not have been."""
        per_call: Counter[tuple[str, str]] = Counter()
        for (_, _, service, operation), count in self.calls.items():
            per_call[service, operation] += count
        yield f"{self.calls.total()} calls, {self.faults.total()} spoiled by rule, {self.mutating.total()} mutating"
        yield from (f"{count:8} {service} {operation}" for (service, operation), count in sorted(per_call.items()))
        for name, counter in self._all()[1:]:
            yield from (f"{name}: {' '.join(key)}: {count}" for key, count in sorted(counter.items()))

    def _all(self) -> list[tuple[str, Counter[Key] | Counter[tuple[str, str, str]]]]:
        return [("calls", self.calls), ("outside", self.outside), ("mutating", self.mutating), ("faults", self.faults)]


def _rows(counter: Counter[Key] | Counter[tuple[str, str, str]]) -> list[list[str | int]]:
    return [[*key, count] for key, count in sorted(counter.items())]
