"""What a manifest's ledger says: how much of the plan was answered, what is unknown, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scanner.model import Outcome

REMEDIES = {
    Outcome.DENIED_BY_POLICY: "A service control policy forbids the call: ask who keeps it, or list the cell under "
    "`expect` in the profile.",
    Outcome.DENIED: "Allow the actions that `aws-scanner iam-policy` prints to the role or user that scans.",
    Outcome.REGION_DISABLED: "The profile names this region, but the account has it switched off: enable it, or take "
    "it out of `regions`.",
    Outcome.THROTTLED: "AWS refused to go faster: lower `limits.rate_per_s` or `execution.service_workers`, or raise "
    "`retry.max_attempts`.",
    Outcome.TIMEOUT: "No whole answer came in time: check the network and proxies, or raise `retry.read_timeout_s` "
    "and `retry.call_deadline_s`.",
    Outcome.CREDENTIALS: "The credentials were refused or ran out: renew them, or mend the role's trust policy and "
    "`external_id`.",
    Outcome.TRUNCATED: "AWS did not give all pages or all keys asked for: scan again.",
    Outcome.MALFORMED: "What answered does not speak like AWS: check `endpoint_url`, proxies and captive portals.",
    Outcome.ERROR: "Code and message say why; scan again if AWS was at fault.",
    Outcome.INTERRUPTED: "The scan was stopped before this was answered: scan again; what was answered comes from "
    "the cache.",
    Outcome.LOST: "The worker process died twice: lower `execution.max_workers`, or give it more memory.",
}

MEANINGS = {
    Outcome.OK: "AWS answered, be it that there is none",
    Outcome.SKIPPED: "not asked on purpose: enrichment is off, or a filter cannot judge it",
    Outcome.NOT_AVAILABLE: "the region does not offer it",
    Outcome.NOT_ENABLED: "the account does not use the service",
    Outcome.REGION_DISABLED: "the account has the region switched off",
}

# Whether an answer was there, was empty or came from the cache must not change a report: the fleet is the same.
_ANSWERED = frozenset({Outcome.OK, Outcome.EMPTY, Outcome.CACHED})


_LINE_KEY = ("outcome", "account_id", "resource_type", "call", "code", "message")


@dataclass(frozen=True, slots=True, order=True)
class GapLine:
    """One unknown thing: cells of the ledger that differ only in their region. `affected` counts resources."""

    outcome: Outcome
    account_id: str
    resource_type: str
    call: str
    code: str
    message: str
    regions: tuple[str, ...]
    cells: int
    affected: int


@dataclass(frozen=True, slots=True)
class AccountFailure:
    """An account that was not scanned at all."""

    account_id: str
    label: str
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """A ledger summed up. `gaps` are surprises, `expected` are the gaps that the profile declares."""

    cells: int
    gap_cells: int
    expected_cells: int
    gaps: tuple[GapLine, ...]
    expected: tuple[GapLine, ...]
    answers: tuple[tuple[Outcome, int], ...]
    failures: tuple[AccountFailure, ...]
    interrupted: str | None

    @property
    def answered(self) -> int:
        """Cells about which everything is known."""
        return self.cells - self.gap_cells - self.expected_cells

    @property
    def percent(self) -> str:
        """The answered share, rounded down: 100 % is said only of all."""
        tenths = self.answered * 1000 // self.cells if self.cells else 0
        return f"{tenths // 10}.{tenths % 10} %" if tenths % 10 else f"{tenths // 10} %"

    @property
    def complete(self) -> bool:
        """Whether nothing is unknown but what the profile expects."""
        return not (self.gap_cells or self.interrupted) and not self.surprises

    @property
    def surprises(self) -> tuple[AccountFailure, ...]:
        """The accounts that were not scanned although the profile does not expect that."""
        declared = {(line.account_id, line.outcome) for line in self.expected}
        return tuple(one for one in self.failures if (one.account_id, one.outcome) not in declared)

    def verdict(self) -> str:
        """One sentence, most important word first."""
        said = f"{self.answered:,} of {counted(self.cells, 'cell')} answered"
        expected = f", {counted(self.expected_cells, 'gap')} expected by the profile" if self.expected_cells else ""
        if not self.complete:
            stopped = f"stopped by {self.interrupted}; " if self.interrupted else ""
            lost = f"{counted(len(self.surprises), 'account')} not scanned; " if self.surprises else ""
            return f"INCOMPLETE: {stopped}{lost}{self.gap_cells:,} of {counted(self.cells, 'cell')} unknown{expected}"
        return f"COMPLETE: {said}{expected}" if self.cells else "NOTHING ASKED: the plan has no cells"


def coverage_of(manifest: Mapping[str, Any]) -> Coverage:
    """Sum up a manifest's ledger."""
    ledger = manifest["ledger"]
    gaps = [cell for cell in ledger if cell["gap"] and not cell["expected"]]
    expected = [cell for cell in ledger if cell["expected"]]
    return Coverage(
        cells=len(ledger),
        gap_cells=len(gaps),
        expected_cells=len(expected),
        gaps=_lines(gaps),
        expected=_lines(expected),
        answers=_answers(cell for cell in ledger if not _is_unknown(cell)),
        failures=_failures(manifest["accounts"]),
        interrupted=manifest.get("interrupted"),
    )


