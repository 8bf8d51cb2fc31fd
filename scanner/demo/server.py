"""The demo server, as its user holds it: start, use its URL, stop. moto runs in a child process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO

from scanner.demo.fleet import REGIONS
from scanner.errors import ScannerError

_ROOT = Path(__file__).parents[2]


class DemoServerError(ScannerError):
    """The demo's server could not be started; the message says why."""


class DemoServer:
    """A child process with a seeded moto behind an address on 127.0.0.1. It ends with the process that started it."""

    def __init__(self) -> None:
        self.url = ""
        self._keys: dict[str, str] = {}
        self._child: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, port: int = 0) -> DemoServer:
        """Start and seed a server (some seconds); DemoServerError if it does not come up."""
        server = cls()
        command = [sys.executable, "-W", "ignore", "-m", "scanner.demo.process", "--port", str(port)]
        with tempfile.TemporaryFile() as talk:
            server._child = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=talk, env=_child_environment()
            )
            with ExitStack() as unless_started:
                unless_started.callback(server.stop)
                server._read_address(talk)
                unless_started.pop_all()
        return server

    def _read_address(self, talk: IO[bytes]) -> None:
        assert self._child is not None
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            self._child.wait()
            raise DemoServerError(f"the demo server did not start (it needs aws-scanner[demo]): {_last_line(talk)}")
        ready = json.loads(line)
        self.url = ready["url"]
        self._keys = {"AWS_ACCESS_KEY_ID": ready["access_key"], "AWS_SECRET_ACCESS_KEY": ready["secret_key"]}

    @property
    def pid(self) -> int:
        """The child's process id."""
        assert self._child is not None
        return self._child.pid

    def environment(self) -> dict[str, str]:
        """The variables with which another process (the scan, a shell, the AWS CLI) uses this server and no other."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            **self._keys,
            "AWS_DEFAULT_REGION": REGIONS[0],
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def calls(self) -> dict[tuple[str, str], int]:
        """How many requests the server has had since it was ready, by boto3 client and API operation."""
        with urllib.request.urlopen(f"{self.url}/_demo/calls") as answer:  # noqa: S310
            counted: Mapping[str, int] = json.load(answer)
        return {(name.split()[0], name.split()[-1]): number for name, number in counted.items()}

    def stop(self) -> None:
        """End the child and wait until it is gone; harmless if it is gone already."""
        if self._child is None:
            return
        self._child.terminate()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                pipe.close()

    def __enter__(self) -> DemoServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_demo_server(port: int = 0) -> DemoServer:
    """Start a demo server; the same as `DemoServer.start`."""
    return DemoServer.start(port)


def _child_environment() -> dict[str, str]:
    """The user's environment without anything of AWS in it, so that the child can reach and tell nobody."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_", "BOTO"))}
    return kept | {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH")))),
        # moto keeps some things in sets; with the ids seeded too, two fleets are alike to the byte.
        "PYTHONHASHSEED": "0",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Without it moto invents 1,301 snapshots that belong to other accounts.
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    }


def _last_line(talk: IO[bytes]) -> str:
    talk.seek(0)
    lines = talk.read().decode(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it ended without a word")
