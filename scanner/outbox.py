"""What a worker process says, on its way through its slot's one pipe: in order, shards always, notes in bounds."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from scanner.model import Beat, Note, Shard

_NOTES_MAX = 2_000

Said = Shard | Note | Beat | None


class Outbox:
    """Takes from any thread without waiting, and sends from a thread of its own.

    The parent may be slower than a flood of notes. Then the newest are dropped and counted, and the count is told
    where they are missing; shards are never dropped, and wait for no more than `notes_max` notes.
    """

    def __init__(self, send: Callable[[Said], None], notes_max: int = _NOTES_MAX) -> None:
        self._send, self._notes_max = send, notes_max
        self._waiting: deque[Said] = deque()
        self._notes = self._dropped = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._work, daemon=True).start()

    def put(self, said: Said) -> None:
        """Take something to be sent; None is the end of a job."""
        with self._changed:
            if isinstance(said, Note):
                if self._notes >= self._notes_max:
                    self._dropped += 1
                    return
                self._notes += 1
            if self._dropped and not isinstance(said, Beat):
                self._waiting.append(_missing(self._dropped))
                self._notes += 1
                self._dropped = 0
            self._waiting.append(said)
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                said = self._waiting.popleft()
                self._notes -= isinstance(said, Note)
            try:
                self._send(said)
            except OSError:
                return  # the parent is gone, and this process with it


def _missing(count: int) -> Note:
    message = f"{count:,} traces were dropped here: they came faster than they could be written"
    return Note("WARNING", message, fields=(("event", "dropped"), ("dropped", count)), at=time.time())
