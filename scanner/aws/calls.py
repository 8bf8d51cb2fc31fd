"""One call to AWS, as everybody makes it: pace, retry, check, translate. The only retry layer of the program."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, Protocol

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from scanner.aws.deadlines import Deadline
from scanner.aws.limiter import Paces
from scanner.aws.operations import Method, Parts, prepare
from scanner.aws.outcomes import EXPIRED, UNKNOWN_KEYS, Verdict, verdict
from scanner.aws.patience import Patience
from scanner.aws.settings import DoorSettings
from scanner.aws.tokens import next_tokens
from scanner.aws.traces import Attempt, tracer_for
from scanner.aws.underway import Asked, Underway
from scanner.catalog.spec import Call
from scanner.errors import GapError, ReadOnlyViolation
from scanner.model import CallStats, Outcome, Unit

Page = dict[str, Any]

# ValueError and kin: botocore's parsers raise them on answers that are not what the model says.
_FAILURES = (
    aws.BotoCoreError, aws.ClientError, ResponseParserError,
    ValueError, TypeError, AttributeError, KeyError, IndexError,
)  # fmt: skip


class Absent(Exception):
    """AWS answered with one of the codes in `Call.none`: the thing asked for does not exist, and that is the answer."""


class Hold(Protocol):
    """What a lane holds on to while keys come and go (`scanner.aws.renewal`)."""

    def client(self) -> Any:
        """The client to call with."""
        ...

    def renew(self, client: Any) -> None:
        """Get other keys than this client's. Raises GapError."""
        ...

    def vouch(self, client: Any, told: Lane) -> bool:
        """Whether STS knows this client's keys. `told` counts the call."""
        ...


class _Transient(GapError):
    """A failure that another attempt may mend."""


