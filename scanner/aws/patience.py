"""How patient one is with a service: after several calls in a row that gave up, the next ones are asked once."""

from __future__ import annotations

import threading

_TIRED_AFTER = 3
_UNREACHABLE = frozenset({"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError"})

_hosts: dict[str, int] = {}  # calls in a row, of the whole process, that could not reach a host


class Patience:
    """Counts the calls of one lane that used up all attempts, by operation and together, and a host's by address.

    A host that nobody can reach must not take a minute for each of two hundred accounts.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._failures: dict[str, int] = {}
        self._lock = threading.Lock()

    def is_tired(self, operation: str) -> bool:
        """Whether this operation, all of them, or the host failed so often that a scan would not end."""
        counts = (self._failures.get(operation, 0), self._failures.get("", 0), _hosts.get(self._host, 0))
        return max(counts) >= _TIRED_AFTER

    def gave_up(self, operation: str, code: str) -> None:
        """A call failed after all its attempts."""
        with self._lock:
            for name in ("", operation):
                self._failures[name] = self._failures.get(name, 0) + 1
            if code in _UNREACHABLE:
                _hosts[self._host] = _hosts.get(self._host, 0) + 1

    def succeeded(self, operation: str) -> None:
        """A call was answered: be patient again."""
        if self._failures or self._host in _hosts:
            self._failures.pop("", None)
            self._failures.pop(operation, None)
            _hosts.pop(self._host, None)