def unknown_by(manifest: Mapping[str, Any], axis: str) -> Counter[str]:
    """Unknown cells, expected or not, per value of a ledger field ("region", "resource_type" ...)."""
    return Counter(cell[axis] for cell in manifest["ledger"] if _is_unknown(cell))


def absent_types(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The resource types that were asked for, answered everywhere, and found nowhere."""
    asked = {cell["resource_type"] for cell in manifest["ledger"] if cell["outcome"] in _ANSWERED} - {"*"}
    return tuple(sorted(asked - manifest["by_type"].keys() - unknown_by(manifest, "resource_type").keys()))


def account_label(account: Mapping[str, Any]) -> str:
    """An account in words: "123456789012 (prod)"."""
    known = account["id"] or "of unknown id"
    return f"{known} ({account['name']})" if account["name"] else known


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 cell", "1,180 cells"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _is_unknown(cell: Mapping[str, Any]) -> bool:
    return bool(cell["gap"] or cell["expected"])


def _lines(cells: Iterable[dict[str, Any]]) -> tuple[GapLine, ...]:
    grouped: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for cell in cells:
        grouped.setdefault(tuple(cell[name] for name in _LINE_KEY), []).append(cell)
    severity = list(Outcome)[::-1]
    lines = (_line(*key, same=same) for key, same in grouped.items())
    return tuple(sorted(lines, key=lambda line: (severity.index(line.outcome), line)))


def _line(outcome: str, *names: str, same: list[dict[str, Any]]) -> GapLine:
    account_id, resource_type, call, code, message = names
    regions = tuple(sorted({cell["region"] for cell in same}))
    affected = sum(cell["affected"] for cell in same)
    return GapLine(Outcome(outcome), account_id, resource_type, call, code, message, regions, len(same), affected)


def _answers(cells: Iterable[dict[str, Any]]) -> tuple[tuple[Outcome, int], ...]:
    folded = (Outcome.OK if cell["outcome"] in _ANSWERED else Outcome(cell["outcome"]) for cell in cells)
    counts = Counter(folded)
    return tuple((outcome, counts[outcome]) for outcome in Outcome if counts[outcome])


def _failures(accounts: Iterable[dict[str, Any]]) -> tuple[AccountFailure, ...]:
    failed = [one for one in accounts if one["outcome"] not in _ANSWERED]
    return tuple(
        AccountFailure(one["id"] or "", account_label(one), Outcome(one["outcome"]), one["message"] or "")
        for one in failed
    )
