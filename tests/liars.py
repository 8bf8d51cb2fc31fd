"""A server before a fake AWS that lies about chosen calls: what is on the wire is up to each lie."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any

from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.fakeaws.server import Answer, Asked, Raw
from tests.processes import PatientServer

Lie = Callable[[BaseHTTPRequestHandler, Answer, threading.Event], None]


class Liar:
    """Answers like the fake, but lies when one of `operations` (empty: any) is asked for page `first` or a later one.

    `calls` counts the requests of each operation. A lie that waits does so until the server stops.
    """

    def __init__(self, lie: Lie, operations: Iterable[str] = (), first: int = 1, rules: tuple[Rule, ...] = ()) -> None:
        self.calls: Counter[str] = Counter()
        self._lie, self._operations, self._first = lie, frozenset(operations), first
        self._fake = FakeAws(Fleet(items=5, page_size=3), rules, on_call=self._note)
        self._here = threading.local()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._server = PatientServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Liar:
        # The fake's own server stands by: its content is asked in this process.
        self._fake.start()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._fake.stop()

    def _note(self, asked: Asked) -> None:
        with self._lock:
            self.calls[asked.operation] += 1
        self._here.operation, self._here.number = asked.operation, self.calls[asked.operation]

    def answer(self, handler: BaseHTTPRequestHandler, raw: Raw) -> None:
        """Answer a request, truly or not."""
        self._here.operation, self._here.number = "", 0
        answer = self._fake.handle(raw)
        chosen = not self._operations or self._here.operation in self._operations
        if chosen and self._here.number >= self._first:
            self._lie(handler, answer, self._stopped)
        else:
            send(handler, answer)


def _handler(liar: Liar) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                liar.answer(self, Raw(self.command, path, query, self.headers, body))  # type: ignore[arg-type]
            except OSError:
                self.close_connection = True  # the scanner has hung up

        do_GET = do_POST = do_PUT = do_HEAD = _serve

        def log_message(self, *_: object) -> None: ...

    return Handler


def send(handler: BaseHTTPRequestHandler, answer: Answer, length: int | None = None) -> None:
    """The answer as it should be, but perhaps for its length."""
    handler.send_response_only(answer.status)
    for name, value in (("Content-Type", answer.kind), *answer.headers):
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(answer.body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(answer.body)
    handler.wfile.flush()


def saying(change: Callable[[bytes], bytes], kind: str = "") -> Lie:
    """A lie in the body."""

    def lie(handler: BaseHTTPRequestHandler, answer: Answer, _: threading.Event) -> None:
        send(handler, Answer(200, kind or answer.kind, change(answer.body)))

    return lie


def cut_short(handler: BaseHTTPRequestHandler, answer: Answer, _: threading.Event) -> None:
    """Ends before its Content-Length."""
    send(handler, answer, len(answer.body) + 500)
    handler.close_connection = True


def cut_chunk(handler: BaseHTTPRequestHandler, answer: Answer, _: threading.Event) -> None:
    """Ends in the middle of a chunk."""
    handler.send_response_only(200)
    handler.send_header("Content-Type", answer.kind)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"%x\r\n" % (len(answer.body) + 500) + answer.body)
    handler.close_connection = True


def reset(handler: BaseHTTPRequestHandler, _: Answer, __: threading.Event) -> None:
    """Resets the connection instead of an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def silent(handler: BaseHTTPRequestHandler, _: Answer, stopped: threading.Event) -> None:
    """Takes the call and says nothing."""
    stopped.wait(120)
    handler.close_connection = True


def dripping(head: bool, close: bool = False) -> Lie:
    """A byte of the headers, or of the body, every 20 ms."""

    def lie(handler: BaseHTTPRequestHandler, answer: Answer, stopped: threading.Event) -> None:
        handler.close_connection = True
        if not head:
            handler.send_response_only(200)
            handler.send_header("Content-Length", "1000000")
            handler.send_header("Connection", "close" if close else "keep-alive")
            handler.end_headers()
        begun = b"HTTP/1.1 200 OK\r\nX-Slow: " if head else answer.body[:20]
        for byte in begun + b"x" * 6000:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            if stopped.wait(0.02):
                return

    return lie


def outcomes(snapshot: Any, *operations: str) -> dict[str, tuple[str, int, str]]:
    """Outcome, resources and code of the cells of these calls."""
    ledger = snapshot.manifest["ledger"]
    return {one["call"]: (one["outcome"], one["resources"], one["code"]) for one in ledger if one["call"] in operations}
