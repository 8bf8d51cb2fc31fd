"""Ends what takes too long: a server that sends a byte a second, or nothing after it took the call, hangs nobody up.

Timeouts of sockets hold for each read. Here one thread per process looks after all calls under way, and shuts down the
connection of one that is overdue: whoever reads from it, headers, body or TLS, wakes up at once.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
from typing import Any

_AGAIN_S = 0.25  # an overdue call that was not connected yet is looked at again


class Deadline:
    """Watches the request that this thread makes inside the block; `due` in monotonic seconds.

    `is_over`: it was not done when it was due, and whatever it brought is not to be trusted.
    """

    __slots__ = ("_dog", "due", "is_over", "sockets")

    def __init__(self, due: float) -> None:
        self.due, self.is_over = due, False
        self.sockets: list[Any] = []
        self._dog = _dogs[0]

    def __enter__(self) -> Deadline:
        _here.deadline = self
        self._dog.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._dog.remove(self)
        _here.deadline = None

    def note(self, connection: Any) -> None:
        """Remember a socket that the request uses."""
        self.sockets.append(connection)
        if self.is_over:
            self.end()

    def end(self) -> None:
        """Shut down the connection."""
        self.is_over = True
        for one in tuple(self.sockets):
            # Not TLS's own shutdown, which changes what the reading thread works with.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)


class _Watchdog:
    """All deadlines of a process, and the thread that ends those overdue."""

    def __init__(self) -> None:
        self._open: set[Deadline] = set()
        self._changed = threading.Condition()
        self._looks_at = 0.0
        self._thread: threading.Thread | None = None

    def add(self, one: Deadline) -> None:
        self._open.add(one)
        # Mostly it looks sooner anyway: deadlines come in the order of their calls.
        if self._thread is None or one.due < self._looks_at:
            self._wake(one.due)

    def remove(self, one: Deadline) -> None:
        self._open.discard(one)

    def _wake(self, due: float) -> None:
        with self._changed:
            self._looks_at = min(self._looks_at, due) if self._thread else due
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                if now >= self._looks_at:
                    # First this: a deadline that is set meanwhile must find that we look too late for it.
                    self._looks_at = math.inf
                    left = self._open.copy()
                    for one in left:
                        if one.due <= now:
                            one.end()
                    soonest = min((max(one.due, now + _AGAIN_S) for one in left), default=math.inf)
                    self._looks_at = min(self._looks_at, soonest)
                left_s = self._looks_at - now
                self._changed.wait(left_s if left_s < threading.TIMEOUT_MAX else None)


_here = threading.local()
_dogs = [_Watchdog()]


def _note(connection: Any) -> None:
    deadline: Deadline | None = getattr(_here, "deadline", None)
    if deadline is not None and connection is not None:
        deadline.note(connection)


class Watched:
    """A connection that tells the watch of its thread which socket it uses."""

    sock: Any

    def request(self, *args: Any, **kwargs: Any) -> Any:
        # One that is kept alive has its socket before, a new one after it has sent something.
        _note(self.sock)
        before = self.sock
        answer = super().request(*args, **kwargs)  # type: ignore[misc]
        if self.sock is not before:
            _note(self.sock)
        return answer


class WatchedTls(Watched):
    """The same of a connection that must agree upon TLS first."""

    _copies: list[Any]

    def connect(self) -> None:
        """Connect; until TLS is agreed upon, a copy of the socket stands for what TLS makes of it."""
        copies: list[Any] = []
        self._copies = copies
        try:
            super().connect()  # type: ignore[misc]
        finally:
            deadline: Deadline | None = getattr(_here, "deadline", None)
            for copy in copies:
                if deadline is not None and copy in deadline.sockets:
                    deadline.sockets.remove(copy)
                copy.close()

    def _new_conn(self) -> Any:
        made = super()._new_conn()  # type: ignore[misc]
        copy = made.dup()
        self._copies.append(copy)
        _note(copy)
        return made


def _forget() -> None:
    """A child has none of its parent's threads."""
    _dogs[0] = _Watchdog()


os.register_at_fork(after_in_child=_forget)
