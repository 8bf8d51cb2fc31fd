"""Faults by rule: which calls are hit, by what, how often. The same requests are hit at every run."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from scanner.fakeaws.faults import faults

PAGES = ("any", "first", "later")


@dataclass(frozen=True, slots=True)
class Rule:
    """A fault for calls that fit all globs, after the first `after` of them, at most `times` times (None: always).

    `page`: only requests without ("first") or with ("later") a continuation token. `probability` is decided by
    `seed` and the request itself, not by the order in which requests come. `rate` and `burst` are bucket's,
    `delay_s` slow's, `ahead_s` skew's.
    """

    fault: str
    service: str = "*"
    operation: str = "*"
    region: str = "*"
    account: str = "*"
    after: int = 0
    times: int | None = None
    page: str = "any"
    probability: float = 1.0
    seed: int = 0
    rate: float = 20.0
    burst: int = 100
    delay_s: float = 1.0
    ahead_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the server hears it; `peer_port` is the client's end of the connection.

    `page`: "first" or "later"; `mark` tells requests with other parameters apart; `pageable`: page faults may hit it
    (not so an operation without tokens, nor the request that a page fault led to); `action` is IAM's word for it.
    """

    account: str
    region: str
    service: str
    operation: str
    peer_port: int
    page: str = "first"
    mark: bytes = b""
    pageable: bool = True
    action: str = ""


@dataclass(slots=True)
class _Tally:
    """What a rule has seen."""

    fitting: int = 0
    hits: int = 0
    asked: Counter[bytes] = field(default_factory=Counter)
    buckets: dict[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)


class Rules:
    """The rules of a server, and how often each has hit. `clock` is for token buckets, in seconds."""

    def __init__(self, rules: tuple[Rule, ...], clock: Callable[[], float] = time.monotonic) -> None:
        self._rules = tuple((rule, _Tally()) for rule in rules)
        self._clock = clock
        self._lock = threading.Lock()

    def hit(self, asked: Asked) -> Rule | None:
        """The first rule that hits a request, counted."""
        with self._lock:
            for at, (rule, tally) in enumerate(self._rules):
                if _fits(rule, asked) and self._strikes(at, rule, tally, asked):
                    return rule
        return None

    def _strikes(self, at: int, rule: Rule, tally: _Tally, asked: Asked) -> bool:
        tally.fitting += 1
        if tally.fitting <= rule.after or (rule.times is not None and tally.hits >= rule.times):
            return False
        if rule.probability < 1 and _dice(at, rule, tally, asked) >= rule.probability:
            return False
        if rule.fault == "bucket" and self._has_token(rule, tally, asked):
            return False
        tally.hits += 1
        return True

    def _has_token(self, rule: Rule, tally: _Tally, asked: Asked) -> bool:
        place, now = (asked.account, asked.region, asked.service), self._clock()
        tokens, since = tally.buckets.get(place, (float(rule.burst), now))
        tokens = min(float(rule.burst), tokens + (now - since) * rule.rate)
        tally.buckets[place] = (max(0.0, tokens - 1) if tokens >= 1 else tokens, now)
        return tokens >= 1


def _fits(rule: Rule, asked: Asked) -> bool:
    pairs = (
        (asked.service, rule.service),
        (asked.operation, rule.operation),
        (asked.region, rule.region),
        (asked.account, rule.account),
    )
    if not all(fnmatchcase(value, glob) for value, glob in pairs):
        return False
    return rule.page in ("any", asked.page) and (asked.pageable or faults()[rule.fault].kind != "page")


def _dice(at: int, rule: Rule, tally: _Tally, asked: Asked) -> float:
    """A number in [0, 1) that hangs on the seed, the request, and how often it was made."""
    said = (at, rule.seed, asked.account, asked.region, asked.service, asked.operation, asked.mark)
    mark = hashlib.blake2b(repr(said).encode(), digest_size=8).digest()
    tally.asked[mark] += 1
    drawn = hashlib.blake2b(mark + tally.asked[mark].to_bytes(8, "big"), digest_size=8).digest()
    return int.from_bytes(drawn, "big") / 2**64
