"""The fake AWS: who asks what is understood, counted, spoiled by rule, and answered; pages are kept as bytes."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
from botocore import xform_name

from scanner.catalog import Catalog, load_catalog
from scanner.fakeaws.content import Content, Fleet, Where
from scanner.fakeaws.counts import COUNTS_PATH, Counts, is_read
from scanner.fakeaws.directory import Directory, region_page
from scanner.fakeaws.errors import FakeError
from scanner.fakeaws.faults import faults
from scanner.fakeaws.filling import nothing
from scanner.fakeaws.http import Server
from scanner.fakeaws.paging import Lie, Paged, lied, page_behind, unwrapped
from scanner.fakeaws.rules import Asked, Rule, Rules
from scanner.fakeaws.tagging import PAGES, tagged_page
from scanner.fakeaws.wire import NotUnderstood, Raw, Request, read, write
from scanner.fakeaws.wording import Answer, spoiled, write_error

DEFAULT_ACCOUNT = "111122223333"
_CACHED_ANSWERS = 20_000


@dataclass(frozen=True, slots=True)
class _Heard:
    """A request with its true token, and the `token` as it came: of AWS, or a `lie` of a fault before."""

    request: Request
    asked: Asked
    paged: Paged | None
    token: str
    lie: Lie


class FakeAws:
    """A fake AWS in threads of this process. Use as a context manager; `calls` and `counts` have what was asked.

    `on_call` hears of every request before it is answered, in the thread that answers it.
    """

    def __init__(  # noqa: PLR0913 - everything a test may want of it
        self,
        fleet: Fleet | None = None,
        rules: tuple[Rule, ...] = (),
        latency_s: float = 0.0,
        port: int = 0,
        catalog_dirs: tuple[Path, ...] = (),
        on_call: Callable[[Asked], None] = lambda _: None,
        clock_ahead_s: float = 0.0,
        directory: Directory | None = None,
    ) -> None:
        self.directory = directory or Directory()
        self.counts = Counts()
        self.calls: Counter[tuple[str, str, str, str]] = self.counts.calls
        self.unknown = 0
        self._fleet = fleet or Fleet()
        self._catalog: Catalog = load_catalog(catalog_dirs)
        self._content = Content(self._catalog, self._fleet)
        self._allowed = self._catalog.operations()
        self._actions = {
            (call.service, call.operation): call.iam[0] for kind in self._catalog.types for call in kind.calls
        }
        self._rules = Rules(rules)
        self._latency_s = latency_s
        self._on_call = on_call
        self.clock_ahead_s = clock_ahead_s
        self._answers: dict[bytes, Answer] = {}
        self._services = tuple(sorted({kind.service for kind in self._catalog.types} | set(_OWN)))
        self._server = Server(port, self.handle, lambda: self.clock_ahead_s)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url

    def start(self) -> FakeAws:
        """Begin to serve."""
        self._thread.start()
        return self

    def become(self, fleet: Fleet) -> None:
        """Have another fleet from now on."""
        self._fleet, self._content = fleet, Content(self._catalog, fleet)
        self._answers = {}

    def obey(self, *rules: Rule) -> None:
        """Have other rules from now on; they begin to count at this call."""
        self._rules = Rules(rules)

    def stop(self) -> None:
        """Stop serving, free the port, and let go of what is held back."""
        self._server.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> FakeAws:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def handle(self, raw: Raw) -> Answer:
        """Answer one request."""
        if raw.path == COUNTS_PATH:
            return Answer(200, "application/json", self.counts.as_json(self.unknown))
        if self._latency_s:
            time.sleep(self._latency_s)
        try:
            request = read(raw, self._services)
        except NotUnderstood as error:
            self.unknown += 1
            return Answer(404, "text/plain", str(error).encode())
        heard = self._heard(request, raw.peer_port)
        asked = heard.asked
        self.counts.ask(asked, is_allowed=(asked.service, asked.operation) in self._allowed)
        self._on_call(asked)
        try:
            self.directory.admit(request.access_key, request.model)
            return self._answer(heard, self._rules.hit(asked))
        except FakeError as error:
            return write_error(request.model, error.status, error.code, error.message)

    def _heard(self, request: Request, peer_port: int) -> _Heard:
        operation = xform_name(request.model.name)
        paged = self._paged(request.service, operation)
        params, lie = unwrapped(paged, request.params)
        asked = Asked(
            _account_of(request.access_key),
            request.region,
            request.service,
            operation,
            peer_port,
            page="later" if paged and params.get(paged.given) else "first",
            mark=_mark_of(request.params),
            pageable=paged is not None and lie.kind in ("", "same"),
            action=self._actions.get(
                (request.service, operation), f"{request.model.service_model.signing_name}:{request.model.name}"
            ),
        )
        token = str(request.params.get(paged.given) or "") if paged else ""
        return _Heard(replace(request, params=dict(params)), asked, paged, token, lie)

    def _answer(self, heard: _Heard, rule: Rule | None) -> Answer:
        """The answer to a request, or what a rule makes of it."""
        if rule:
            self.counts.spoil(rule.fault, heard.asked)
            if faults()[rule.fault].kind != "page":
                return spoiled(rule, heard.request.model, heard.asked, lambda: self._answer(heard, None))
        made = self._page(heard, rule)
        return self._known(heard) if made is None else Answer(200, *write(heard.request.model, made))

    def _page(self, heard: _Heard, rule: Rule | None) -> Mapping[str, Any] | None:
        """A page as faults of pages make it; None: as ever."""
        paged, request, asked = heard.paged, heard.request, heard.asked
        is_behind = heard.lie.kind in ("tail", "endless")
        if paged is None or (rule is None and not is_behind):
            return None
        made = self._made(request, asked.account, asked.operation)
        if rule is None:
            return page_behind(paged, heard.lie, made)
        return lied(rule.fault, paged, heard.token, request.params, made)

    def _known(self, heard: _Heard) -> Answer:
        request, asked = heard.request, heard.asked
        said = [asked.account, request.region, request.service, asked.operation, request.params]
        key = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        answers = self._answers  # an answer of the fleet before must not be kept for the one after
        answer = answers.get(key)
        if answer is None:
            answer = Answer(200, *write(request.model, self._made(request, asked.account, asked.operation)))
            if len(answers) < _CACHED_ANSWERS and request.service != "sts":
                answers[key] = answer
        return answer

    def _paged(self, service: str, operation: str) -> Paged | None:
        if (service, operation) == ("resourcegroupstaggingapi", "get_resources"):
            return PAGES
        return self._content.paged(service, operation)

    def _made(self, request: Request, account: str, operation: str) -> Mapping[str, Any]:
        where = Where(account, request.region, self.directory.partition)
        if request.service == "organizations":
            return self.directory.organization(operation, request.params)
        own = _OWN.get(request.service, {}).get(operation)
        if own:
            return own(self, request.params, where)
        try:
            return self._content.answer(request.model, request.params, where)
        except KeyError:
            self.unknown += 1
            if not is_read(operation):
                raise FakeError(400, "InvalidAction", f"{operation} is no read") from None
            # Other tools ask what the catalog does not: they get an answer of the right shape with nothing in it.
            return nothing(request.model)

    def _who(self, _: Mapping[str, Any], where: Where) -> Mapping[str, Any]:
        arn = f"arn:{self.directory.partition}:iam::{where.account}:user/scanner"
        return {"Account": where.account, "Arn": arn, "UserId": "AIDAFAKE"}

    def _assume(self, params: Mapping[str, Any], where: Where) -> Mapping[str, Any]:
        return self.directory.assume(params, where.account)

    def _statuses(self) -> dict[str, str]:
        others = dict.fromkeys(self._catalog.regions[self.directory.partition], "not-opted-in")
        return {**others, **dict.fromkeys(self._fleet.regions, "opt-in-not-required")}

    def _list_regions(self, params: Mapping[str, Any], _: Where) -> Mapping[str, Any]:
        return region_page(self._statuses(), params)

    def _regions(self, params: Mapping[str, Any], _: Where) -> Mapping[str, Any]:
        statuses = self._statuses() if params.get("AllRegions") else dict.fromkeys(self._fleet.regions, "opted-in")
        return {
            "Regions": [
                {"RegionName": one, "OptInStatus": status, "Endpoint": f"ec2.{one}.amazonaws.com"}
                for one, status in statuses.items()
            ]
        }

    def _resources(self, params: Mapping[str, Any], where: Where) -> Mapping[str, Any]:
        return tagged_page(self._content.tagged(where), params, self._fleet.page_size)


def _mark_of(params: Mapping[str, Any]) -> bytes:
    return hashlib.blake2b(orjson.dumps(params, option=orjson.OPT_SORT_KEYS), digest_size=8).digest()


def _account_of(access_key: str) -> str:
    tail = access_key[4:16]
    return tail if len(tail) == 12 and tail.isdigit() else DEFAULT_ACCOUNT


_Own = Callable[[FakeAws, Mapping[str, Any], Where], Mapping[str, Any]]
_OWN: dict[str, dict[str, _Own]] = {
    "account": {"list_regions": FakeAws._list_regions},
    "organizations": {},
    "sts": {"get_caller_identity": FakeAws._who, "assume_role": FakeAws._assume},
    "ec2": {"describe_regions": FakeAws._regions},
    "resourcegroupstaggingapi": {"get_resources": FakeAws._resources},
}
