"""The pace of calls to one account, region and service: a token bucket that yields when AWS throttles (AIMD)."""

from __future__ import annotations

import threading
import time

_FLOOR_PER_S = 1.0
_TIRED_AFTER = 3


class Limiter:
    """Shared by all threads that call one account, region and service.

    A throttle takes 30 % off the rate, each success gives a little back, up to `rate_per_s` again.
    """

    def __init__(self, rate_per_s: float, burst: int) -> None:
        self._ceiling = self._rate = rate_per_s
        self._burst = self._tokens = float(burst)
        self._updated = time.monotonic()
        self._failures = 0
        self._lock = threading.Lock()

    def acquire(self) -> None:
        """Wait for a turn; turns are handed out in order, so waiting threads do not crowd."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._updated) * self._rate)
            self._updated = now
            self._tokens -= 1.0
            wait_s = -self._tokens / self._rate
        if wait_s > 0:
            time.sleep(wait_s)

    def succeeded(self) -> None:
        """A call was answered: speed up a little, and be patient again."""
        with self._lock:
            self._failures = 0
            self._rate = min(self._ceiling, self._rate + 0.02 * self._ceiling)

    def throttled(self) -> None:
        """AWS asked for less."""
        with self._lock:
            self._rate = max(_FLOOR_PER_S, self._rate * 0.7)
            self._tokens = min(self._tokens, 0.0)

    def gave_up(self) -> None:
        """A call failed after all its attempts."""
        with self._lock:
            self._failures += 1

    @property
    def is_tired(self) -> bool:
        """Whether several calls in a row used up all attempts: the next ones are asked once, so that a scan ends."""
        return self._failures >= _TIRED_AFTER
