"""The fake AWS's HTTP side: a threaded server with keep-alive, and answers that come broken, slowly or not at all."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from scanner.fakeaws.wire import Raw
from scanner.fakeaws.wording import Answer

HOST = "127.0.0.1"
_POLL_MS = 50
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time at all


class Server(ThreadingHTTPServer):
    """A server on 127.0.0.1 that asks `handle` for each answer. What it holds back ends when it is closed."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, handle: Callable[[Raw], Answer], ahead_s: Callable[[], float]) -> None:
        self.handle, self.ahead_s = handle, ahead_s
        self.closing = threading.Event()
        super().__init__((HOST, port), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""

    def server_close(self) -> None:
        """Free the port and let go of what is held back."""
        self.closing.set()
        super().server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        path, _, query = self.path.partition("?")
        body, port = self.rfile.read(length), self.client_address[1]
        raw = Raw(self.command, path, query, self.headers, body, port)  # type: ignore[arg-type]
        answer = Answer(*self.server.handle(raw))
        if answer.manner == "hang":
            self._hold()
            return
        self._send_head(answer)
        if not answer.manner:
            self.wfile.write(answer.body)
            self.wfile.flush()
        elif answer.manner == "slow":
            self._drip(answer)
        else:
            self._break_off(answer)

    def _send_head(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        named = {name for name, _ in answer.headers}
        if "Date" not in named:
            self.send_header("Date", formatdate(time.time() + self.server.ahead_s(), usegmt=True))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()

    def _drip(self, answer: Answer) -> None:
        for at in range(len(answer.body)):
            self.wfile.write(answer.body[at : at + 1])
            self.wfile.flush()
            if self.server.closing.wait(answer.delay_s):
                break
        self.close_connection = True

    def _hold(self) -> None:
        """Say nothing until the client goes or the server is closed."""
        self.close_connection = True
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        while not self.server.closing.is_set():
            if poll.poll(_POLL_MS) and not self.connection.recv(1, socket.MSG_PEEK):
                return

    def _break_off(self, answer: Answer) -> None:
        self.close_connection = True
        self.wfile.write(answer.body[: len(answer.body) // 2])
        self.wfile.flush()
        if answer.manner == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # The socket is closed when nothing reads or writes it any more; shutting it down first would say goodbye.
        with contextlib.suppress(OSError):
            self.rfile.close()
            self.wfile.close()
            self.connection.close()

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = _serve

    def log_message(self, *_: object) -> None:
        """Silent: the calls are counted instead."""
