"""The cells of one unit while it is being scanned. Every planned call starts as not asked and ends in one outcome."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from scanner.aws.outcomes import UNKNOWN_KEYS
from scanner.errors import GapError
from scanner.model import Cell, Outcome, Unit, worst


@dataclass(slots=True)
class _Tally:
    outcomes: set[Outcome] = field(default_factory=set)
    resources: int = 0
    affected: dict[Outcome, int] = field(default_factory=dict)
    reasons: dict[Outcome, tuple[str, str]] = field(default_factory=dict)
    refusals: set[tuple[str, str]] = field(default_factory=set)


class Ledger:
    """Collects outcomes per resource type and call, from several threads, and becomes the unit's cells."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._lock = threading.Lock()

    def answered(self, resource_type: str, operation: str, resources: int) -> None:
        """A call was answered for this many resources (0: AWS said there are none)."""
        self._note(resource_type, operation, Outcome.OK if resources else Outcome.EMPTY, resources)

    def gap(self, resource_type: str, operation: str, gap: GapError) -> None:
        """A call was not answered, or not wholly."""
        outcome = Outcome(gap.outcome)
        with self._lock:
            tally = self._tallies.setdefault((resource_type, operation), _Tally())
            tally.outcomes.add(outcome)
            tally.affected[outcome] = tally.affected.get(outcome, 0) + 1
            # The smallest reason of many, not the first to arrive: threads must not change the bytes of a report.
            reason = (gap.code, gap.message)
            tally.reasons[outcome] = min(tally.reasons.get(outcome, reason), reason)
            # A worse outcome of the same cell must not hide what is to be allowed.
            tally.refusals.update({gap.refusal} if gap.refusal else ())

    def skipped(self, resource_type: str, operation: str, why: str) -> None:
        """A call was not made on purpose."""
        with self._lock:
            tally = self._tallies.setdefault((resource_type, operation), _Tally())
            tally.outcomes.add(Outcome.SKIPPED)
            tally.reasons.setdefault(Outcome.SKIPPED, ("", why))

    def has(self, resource_type: str, operation: str) -> bool:
        """Whether this cell has an outcome yet."""
        return (resource_type, operation) in self._tallies

    def cells(self, requests: dict[str, int]) -> tuple[Cell, ...]:
        """All cells, sorted; `requests` are the requests sent by operation."""
        if any(Outcome.OK in tally.outcomes for tally in self._tallies.values()):
            for tally in self._tallies.values():
                _enabled_after_all(tally)
        return tuple(self._cell(key, self._tallies[key], requests) for key in sorted(self._tallies))

    def _cell(self, key: tuple[str, str], tally: _Tally, requests: dict[str, int]) -> Cell:
        outcome = worst(list(tally.outcomes))
        code, message = tally.reasons.get(outcome, ("", ""))
        return Cell(
            account_id=self._unit.account.id,
            region=self._unit.scope_region,
            service=self._unit.service,
            resource_type=key[0],
            call=key[1],
            outcome=outcome,
            resources=tally.resources,
            calls=requests.get(key[1], 0),
            code=code,
            message=message,
            affected=tally.affected.get(outcome, 0),
            named_region=self._unit.named_region,
            refusals=tuple(sorted(tally.refusals)),
        )

    def _note(self, resource_type: str, operation: str, outcome: Outcome, resources: int) -> None:
        with self._lock:
            tally = self._tallies.setdefault((resource_type, operation), _Tally())
            tally.outcomes.add(outcome)
            tally.resources += resources


def _enabled_after_all(tally: _Tally) -> None:
    """A region that has answered is not disabled: what it refuses then is a gap, whoever named the region."""
    if Outcome.REGION_DISABLED not in tally.outcomes:
        return
    code, message = tally.reasons.pop(Outcome.REGION_DISABLED)
    outcome = Outcome.CREDENTIALS if code in UNKNOWN_KEYS else Outcome.ERROR
    tally.outcomes = tally.outcomes - {Outcome.REGION_DISABLED} | {outcome}
    tally.affected[outcome] = tally.affected.get(outcome, 0) + tally.affected.pop(Outcome.REGION_DISABLED, 0)
    reason = (code, f"{message} (this region has answered other calls)")
    tally.reasons[outcome] = min(tally.reasons.get(outcome, reason), reason)
