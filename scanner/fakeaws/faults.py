"""The faults that there are, and how each service words its errors: data from faults.yaml."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from botocore.model import OperationModel

from scanner.catalog.strict_yaml import load_marked

_CLOCK_TOLERANCE_S = 900


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `kind`: error, answer, page or connection; `words` are an error's (status, code[, message])."""

    name: str
    kind: str
    help: str
    message: str = ""
    words: Mapping[str, tuple[Any, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Worded:
    """An error as one service says it."""

    status: int
    code: str
    message: str


@lru_cache(maxsize=1)
def faults() -> Mapping[str, Fault]:
    """Every fault by name, in the order of faults.yaml."""
    said, _ = load_marked(Path(__file__).with_name("faults.yaml").read_text())
    return {name: _fault(name, one) for name, one in said.items()}


def _fault(name: str, said: dict[str, Any]) -> Fault:
    words = {word: tuple(value) for word, value in said.get("words", {}).items()}
    return Fault(name, said["kind"], said["help"], said.get("message", ""), words or None)


def worded(fault: Fault, model: OperationModel, account: str, action: str, ahead_s: float = 0.0) -> Worded:
    """An error in the words of the operation's service; `action` is what a denial names.

    `ahead_s`: how far AWS's clock is ahead of the client's.
    """
    service = model.service_model
    words = fault.words or {}
    wanted = (service.service_name, service.resolved_protocol, "*")
    status, code, *own = next(words[word] for word in wanted if word in words)
    now_s = time.time() + ahead_s
    message = (own[0] if own else fault.message).format(
        caller=f"arn:aws:iam::{account}:user/scanner",
        action=action,
        asked=_stamp(now_s - ahead_s),
        earliest=_stamp(now_s - _CLOCK_TOLERANCE_S),
        now=_stamp(now_s),
    )
    return Worded(status, code, message)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")
