"""What the door to AWS tells of its calls, where somebody listens: each attempt, each retry, each HTTP exchange.

A process has one listener. Without one, nothing of this stands in a call's way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jmespath
from botocore.exceptions import BotoCoreError

from scanner.aws.outcomes import one_line
from scanner.catalog.spec import Call
from scanner.errors import GapError
from scanner.model import Beat, Field, Note, Unit

Tell = Callable[[Note | Beat], None]
Attempt = Callable[[Call, Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be told: attempts and retries (`calls`), HTTP exchanges (`http`), signs of life of jobs (`beats`)."""

    calls: bool = False
    http: bool = False
    beats: bool = False


@dataclass(slots=True)
class _Ear:
    wanted: Wanted
    tell: Tell


@dataclass(slots=True)
class _Now:
    """The call that a thread is making; the HTTP exchange beneath it is told with the same fields."""

    unit: str
    place: tuple[Field, ...]
    page: int
    attempt: int = 0
    started: float = 0.0
    waited_s: float = 0.0

    def note(self, event: str, message: str, *fields: Field) -> Note:
        counted: tuple[Field, ...] = (("page", self.page), ("attempt", self.attempt))
        return Note("DEBUG", message, self.unit, (("event", event), *self.place, *counted, *fields), time.time())


_ear = _Ear(Wanted(), lambda _: None)
_here = threading.local()


def listen(wanted: Wanted, tell: Tell) -> None:
    """From now on the lanes that are made in this process tell this much to this listener, from any thread."""
    _ear.wanted, _ear.tell = wanted, tell


def tracer_for(client: Any, unit: Unit | None) -> Tracer | None:
    """The tracer of a new lane; None where nobody wants to hear of calls."""
    wanted = _ear.wanted
    if not (wanted.calls or wanted.http):
        return None
    if wanted.http and not isinstance(client._endpoint.http_session, _Watched):
        client._endpoint.http_session = _Watched(client._endpoint.http_session, _ear.tell)
    return Tracer(client, unit, _ear.tell if wanted.calls else lambda _: None)


class Tracer:
    """Tells of the attempts of a lane's calls."""

    def __init__(self, client: Any, unit: Unit | None, tell: Tell) -> None:
        self._unit = unit.name if unit else ""
        self._account = unit.account.id if unit else None
        self._region = unit.scope_region if unit else client.meta.region_name
        self._tell = tell

    def begin(self, call: Call, page: int) -> None:
        """This thread is about to make a call, with as many attempts as it takes."""
        place: tuple[Field, ...] = (
            ("account", self._account),
            ("region", self._region),
            ("service", call.service),
            ("operation", call.operation),
        )
        _here.now = _Now(self._unit, place, page)

    def timed(self, acquire: Callable[[], None]) -> Callable[[], None]:
        """The limiter's `acquire`, its waiting measured."""

        def wait() -> None:
            now = _here.now
            now.started = before = time.monotonic()
            acquire()
            now.started = time.monotonic()
            now.waited_s = now.started - before

        return wait

    def around(self, attempt: Attempt, absent: type[Exception]) -> Attempt:
        """A lane's attempt, told of. `absent` is what it raises where the answer is that there is none."""

        def told(call: Call, params: Any) -> dict[str, Any]:
            now: _Now = _here.now
            now.attempt += 1
            try:
                answer = attempt(call, params)
            except GapError as gap:
                self._answered(now, "failed", f"{gap.outcome}: {gap.code}: {gap.message}", *_reason(gap))
                raise
            except absent:
                self._answered(now, "call", "there is none", ("resources", 0))
                raise
            found = _count(call, answer)
            self._answered(now, "call", f"{found:,} found", ("resources", found))
            return answer

        return told

    def retry(self, error: BaseException | None, wait_s: float) -> None:
        """The call will be made again after a pause."""
        now: _Now = _here.now
        reason = _reason(error) if isinstance(error, GapError) else ()
        why = " ".join(str(value) for _, value in reason)
        message = f"attempt {now.attempt} failed, the next one in {wait_s:.2f} s: {why}"
        self._tell(now.note("retry", message, ("wait_s", round(wait_s, 3)), *reason))

    def _answered(self, now: _Now, event: str, what: str, *fields: Field) -> None:
        duration_ms, waited_ms = _ms(time.monotonic() - now.started), _ms(now.waited_s)
        message = f"page {now.page}, attempt {now.attempt}: {what}, in {duration_ms:.0f} ms"
        if waited_ms >= 1:
            message += f" after {waited_ms:.0f} ms in the limiter"
        self._tell(now.note(event, message, *fields, ("duration_ms", duration_ms), ("limiter_ms", waited_ms)))


class _Watched:
    """A client's HTTP session, its exchanges told of: never a header, a body, or the value of a parameter."""

    def __init__(self, session: Any, tell: Tell) -> None:
        self._session, self._tell = session, tell

    def send(self, request: Any) -> Any:
        """Send a request as the session does, and tell how it went."""
        started = time.monotonic()
        try:
            answer = self._session.send(request)
        except BotoCoreError as error:
            # Its text has the whole URL in it.
            self._say(request, started, type(error).__name__)
            raise
        size_bytes = len(answer.content or b"")
        request_id = _request_id(answer.headers)
        fields = (("status", int(answer.status_code)), ("bytes", size_bytes), ("request_id", request_id))
        what = f"{answer.status_code}, {size_bytes:,} bytes" + (f", request {request_id}" if request_id else "")
        self._say(request, started, what, *fields)
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def _say(self, request: Any, started: float, what: str, *fields: Field) -> None:
        duration_ms = _ms(time.monotonic() - started)
        host, path = _address(request.url)
        message = f"{request.method} {host}{path}: {what}, in {duration_ms:.0f} ms"
        asked: tuple[Field, ...] = (("method", request.method), ("host", host), ("path", path))
        now: _Now = getattr(_here, "now", None) or _Now("", (), 1)
        self._tell(now.note("http", message, *asked, *fields, ("duration_ms", duration_ms)))


def _address(url: str) -> tuple[str, str]:
    """Host and path of a URL; of its query the names only, for their values may be tokens."""
    parts = urlsplit(url)
    path = "/".join(one_line(part) for part in parts.path.split("/")) or "/"
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    return parts.netloc.rpartition("@")[2], path + ("?" + "&".join(map(one_line, names)) if names else "")


def _request_id(headers: Any) -> str | None:
    found = headers.get("x-amzn-requestid") or headers.get("x-amz-request-id")
    return one_line(found) if found else None


def _reason(gap: GapError) -> tuple[Field, ...]:
    return ("outcome", str(gap.outcome)), ("code", gap.code), ("reason", gap.message)


def _count(call: Call, answer: dict[str, Any]) -> int:
    """How many things an answer holds, by the path that the catalog gives for them."""
    found = jmespath.search(call.out, answer) if call.out else answer
    if isinstance(found, list):
        return len(found)
    return int(bool(found))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
