"""One call to AWS, as everybody makes it: pace, retry, check, translate. The only retry layer of the program."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import jmespath
from botocore import exceptions as aws
from botocore.parsers import ResponseParserError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay
from tenacity.wait import wait_random_exponential

from scanner.aws.limiter import Limiter
from scanner.aws.operations import Method, Parts, prepare
from scanner.aws.outcomes import Verdict, verdict
from scanner.aws.settings import DoorSettings
from scanner.aws.traces import Attempt, tracer_for
from scanner.catalog.spec import Call
from scanner.errors import GapError
from scanner.model import CallStats, Outcome, Unit

Page = dict[str, Any]


class Absent(Exception):
    """AWS answered with one of the codes in `Call.none`: the thing asked for does not exist, and that is the answer."""


class _Transient(GapError):
    """A failure that another attempt may mend."""


class Lane:
    """All calls to one account, region and service: one client, one pace, one count. `unit` says whose, in traces."""

    def __init__(self, client: Any, settings: DoorSettings, unit: Unit | None = None) -> None:
        self._parts = Parts(client)
        self._settings = settings
        self._limiter = Limiter(settings.rate_per_s, settings.burst)
        self._stats: dict[str, CallStats] = {}
        self._methods: dict[str, Method] = {}
        self._open: dict[int, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self._wait = self._limiter.acquire
        self._try: Attempt = self._attempt
        self._tracer = tracer_for(client, unit)
        if self._tracer:
            self._wait, self._try = self._tracer.timed(self._wait), self._tracer.around(self._try, Absent)
        self._patient = self._retrying(settings.max_attempts)
        self._tired = self._retrying(1)

    @property
    def stats(self) -> tuple[CallStats, ...]:
        """Requests so far, by operation."""
        with self._lock:
            return tuple(self._stats[name] for name in sorted(self._stats))

    @property
    def oldest(self) -> tuple[float, str] | None:
        """The call that has waited for its answer longest: since when (monotonic seconds), and its operation."""
        return min(self._open.copy().values(), default=None)

    def pages(self, call: Call, params: Mapping[str, Any]) -> Iterator[Page]:
        """Every page of a call. Raises GapError after the pages that came; Absent for the call's `none` codes."""
        asked = dict(params)
        if call.size_param:
            asked.setdefault(call.size_param, call.size)
        seen: set[str] = set()
        for number in count(1):
            page = self.once(call, asked, number)
            yield page
            tokens = _next_tokens(call, page)
            if not tokens:
                return
            mark = repr(sorted(tokens.items()))
            if mark in seen:
                raise GapError(Outcome.TRUNCATED, "RepeatedToken", f"{call.api} gave the same token twice")
            seen.add(mark)
            asked.update(tokens)

    def once(self, call: Call, params: Mapping[str, Any], number: int = 1) -> Page:
        """One answered request, after as many attempts as the settings allow. Raises GapError or Absent."""
        retrying = self._tired if self._limiter.is_tired else self._patient
        thread = threading.get_ident()
        self._open[thread] = (time.monotonic(), call.operation)
        if self._tracer:
            self._tracer.begin(call, number)
        try:
            page: Page = retrying(self._try, call, params)
        except _Transient as gap:
            self._limiter.gave_up()
            raise GapError(gap.outcome, gap.code, gap.message) from None
        finally:
            del self._open[thread]
        self._limiter.succeeded()
        return page

    def _retrying(self, attempts: int) -> Retrying:
        settings = self._settings
        return Retrying(
            stop=stop_after_attempt(attempts) | stop_after_delay(settings.call_deadline_s),
            wait=wait_random_exponential(settings.initial_wait_s, settings.max_wait_s),
            retry=retry_if_exception_type(_Transient),
            before_sleep=self._count_retry,
            reraise=True,
        )

    def _attempt(self, call: Call, params: Mapping[str, Any]) -> Page:
        self._wait()
        self._count(call, calls=1)
        try:
            page: Page = self._method(call.operation)(params)
        except (aws.BotoCoreError, aws.ClientError, ResponseParserError, ValueError, KeyError, TypeError) as error:
            # ValueError and kin: botocore's parsers raise them on answers that are not what the model says.
            if isinstance(error, aws.ClientError) and error.response.get("Error", {}).get("Code") in call.none:
                raise Absent from None
            raise self._gap(call, verdict(error, call.off)) from None
        headers = page.pop("ResponseMetadata", {}).get("HTTPHeaders", {})
        if not page and "html" in headers.get("content-type", ""):
            # Without a single member of the model: a proxy or captive portal answered.
            raise _Transient(Outcome.MALFORMED, "HtmlAnswer", "the answer was a web page, not AWS's")
        return page

    def _gap(self, call: Call, found: Verdict) -> GapError:
        if found.outcome is Outcome.THROTTLED:
            self._limiter.throttled()
            self._count(call, throttles=1)
        kind = _Transient if found.transient else GapError
        return kind(found.outcome, found.code, found.message, found.refusal)

    def _method(self, operation: str) -> Method:
        found = self._methods.get(operation)
        if found is None:
            found = self._methods[operation] = prepare(self._parts, operation)
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


def _next_tokens(call: Call, page: Page) -> dict[str, Any]:
    """The parameters of the next page; empty where this was the last (a token on `more: false` is no page)."""
    if not call.input_tokens or (call.more and not jmespath.search(call.more, page)):
        return {}
    found = (jmespath.search(path, page) for path in call.output_tokens)
    return {name: value for name, value in zip(call.input_tokens, found, strict=True) if value}
