"""`aws-scanner fake-aws`: serve until a signal comes, announce the environment first, tell the counts last."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from scanner.fakeaws.server import DEFAULT_ACCOUNT, FakeAws

Say = Callable[[str], object]


def serve(fake: FakeAws, announce: Say, farewell: Say) -> None:
    """Serve until SIGINT or SIGTERM; both are told line by line."""
    stop = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: stop.set())
    with fake:
        announce(f"export AWS_ENDPOINT_URL={fake.url}")
        announce(f"export AWS_ACCESS_KEY_ID=AKIA{DEFAULT_ACCOUNT} AWS_SECRET_ACCESS_KEY=fake")
        stop.wait()
    for line in fake.counts.lines():
        farewell(line)
