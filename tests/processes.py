"""Processes as tests look at them: who is there, whose a connection is, whether all of a session have ended."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

_PATIENCE_S = 60.0  # a machine may be busy; what is over ends the wait at once
_LISTENING = "0A"  # of /proc/net/tcp


class PatientServer(ThreadingHTTPServer):
    """A server that loses no connection while its machine is busy: of more than a few, Python's own would."""

    request_queue_size = 256


def session(leader: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == leader and _is_alive(entry):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def is_over(leader: int) -> bool:
    """Whether all processes of a session end by themselves: the last of them hear of the end through closed pipes."""
    return _comes_true(lambda: not session(leader))


def is_gone(pid: int) -> bool:
    """Whether a process ends by itself; one that ended and that nobody has asked about yet is still listed."""
    return _comes_true(lambda: not _is_alive(Path(f"/proc/{pid}")))


def _comes_true(found: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while not found():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_alive(entry: Path) -> bool:
    try:
        return (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def owner_of(port: int) -> int:
    """The process that holds the other end of a connection to a server of this process.

    Another process may have the same local port, in a connection to another server: that one must live.
    """
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    own = {_target(link) for link in Path("/proc/self/fd").iterdir()}
    servers = {fields[1] for fields in lines if fields[3] == _LISTENING and f"socket:[{fields[9]}]" in own}
    held = [fields for fields in lines if fields[1].endswith(f":{port:04X}") and fields[2] in servers]
    sockets = {f"socket:[{fields[9]}]" for fields in held}
    return next(int(link.parts[2]) for link in _descriptors() if _target(link) in sockets)


def _descriptors() -> Iterator[Path]:
    """Every open file of every process; some end meanwhile."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                yield from (Path(f"/proc/{entry}/fd/{number}") for number in os.listdir(f"/proc/{entry}/fd"))


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""
