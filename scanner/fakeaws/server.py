"""The fake AWS's HTTP side: a threaded server on 127.0.0.1 with keep-alive, pages written once and kept as bytes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
from botocore import xform_name

from scanner.catalog import Catalog, load_catalog
from scanner.fakeaws.content import Content, FakeError, Fleet, Where, nothing
from scanner.fakeaws.directory import Directory, region_page
from scanner.fakeaws.rules import Rule, Rules, parse_rule
from scanner.fakeaws.wire import NotUnderstood, Raw, Request, read, write, write_error

HOST = "127.0.0.1"
DEFAULT_ACCOUNT = "111122223333"
_CACHED_ANSWERS = 20_000

Answer = tuple[int, str, bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the server hears it; `peer_port` is the client's end of the connection."""

    account: str
    region: str
    service: str
    operation: str
    peer_port: int


class FakeAws:
    """A fake AWS in threads of this process. Use as a context manager; `calls` counts what was asked.

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
        self.calls: Counter[tuple[str, str, str, str]] = Counter()
        self.unknown = 0
        self._fleet = fleet or Fleet()
        self._catalog: Catalog = load_catalog(catalog_dirs)
        self._content = Content(self._catalog, self._fleet)
        actions = {(call.service, call.operation): call.iam[0] for kind in self._catalog.types for call in kind.calls}
        self._rules = Rules(rules, actions)
        self._latency_s = latency_s
        self._on_call = on_call
        self.clock_ahead_s = clock_ahead_s
        self._answers: dict[bytes, Answer] = {}
        self._services = tuple(sorted({kind.service for kind in self._catalog.types} | set(_OWN)))
        self._lock = threading.Lock()
        self._server = _Server((HOST, port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    def start(self) -> FakeAws:
        """Begin to serve."""
        self._thread.start()
        return self

    def become(self, fleet: Fleet) -> None:
        """Have another fleet from now on."""
        self._fleet, self._content = fleet, Content(self._catalog, fleet)
        self._answers = {}

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> FakeAws:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def handle(self, raw: Raw) -> Answer:
        """Answer one request."""
        if raw.path == "/_fakeaws/calls":
            rows = [[*key, count] for key, count in sorted(self.calls.items())]
            return 200, "application/json", orjson.dumps({"calls": rows, "unknown": self.unknown})
        if self._latency_s:
            time.sleep(self._latency_s)
        try:
            request = read(raw, self._services)
        except NotUnderstood as error:
            self.unknown += 1
            return 404, "text/plain", str(error).encode()
        account = _account_of(request.access_key)
        operation = xform_name(request.model.name)
        with self._lock:
            self.calls[account, request.region, request.service, operation] += 1
        self._on_call(Asked(account, request.region, request.service, operation, raw.peer_port))
        try:
            self.directory.admit(request.access_key, request.model)
            self._rules.check(request.model, operation, account, request.region)
            return self._known(request, account, operation)
        except FakeError as error:
            return write_error(request.model, error.status, error.code, error.message)

    def _known(self, request: Request, account: str, operation: str) -> Answer:
        said = [account, request.region, request.service, operation, request.params]
        key = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        answers = self._answers  # an answer of the fleet before must not be kept for the one after
        answer = answers.get(key)
        if answer is None:
            kind, body = write(request.model, self._made(request, account, operation))
            answer = (200, kind, body)
            if len(answers) < _CACHED_ANSWERS and request.service != "sts":
                answers[key] = answer
        return answer

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
            if not operation.startswith(("list_", "describe_", "get_")):
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
        found = [one for one in self._content.tagged(where) if _passes(one, params)]
        start = int(params.get("PaginationToken") or 0)
        size = min(int(params.get("ResourcesPerPage") or 50), self._fleet.page_size)
        rows = [
            {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
            for arn, tags in found[start : start + size]
        ]
        end = start + size
        return {"ResourceTagMappingList": rows, "PaginationToken": str(end) if end < len(found) else ""}


def _passes(one: tuple[str, dict[str, str]], params: Mapping[str, Any]) -> bool:
    arn, tags = one
    wanted = params.get("ResourceTypeFilters") or []
    namespace = arn.split(":")[2]
    if wanted and not any(word.split(":")[0] == namespace for word in wanted):
        return False
    filters = params.get("TagFilters") or []
    return all(f["Key"] in tags and (not f.get("Values") or tags[f["Key"]] in f["Values"]) for f in filters)


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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


def _handler(fake: FakeAws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            path, _, query = self.path.partition("?")
            body, port = self.rfile.read(length), self.client_address[1]
            raw = Raw(self.command, path, query, self.headers, body, port)  # type: ignore[arg-type]
            status, kind, answer = fake.handle(raw)
            self.send_response_only(status)
            self.send_header("Date", formatdate(time.time() + fake.clock_ahead_s, usegmt=True))
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            self.wfile.flush()

        do_GET = do_POST = do_PUT = do_HEAD = _serve

        def log_message(self, *_: object) -> None:
            """Silent: the calls are counted instead."""

    return Handler


def serve(
    fleet: Fleet,
    *,
    port: int,
    latency_s: float,
    rules: list[str],
    catalog_dirs: tuple[Path, ...],
    announce: Callable[[str], object],
) -> None:
    """Serve until SIGINT or SIGTERM; the environment to use it is announced line by line."""
    import signal

    stop = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: stop.set())
    fake = FakeAws(fleet, tuple(parse_rule(text) for text in rules), latency_s, port, catalog_dirs=catalog_dirs)
    with fake:
        announce(f"export AWS_ENDPOINT_URL={fake.url}")
        announce(f"export AWS_ACCESS_KEY_ID=AKIA{DEFAULT_ACCOUNT} AWS_SECRET_ACCESS_KEY=fake")
        stop.wait()
