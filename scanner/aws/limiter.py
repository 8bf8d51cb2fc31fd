"""The pace of calls that share a budget: a token bucket that yields when AWS throttles (AIMD)."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

from scanner.aws.limits import Budget
from scanner.aws.pace import OwnSlot, SharedSlot, State, slot_of
from scanner.aws.settings import DoorSettings
from scanner.model import Unit

_FLOOR_PER_S = 1.0
_SLOWER, _FASTER = 0.7, 0.02
_LEASE_S = 1.0  # how long tokens that were fetched together are good
_LEASE_MAX = 10
_STALE_S = 60.0  # after so long without a call nothing is known of AWS's mood


class Limiter:
    """Shared, through its slot, by all threads and processes that call one account, region and service.

    A throttle takes 30 % off the rate for all of them, each success gives a little back, up to the budget again.
    While there are plenty of tokens a process fetches some at once: the slot's file is not opened for each call.
    """

    def __init__(self, budget: Budget, slot: OwnSlot | SharedSlot) -> None:
        self._rate, self._burst, self._slot = budget.rate_per_s, float(budget.burst), slot
        self._leased: list[float] = []  # until when each token is good; list operations are atomic
        self._slowed = False

    def acquire(self, patience_s: float = math.inf) -> bool:
        """Wait for a turn; turns are handed out in order. False, at once, where it would not come in time."""
        try:
            if self._leased.pop() > time.monotonic():
                return True
            self._leased.clear()
        except IndexError:
            pass
        wait_s = self._slot.change(lambda state: self._take(state, patience_s))
        if wait_s > patience_s:
            return False
        if wait_s > 0:
            time.sleep(wait_s)
        return True

    def succeeded(self) -> None:
        """A call was answered: speed up a little, if a throttle had slowed us down."""
        if self._slowed:
            self._slot.change(self._speed_up)

    def throttled(self) -> None:
        """AWS asked for less."""
        self._leased.clear()
        self._slot.change(self._slow_down)

    def _take(self, state: State, patience_s: float) -> float:
        """Take a token, or a few; the seconds until it is ours."""
        self._refill(state)
        rate = self._pace(state)
        wait_s = max(0.0, (1.0 - state.tokens) / rate)
        if wait_s > patience_s:
            return wait_s
        fetched = max(1, min(_LEASE_MAX, int(state.tokens / 10))) if state.tokens > 1 else 1
        state.tokens -= fetched
        if fetched > 1:
            self._leased.extend([state.at + _LEASE_S] * (fetched - 1))
        return wait_s

    def _slow_down(self, state: State) -> float:
        self._refill(state)
        state.factor = max(min(1.0, _FLOOR_PER_S / self._rate), state.factor * _SLOWER)
        state.tokens = min(state.tokens, 0.0)
        self._slowed = True
        return state.factor

    def _speed_up(self, state: State) -> float:
        self._refill(state)
        state.factor = min(1.0, state.factor + _FASTER)
        self._slowed = state.factor < 1.0
        return state.factor

    def _refill(self, state: State) -> None:
        now = time.monotonic()
        if now - state.at > _STALE_S:
            state.tokens, state.factor = self._burst, 1.0
        state.tokens = min(self._burst, state.tokens + (now - state.at) * self._pace(state))
        state.at = now
        self._slowed = state.factor < 1.0

    def _pace(self, state: State) -> float:
        return self._rate * state.factor


class Paces:
    """The limiters of one client's operations; those of one bucket are one."""

    def __init__(self, settings: DoorSettings, client: Any, unit: Unit | None) -> None:
        self._settings, self._service = settings, str(client.meta.service_model.service_name)
        self._account = unit.account.id if unit else ""
        self._place = f"{client.meta.region_name} {self._service} {client.meta.endpoint_url}"
        self._limiters: dict[str, Limiter] = {}  # by operation
        self._by_bucket: dict[str, Limiter] = {}
        self._lock = threading.Lock()

    def of(self, operation: str) -> Limiter:
        """The limiter of an operation."""
        return self._limiters.get(operation) or self._made(operation)

    def _made(self, operation: str) -> Limiter:
        budget = self._settings.budgets.of(self._service, operation)
        folder = self._settings.paces if self._account else ""
        with self._lock:
            made = self._by_bucket.get(budget.bucket)
            if made is None:
                slot = slot_of(folder, self._account or str(id(self)), f"{self._place} {budget.bucket}")
                made = self._by_bucket[budget.bucket] = Limiter(budget, slot)
            self._limiters[operation] = made
        return made
