"""The one place where boto3 clients are made: shared models, one attempt, read-only guard, fast timestamps."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

import boto3
import botocore.session
from botocore import xform_name
from botocore.config import Config

from scanner.aws.settings import DoorSettings
from scanner.aws.timestamps import iso_utc
from scanner.errors import ReadOnlyViolation
from scanner.model import Keys


class Clients:
    """boto3 clients of one process by keys, region and service; `allowed` is the allow-list of (service, operation)."""

    def __init__(self, settings: DoorSettings, allowed: frozenset[tuple[str, str]]) -> None:
        self._settings = settings
        self._session = boto3.Session(botocore_session=guarded_session(allowed))
        self._clients: dict[tuple[Keys, str, str], Any] = {}
        # boto3 sessions may not create clients from several threads, only use them.
        self._lock = threading.Lock()

    def get(self, keys: Keys, region: str, service: str) -> Any:
        """The client, made on first use."""
        with self._lock:
            wanted = (keys, region, service)
            if wanted not in self._clients:
                self._clients[wanted] = self._make(keys, region, service)
            return self._clients[wanted]

    def _make(self, keys: Keys, region: str, service: str) -> Any:
        make: Any = self._session.client
        return make(
            service,
            region_name=region,
            endpoint_url=self._settings.endpoint_url,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            config=client_config(self._settings),
        )


def client_config(settings: DoorSettings) -> Config:
    """botocore's own attempts are one: retries have one owner, `scanner.aws.calls`."""
    return Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=settings.connect_timeout_s,
        read_timeout=settings.read_timeout_s,
        max_pool_connections=settings.connections,
        user_agent_extra="aws-scanner",
    )


def guarded_session(allowed: frozenset[tuple[str, str]], aws_profile: str | None = None) -> botocore.session.Session:
    """A botocore session that refuses every operation outside `allowed` before its parameters are built."""
    session = botocore.session.Session(profile=aws_profile)
    session.register_component("data_loader", _loader())
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=iso_utc)

    def guard(**said: Any) -> None:
        model = said["model"]
        called = (model.service_model.service_name, xform_name(model.name))
        if called not in allowed:
            raise ReadOnlyViolation(f"{called[0]}:{called[1]} is not on the catalog's read-only allow-list")

    session.register("provide-client-params.*.*", guard)
    return session


@lru_cache(maxsize=1)
def _loader() -> Any:
    """One loader for all sessions of the process: a session of its own costs 3.5 s for 40 clients, sharing 0.3 s."""
    return botocore.session.Session().get_component("data_loader")


def preload(services: list[str]) -> None:
    """Load the models of these services once, before workers are forked from this process."""
    nobody = Keys("preload", "preload")
    clients = Clients(DoorSettings(), frozenset())
    for service in services:
        clients.get(nobody, "us-east-1", service)
