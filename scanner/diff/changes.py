"""The words of a diff: a change of one resource, its fields, and the reason why something is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

OLD, NEW, BOTH = "old", "new", "both"


class Kind(StrEnum):
    """What became of a resource, in the order in which a diff tells it."""

    UNKNOWN = "unknown"
    REMOVED = "removed"
    ADDED = "added"
    CHANGED = "changed"


class Why(StrEnum):
    """Why a verdict cannot be given; a cell's own outcome ("denied") stands where the cell was not answered."""

    NO_LEDGER = "no_ledger"
    NOT_ASKED = "not_asked"
    NOT_READ = "not_read"
    OLDER_ANSWER = "older_answer"
    OTHER_CATALOG = "other_catalog"
    OTHER_BOTOCORE = "other_botocore"
    OTHER_SERVICES = "other_services"
    TAGGING_ALONE = "tagging_alone"
    UNTAGGED = "untagged"


@dataclass(frozen=True, slots=True, order=True)
class Reason:
    """Why something is not known. `snapshot`: the one at fault ("old", "new", "both"); `why`: a Why or an outcome."""

    snapshot: str
    why: str
    text: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The resource that a change is about."""

    resource_type: str
    resource_id: str | None
    resource_name: str | None
    resource_arn: str | None
    partition: str
    account_id: str
    region: str


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field: its dotted path and both values, shortened; None: there is no such field."""

    path: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one resource. `fields` are at most the first 50; `more_fields` says how many there are besides."""

    kind: Kind
    subject: Subject
    seen_in: str
    fields: tuple[FieldChange, ...] = ()
    more_fields: int = 0
    reasons: tuple[Reason, ...] = ()
    note: str = ""


@dataclass(slots=True)
class Totals:
    """How many resources ended how, and how many of the unknown ones for which reason."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    unchanged: int = 0
    reasons: Counter[Reason] = field(default_factory=Counter)

    def add(self, change: Change) -> None:
        """Count one change."""
        self.kinds[change.kind] += 1
        self.reasons.update(change.reasons)


def subject_of(record: Mapping[str, Any]) -> Subject:
    """The subject that a record is."""
    return Subject(*(record[name] for name in Subject.__slots__))
