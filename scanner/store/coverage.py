"""What a manifest's ledger says: how much of the plan was answered, what is unknown, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from scanner.model import Outcome

REMEDIES = {
    Outcome.DENIED_BY_POLICY: "A service control policy forbids the call: ask who keeps it, or list the cell under "
    "`expect` in the profile.",
    Outcome.DENIED: "Allow the role or user that scans what iam-missing.json lists; see `aws-scanner iam-policy`.",
    Outcome.REGION_DISABLED: "The profile names this region, but the account has it switched off: enable it, or take "
    "it out of `regions`.",
    Outcome.THROTTLED: "AWS refused to go faster: lower `limits.share`, `limits.rate_per_s` or "
    "`execution.service_workers`, or raise `retry.max_attempts`.",
    Outcome.TIMEOUT: "No whole answer came in time: check the network and proxies, or raise the deadline in `retry` "
    "that the code names.",
    Outcome.CREDENTIALS: "The account could not be entered, or its keys ran out on the way (then sign in again): the "
    "message says why, and `aws-scanner whoami PROFILE` shows each step.",
    Outcome.TRUNCATED: "AWS did not give all pages or all keys asked for: scan again.",
    Outcome.MALFORMED: "What answered does not speak like AWS: check `endpoint_url`, proxies and captive portals.",
    Outcome.ERROR: "Code and message say why; scan again if AWS was at fault.",
    Outcome.INTERRUPTED: "The scan was stopped before this was answered: `aws-scanner scan PROFILE --resume` asks for "
    "what is missing.",
    Outcome.LOST: "The worker process died twice: lower `execution.max_workers`, or give it more memory.",
}

MEANINGS = {
    Outcome.OK: "AWS answered, be it that there is none",
    Outcome.SKIPPED: "not asked on purpose: enrichment is off, a filter cannot judge it, the account is suspended",
    Outcome.NOT_AVAILABLE: "the region does not offer it",
    Outcome.NOT_ENABLED: "the account does not use the service",
    Outcome.REGION_DISABLED: "the account has the region switched off",
}

SENSITIVE = "Sensitive values are inside: this was scanned with include_sensitive. Keep it as you keep secrets."

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
class Unasked:
    """What was not asked on purpose, for one reason."""

    reason: str
    types: tuple[str, ...]
    cells: int


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
    unasked: tuple[Unasked, ...]
    interrupted: str | None
    part: str = ""  # "3/10": the snapshot is this part of a plan
    missing: tuple[str, ...] = ()  # parts of a plan that a merged snapshot has not

    @property
    def answered(self) -> int:
        """Cells about which everything is known."""
        return self.asked - self.gap_cells - self.expected_cells

    @property
    def asked(self) -> int:
        """All cells but those left out on purpose, about which nothing is known either."""
        return self.cells - self.unasked_cells

    @property
    def unasked_cells(self) -> int:
        """Cells left out on purpose."""
        return sum(one.cells for one in self.unasked)

    @property
    def percent(self) -> str:
        """The answered share, rounded down: 100 % is said only of all."""
        tenths = self.answered * 1000 // self.asked if self.asked else 0
        return f"{tenths // 10}.{tenths % 10} %" if tenths % 10 else f"{tenths // 10} %"

    @property
    def complete(self) -> bool:
        """Whether nothing is unknown but what the profile expects."""
        return not (self.gap_cells or self.interrupted or self.missing or self.surprises)

    @property
    def surprises(self) -> tuple[AccountFailure, ...]:
        """The accounts that were not scanned although the profile does not expect that."""
        declared = {(line.account_id, line.outcome) for line in self.expected}
        unmeant = (one for one in self.failures if one.outcome is not Outcome.SKIPPED)
        return tuple(one for one in unmeant if (one.account_id, one.outcome) not in declared)

    def verdict(self) -> str:
        """One sentence, most important word first."""
        part = f" of shard {self.part}" if self.part else ""
        said = f"{self.answered:,} of {counted(self.asked, 'cell')}{part} answered"
        aside = f", {counted(self.expected_cells, 'gap')} expected by the profile" if self.expected_cells else ""
        aside += f", {self.unasked_cells:,} not asked" if self.unasked else ""
        if not self.complete:
            unknown = f"{self.gap_cells:,} of {counted(self.asked, 'cell')}{part} unknown"
            return f"INCOMPLETE: {''.join(f'{one}; ' for one in self._reasons())}{unknown}{aside}"
        if self.asked:
            return f"COMPLETE: {said}{aside}"
        why = (
            f"{counted(self.cells, 'cell')}{part} left out on purpose" if self.cells else f"the plan{part} has no cells"
        )
        return f"NOTHING ASKED: {why}"

    def _reasons(self) -> Iterator[str]:
        """Why more is unknown than the ledger has cells for."""
        if self.interrupted:
            yield f"stopped by {self.interrupted}" if self.interrupted.startswith("SIG") else "killed"
        if self.surprises:
            yield f"{counted(len(self.surprises), 'account')} not scanned"
        yield from (f"missing: {one}" for one in self.missing)


def coverage_of(manifest: Mapping[str, Any]) -> Coverage:
    """Sum up a manifest's ledger."""
    gaps, expected, unasked = _Gaps(), _Gaps(), _Aside()
    answers, cells = Counter[Outcome](), 0
    for cells, line in enumerate(manifest["ledger"], start=1):  # noqa: B007 - the last is their number
        if _is_unknown(line):
            (expected if line["expected"] else gaps).add(line)
        else:
            unasked.add(line)
            answers[Outcome.OK if line["outcome"] in _ANSWERED else Outcome(line["outcome"])] += 1
    return Coverage(
        cells=cells,
        gap_cells=gaps.cells,
        expected_cells=expected.cells,
        gaps=gaps.lines(),
        expected=expected.lines(),
        answers=tuple((outcome, answers[outcome]) for outcome in Outcome if answers[outcome]),
        failures=_failures(manifest["accounts"]),
        unasked=unasked.lines(),
        interrupted=manifest.get("interrupted"),
        part=_part_of(manifest.get("shard")),
        missing=tuple(manifest.get("missing", ())),
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


def type_label(name: str) -> str:
    """A resource type of the ledger in words."""
    return "any (tagging API)" if name == "*" else name


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 cell", "1,180 cells"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _is_unknown(cell: Mapping[str, Any]) -> bool:
    return bool(cell["gap"] or cell["expected"])


@dataclass(slots=True)
class _Gaps:
    """Unknown cells, grouped as they are summed: what differs only in its region is one line."""

    cells: int = 0
    grouped: dict[tuple[str, ...], tuple[set[str], list[int]]] = field(default_factory=dict)

    def add(self, line: Mapping[str, Any]) -> None:
        """Take one cell."""
        self.cells += 1
        regions, counts = self.grouped.setdefault(tuple(line[name] for name in _LINE_KEY), (set(), [0, 0]))
        regions.add(line["region"])
        counts[0] += 1
        counts[1] += line["affected"]

    def lines(self) -> tuple[GapLine, ...]:
        """The groups, the most severe first."""
        severity = list(Outcome)[::-1]
        found = [
            GapLine(Outcome(outcome), account_id, resource_type, call, code, message, tuple(sorted(regions)), *counts)
            for (outcome, account_id, resource_type, call, code, message), (regions, counts) in self.grouped.items()
        ]
        return tuple(sorted(found, key=lambda line: (severity.index(line.outcome), line)))


@dataclass(slots=True)
class _Aside:
    """Cells that were not asked on purpose, by their reason."""

    grouped: dict[str, tuple[set[str], list[int]]] = field(default_factory=dict)

    def add(self, line: Mapping[str, Any]) -> None:
        """Take one cell, if it is such a one."""
        if line["outcome"] == Outcome.SKIPPED:
            types, count = self.grouped.setdefault(line["message"], (set(), [0]))
            is_account = line["resource_type"] == "*" and line["service"] != "resourcegroupstaggingapi"
            types.add("whole accounts" if is_account else type_label(line["resource_type"]))
            count[0] += 1

    def lines(self) -> tuple[Unasked, ...]:
        """The groups, by reason."""
        return tuple(Unasked(reason, tuple(sorted(types)), n) for reason, (types, (n,)) in sorted(self.grouped.items()))


def _part_of(shard: Mapping[str, Any] | None) -> str:
    return f"{shard['number']}/{shard['of']}" if shard else ""


def _failures(accounts: Iterable[dict[str, Any]]) -> tuple[AccountFailure, ...]:
    failed = [one for one in accounts if one["outcome"] not in _ANSWERED]
    return tuple(
        AccountFailure(one["id"] or "", account_label(one), Outcome(one["outcome"]), one["message"] or "")
        for one in failed
    )


def warning_of(manifest: Mapping[str, Any]) -> str:
    """What the first lines of every report for people say, if anything: that secrets are inside."""
    return SENSITIVE if manifest.get("selection", {}).get("include_sensitive") else ""
