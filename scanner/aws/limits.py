"""Budgets as data: limits.yaml, what AWS lets an account ask of each service, under what a profile says of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scanner.catalog import derived

PATH = Path(__file__).with_name("limits.yaml")
_FORMAT = 1  # raise it when the same YAML is read differently


@dataclass(frozen=True, slots=True)
class Budget:
    """`rate_per_s` calls on average, `burst` at once. `bucket`: the operations of one name share the budget."""

    rate_per_s: float = 20.0
    burst: int = 100
    bucket: str = ""


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budget of every operation. `by_name` is by "service:operation", "service:*" (each its own) or "service"."""

    default: Budget = field(default_factory=Budget)
    by_name: Mapping[str, Budget] = field(default_factory=dict)
    share: float = 1.0

    def of(self, service: str, operation: str) -> Budget:
        """What calls of one operation have; `share` of it is ours."""
        found = self.by_name.get(f"{service}:{operation}")
        if found is None and (each := self.by_name.get(f"{service}:*")):
            found = replace(each, bucket=operation)
        found = found or self.by_name.get(service) or self.default
        return replace(found, rate_per_s=found.rate_per_s * self.share, burst=max(1, int(found.burst * self.share)))

    def under(self, said: Mapping[str, tuple[float | None, int | None]], share: float) -> Budgets:
        """These with what a profile says: rate and burst by service, "" for all; None leaves what is published."""
        names = {*self.by_name, *(name for name in said if name)}
        changed = {name: self._under(name, said) for name in names}
        return Budgets(_changed(self.default, *said.get("", (None, None))), changed, share)

    def _under(self, name: str, said: Mapping[str, tuple[float | None, int | None]]) -> Budget:
        found = _changed(self.by_name.get(name, self.default), *said.get("", (None, None)))
        return _changed(found, *said.get(name.partition(":")[0], (None, None)))


def budgets() -> Budgets:
    """limits.yaml, from a JSON in the user's cache where that is current."""
    text = PATH.read_bytes()
    name = f"limits-{hashlib.sha256(text).hexdigest()[:16]}-{_FORMAT}"
    said = derived.load(name)
    try:
        return _restored(said)
    except (KeyError, TypeError, AttributeError):
        found = _budgets(read(text.decode()))
    kept = {one: [budget.rate_per_s, budget.burst, budget.bucket] for one, budget in found.by_name.items()}
    derived.keep(name, {"default": [found.default.rate_per_s, found.default.burst, ""], "by_name": kept})
    return found


def read(text: str) -> dict[str, Any]:
    """A limits file as it is written."""
    from scanner.catalog.strict_yaml import load_marked

    said, _ = load_marked(text)
    return dict(said)


def _restored(said: Any) -> Budgets:
    by_name = {str(name): Budget(float(one[0]), int(one[1]), str(one[2])) for name, one in said["by_name"].items()}
    return Budgets(Budget(float(said["default"][0]), int(said["default"][1])), by_name)


def _budgets(said: Mapping[str, Any]) -> Budgets:
    default = _budget(said["default"], Budget())
    found: dict[str, Budget] = {}
    for service, one in said["services"].items():
        own = _budget(one, default)
        if one.get("per") == "operation":
            found[f"{service}:*"] = own
        elif own != default:
            found[service] = own
        for bucket in one.get("buckets", ()):
            for operation in bucket["operations"]:
                found[f"{service}:{operation}"] = replace(_budget(bucket, default), bucket=bucket["operations"][0])
    return Budgets(default, found)


def _budget(said: Mapping[str, Any], default: Budget) -> Budget:
    return Budget(float(said.get("rate_per_s", default.rate_per_s)), int(said.get("burst", default.burst)))


def _changed(budget: Budget, rate_per_s: float | None, burst: int | None) -> Budget:
    return replace(
        budget,
        rate_per_s=budget.rate_per_s if rate_per_s is None else rate_per_s,
        burst=budget.burst if burst is None else burst,
    )
