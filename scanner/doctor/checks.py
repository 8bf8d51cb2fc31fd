"""What the doctor says of one thing: well, doubtful or broken, what was found, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing checked. `todo` is empty where nothing is to be done."""

    name: str
    status: Status
    found: str
    todo: str = ""