class Lane:
    """All calls to one account, region and service: one client, one pace, one count. `unit` says whose, in traces.

    `hold`: where the client comes from, and others when its keys expire; without one they are what they are.
    """

    def __init__(self, client: Any, settings: DoorSettings, unit: Unit | None = None, hold: Hold | None = None) -> None:
        self._hold, self._unit = hold, unit
        # One value, so that no thread prepares a call for a client that another has just replaced.
        self._at: tuple[Parts, dict[str, Method]] = (Parts(client), {})
        self._settings = settings
        self._paces = Paces(settings, client, unit)
        self._stats: dict[str, CallStats] = {}
        self._underway = Underway(settings, has_cells=unit is not None)
        self._patience = Patience(str(client.meta.endpoint_url))
        self._lock = threading.Lock()
        self._wait = self._turn
        self._try: Attempt = self._attempt
        self._tracer = tracer_for(client, unit)
        if self._tracer:
            self._wait, self._try = self._tracer.timed(self._wait), self._tracer.around(self._try, Absent)
        self._often, self._once = self._retrying(settings.max_attempts), self._retrying(1)

    @property
    def stats(self) -> tuple[CallStats, ...]:
        """Requests so far, by operation."""
        with self._lock:
            return tuple(self._stats[name] for name in sorted(self._stats))

    @property
    def oldest(self) -> tuple[float, str] | None:
        """The call that has waited for its answer longest: since when (monotonic seconds), and its operation."""
        return self._underway.oldest

    def pages(self, call: Call, params: Mapping[str, Any]) -> Iterator[Page]:
        """Every page of a call. Raises GapError after the pages that came; Absent for the call's `none` codes."""
        asked = dict(params)
        if call.size_param:
            asked.setdefault(call.size_param, call.size)
        seen: set[str] = set()
        for number in count(1):
            page = self.once(call, asked, number)
            yield page
            tokens = next_tokens(call, page)
            if not tokens:
                return
            mark = repr(sorted(tokens.items()))
            if mark in seen:
                raise GapError(Outcome.TRUNCATED, "RepeatedToken", f"{call.api} gave the same token twice")
            seen.add(mark)
            asked.update(tokens)

    def once(self, call: Call, params: Mapping[str, Any], number: int = 1) -> Page:
        """One answered request, after as many attempts as the settings allow. Raises GapError or Absent."""
        retrying = self._once if self._patience.is_tired(call.operation) else self._often
        asked = self._underway.begin(call)
        try:
            if self._tracer:
                self._tracer.begin(call, number)
            page = self._with_keys(retrying, call, params)
        except GapError as gap:
            if isinstance(gap, _Transient) or isinstance(asked.last, _Transient):
                self._patience.gave_up(call.operation, gap.code)
            raise _final(gap) from None
        finally:
            self._underway.end()
        return page

    def add(self, stats: tuple[CallStats, ...]) -> None:
        """Count what was asked on behalf of this lane."""
        for one in stats:
            self._count(Call(one.service, one.operation, ""), one.calls, one.retries, one.throttles)

    def _with_keys(self, retrying: Retrying, call: Call, params: Mapping[str, Any]) -> Page:
        """The answer; where the keys have expired, asked once more with new ones: of the same page, by its token."""
        if self._hold is None:
            return retrying(self._try, call, params)
        client = self._follow(self._hold)
        try:
            return retrying(self._try, call, params)
        except GapError as gap:
            if gap.outcome is not Outcome.CREDENTIALS or gap.code not in EXPIRED | UNKNOWN_KEYS:
                raise
            self._renew(self._hold, client, gap)
        self._follow(self._hold)
        return retrying(self._try, call, params)

    def _renew(self, hold: Hold, client: Any, why: GapError) -> None:
        try:
            hold.renew(client)
        except GapError as gap:
            message = f"{why.message}; and they cannot be renewed: {gap.code}: {gap.message}"
            raise GapError(Outcome.CREDENTIALS, why.code, message) from None

    def _follow(self, hold: Hold) -> Any:
        """Go on with the client of the keys as they are now."""
        client = hold.client()
        with self._lock:
            if client is not self._at[0].client:
                self._at = (Parts(client), {})
                self._tracer = self._tracer and tracer_for(client, self._unit)
        return client

    def _retrying(self, attempts: int) -> Retrying:
        settings = self._settings
        return Retrying(
            stop=lambda state: state.attempt_number >= attempts or self._underway.is_over(state.upcoming_sleep),
            wait=wait_random_exponential(settings.initial_wait_s, settings.max_wait_s),
            retry=retry_if_exception_type(_Transient),
            before_sleep=self._count_retry,
            reraise=True,
        )

    def _turn(self) -> None:
        """Wait for this thread's turn. Raises GapError where it does not come before the call, or its cell, is due."""
        asked = self._underway.mine
        if not self._paces.of(asked.operation).acquire(asked.until - time.monotonic()):
            raise _final(asked.last) if asked.last else self._underway.cell_is_over(asked)
        self._underway.has_turn(asked)

    def _attempt(self, call: Call, params: Mapping[str, Any]) -> Page:
        asked = self._underway.mine
        self._wait()
        self._count(call, calls=1)
        with Deadline(asked.until) as deadline:
            try:
                page: Page = self._method(call.operation)(params)
            except ReadOnlyViolation:
                raise  # no failure of AWS's
            except _FAILURES as error:
                if deadline.is_over:
                    raise self._too_late(asked) from None
                if isinstance(error, aws.ClientError) and error.response.get("Error", {}).get("Code") in call.none:
                    self._answered(call.operation)
                    raise Absent from None
                asked.last = self._gap(call, self._sure(verdict(error, call.off)))
                raise asked.last from None
        if deadline.is_over:
            raise self._too_late(asked)
        self._answered(call.operation)
        page.pop("ResponseMetadata", None)
        return page

    def _answered(self, operation: str) -> None:
        self._paces.of(operation).succeeded()
        self._patience.succeeded(operation)

    def _too_late(self, asked: Asked) -> GapError:
        if time.monotonic() >= asked.cell_due:
            return self._underway.cell_is_over(asked)
        return _Transient(*self._underway.call_is_over(asked))

    def _sure(self, found: Verdict) -> Verdict:
        """Keys that only this region does not know are good, and the region is off; STS tells which it is."""
        is_doubtful = found.code in UNKNOWN_KEYS and found.outcome is Outcome.REGION_DISABLED
        if not is_doubtful or self._hold is None or self._hold.vouch(self._at[0].client, self):
            return found
        return replace(found, outcome=Outcome.CREDENTIALS, message=f"{found.message} STS does not know the keys either")

    def _gap(self, call: Call, found: Verdict) -> GapError:
        if found.outcome is Outcome.THROTTLED:
            self._paces.of(call.operation).throttled()
            self._count(call, throttles=1)
        kind = _Transient if found.transient else GapError
        return kind(found.outcome, found.code, found.message, found.refusal)

    def _method(self, operation: str) -> Method:
        parts, methods = self._at
        found = methods.get(operation)
        if found is None:
            found = methods[operation] = prepare(parts, operation)
        return found

    def _count_retry(self, state: RetryCallState) -> None:
        self._count(state.args[0], retries=1)
        if self._tracer and state.outcome:
            self._tracer.retry(state.outcome.exception(), state.upcoming_sleep)

    def _count(self, call: Call, calls: int = 0, retries: int = 0, throttles: int = 0) -> None:
        with self._lock:
            old = self._stats.get(call.operation) or CallStats(call.service, call.operation)
            self._stats[call.operation] = replace(
                old, calls=old.calls + calls, retries=old.retries + retries, throttles=old.throttles + throttles
            )


def _final(gap: GapError) -> GapError:
    return GapError(gap.outcome, gap.code, gap.message, gap.refusal)
