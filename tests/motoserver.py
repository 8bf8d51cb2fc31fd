"""A plain moto server that counts its requests: nothing of this project is in it. `python -m tests.motoserver`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from threading import Lock, Thread
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Counter:
    """A layer before moto. GET /_count says how many requests went through."""

    def __init__(self, app: App) -> None:
        self._app, self._count, self._lock = app, 0, Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/_count":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [str(self._count).encode()]
        with self._lock:
            self._count += 1
        return self._app(environ, start_response)


class Handler(MotoRequestHandler):
    """HTTP/1.1, so that clients keep their connections."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, *_: Any) -> None:
        """Silent."""


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    server = make_server(
        "127.0.0.1", 0, Counter(DomainDispatcherApplication(create_backend_app)), threaded=True, request_handler=Handler
    )
    Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
