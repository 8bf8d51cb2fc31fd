"""The demo server's own process: seeds moto, serves it on 127.0.0.1, and ends with whoever started it."""

from __future__ import annotations

import argparse
import functools
import gc
import json
import logging
import os
import signal
import sys
from threading import Thread
from typing import Any

from scanner.demo.gateway import Gateway


def main() -> None:
    """Seed, say where the server is (one line of JSON on stdout), and serve until stdin is closed or SIGTERM comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    port = parser.parse_args().port
    # Ctrl-C is for the scan in the same terminal; this process ends when the scan's process does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    _share_botocore_loader()
    # The collector would walk over the growing fleet again and again and find nothing: a fifth of the time.
    gc.disable()
    server = _make_server(port)
    key, secret = _seed()
    gc.freeze()
    gc.enable()
    ready = {"url": f"http://127.0.0.1:{server.server_port}", "access_key": key, "secret_key": secret}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    server.serve_forever()


def _seed() -> tuple[str, str]:
    from scanner.demo.clock import take_over_moto

    clock = take_over_moto()
    from scanner.demo.seeding import seed_fleet

    key = seed_fleet(clock)
    clock.let_go()
    return key


def _make_server(port: int) -> Any:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    class Handler(MotoRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body are two small writes; with Nagle's algorithm the second waits 40 ms for the client.
        disable_nagle_algorithm = True

    app = Gateway(DomainDispatcherApplication(create_backend_app))
    return make_server("127.0.0.1", port, app, threaded=True, request_handler=Handler)


def _share_botocore_loader() -> None:
    # moto makes a session to validate one ARN, and each session reads all of AWS's endpoints anew: 43 ms a time.
    import botocore.session

    botocore.session.create_loader = functools.cache(botocore.session.create_loader)


def _end_with_parent() -> None:
    # A pipe is closed however its other end goes, SIGKILL included.
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
