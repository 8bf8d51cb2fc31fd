"""The one place where clients are made: models cut to the catalog, one attempt, read-only guard, fast timestamps."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping
from functools import cache, lru_cache
from itertools import chain
from typing import Any
from urllib.request import getproxies

import botocore.session
from botocore import configprovider, xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.handlers import BUILTIN_HANDLERS, REGISTER_FIRST, REGISTER_LAST
from botocore.hooks import HierarchicalEmitter

from scanner.aws.addresses import Addresses
from scanner.aws.connections import shorten
from scanner.aws.guard import guard
from scanner.aws.models import Models
from scanner.aws.operations import warm_up
from scanner.aws.parsers import Factory
from scanner.aws.settings import DoorSettings
from scanner.model import Keys

# What botocore's own credential providers call: profiles with a role, SSO, web identity, `aws login`.
_CHAIN = frozenset(
    {
        ("sts", "assume_role"),
        ("sts", "assume_role_with_web_identity"),
        ("sso", "get_role_credentials"),
        ("sso-oidc", "create_token"),
        ("signin", "create_oauth2_token"),
    }
)

CONFIGURATION = (
    "HOME", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_DATA_PATH",
)  # fmt: skip


class Clients:
    """Clients of one process by keys, region and service; `allowed` is the allow-list of (service, operation)."""

    def __init__(self, settings: DoorSettings, allowed: frozenset[tuple[str, str]]) -> None:
        self._settings = settings
        self._session = guarded_session(allowed)
        self._config = client_config(settings)
        self._addresses = Addresses(settings)
        self._routes: dict[str, str] = {}
        self._clients: dict[tuple[Keys, str, str], Any] = {}
        # Sessions may not create clients from several threads, only use them.
        self._lock = threading.Lock()

    def get(self, keys: Keys, region: str, service: str) -> Any:
        """The client, made on first use."""
        with self._lock:
            wanted = (keys, region, service)
            if wanted not in self._clients:
                self._clients[wanted] = self._make(keys, region, service)
            return self._clients[wanted]

    def route(self, endpoints: Mapping[str, str | None]) -> None:
        """Ask these services at these URLs from now on ("": AWS's own), whatever this process's environment says."""
        with self._lock:
            self._routes.update((service, url) for service, url in endpoints.items() if url is not None)

    def close(self) -> None:
        """Close the connections of all clients and forget them."""
        with self._lock:
            for client in self._clients.values():
                _close(client)
            self._clients.clear()

    def _make(self, keys: Keys, region: str, service: str) -> Any:
        make: Any = self._session.create_client
        client = make(
            service,
            region_name=region,
            endpoint_url=self._endpoint_url(keys, service),
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            config=self._config,
        )
        shorten(client._endpoint.http_session)
        return client

    def _endpoint_url(self, keys: Keys, service: str) -> str | None:
        if service in self._routes:
            return self._routes[service] or None
        address = self._addresses.of(service, keys.configuration)
        return address.url if address else None


def _close(client: Any) -> None:
    """Close a client and, at once, its connections.

    botocore leaves them to the garbage collector, and the traceback of a call that failed holds on to them until then:
    a worker that meets many denials would run out of file descriptors.
    """
    pools = client._endpoint.http_session._manager.pools
    for key in list(pools.keys()):  # it refuses to be iterated
        pools[key].close()
    client.close()


def client_config(settings: DoorSettings) -> Config:
    """botocore's own attempts are one: retries have one owner, `scanner.aws.calls`."""
    make: Any = Config  # its stubs do not know all options
    made: Config = make(
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=settings.connect_timeout_s,
        read_timeout=settings.read_timeout_s,
        max_pool_connections=settings.connections,
        user_agent_extra="aws-scanner",
        ignore_configured_endpoint_urls=True,  # decided by `addresses`, for each account
        # Where there is no proxy botocore need not look for one, twice through the environment for each client.
        proxies=None if getproxies() else {},
    )
    return made


def guarded_session(allowed: frozenset[tuple[str, str]]) -> botocore.session.Session:
    """The process's botocore session for an allow-list; it refuses every other operation before parameters are built.

    One session, and with it one set of models, for all clients: a session of its own costs 3.5 s for 40 clients. It is
    another one where the environment names another AWS configuration, which sessions read only once.
    """
    return _guarded_session(allowed, tuple(os.environ.get(name) for name in _variables()))


@lru_cache(maxsize=4)
def _guarded_session(allowed: frozenset[tuple[str, str]], _: tuple[str | None, ...]) -> botocore.session.Session:
    session = botocore.session.Session(event_hooks=Emitter(), include_builtin_handlers=False)
    if session.get_config_variable("profile") not in (None, *session.available_profiles):
        # It is told where credentials are looked for; where the profile names others, nobody needs it.
        nobody = {"profile": (None, None, None, None)}
        session = botocore.session.Session(nobody, Emitter(), include_builtin_handlers=False)
    _register_handlers(session, frozenset(method for _, method in allowed))
    session.set_config_variable("sts_regional_endpoints", "regional")
    session.register_component("data_loader", _models(allowed, os.environ.get("AWS_DATA_PATH"), os.environ.get("HOME")))
    session.register_component("response_parser_factory", Factory())
    guard(session, allowed)
    _settle(session)
    return session


@cache
def _variables() -> tuple[str, ...]:
    """The environment variables that botocore's configuration is made of."""
    said = (configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES, configprovider.DEFAULT_S3_CONFIG_VARS)
    names = (one[1] for variables in said for one in variables.values())
    several = ([name] if isinstance(name, str) else name or () for name in names)
    return tuple(sorted({*CONFIGURATION, *chain.from_iterable(several)}))


@lru_cache(maxsize=4)
def _models(allowed: frozenset[tuple[str, str]], *_: str | None) -> Models:
    """The models of an allow-list from these folders, whatever else the environment says."""
    return Models(allowed)


class Emitter(HierarchicalEmitter):
    """botocore's events without a look at each handler's signature, which takes a seventh of making a client."""

    def _verify_accept_kwargs(self, func: Any) -> None: ...


def _settle(session: botocore.session.Session) -> None:
    """Look up the configuration once, not for each client, and let clients have the events without their old names."""
    session.register_component("event_emitter", session.get_component("event_emitter")._emitter)
    store: Any = session.get_component("config_store")
    if store.get_config_variable("defaults_mode") != "legacy":
        return  # other modes put defaults of their own between what is said and what is not
    for name in configprovider.create_botocore_default_config_mapping(session):
        # What cannot be read is told by the account whose calls need it, as botocore words it.
        with contextlib.suppress(BotoCoreError, ValueError, TypeError):
            store.set_config_variable(name, store.get_config_variable(name))


def _register_handlers(session: botocore.session.Session, methods: frozenset[str]) -> None:
    """botocore's own handlers but for those of prose, of methods it adds to clients, and of operations not allowed.

    All are copied into each client, which takes a third of the time that it takes to make one.
    """
    events: Any = session.get_component("event_emitter")
    register = {REGISTER_FIRST: events.register_first, REGISTER_LAST: events.register_last}
    for event, handler, *when in BUILTIN_HANDLERS:
        kind, *place = event.split(".")
        of_other = len(place) == 2 and place[1] != "*" and xform_name(place[1]) not in methods
        if kind not in ("docs", "getattr", "creating-client-class") and not of_other:
            register.get(when[0] if when else None, events.register)(event, handler)


def chain_session(aws_profile: str | None, region: str | None = None) -> botocore.session.Session:
    """A session for botocore's own chain of credential providers, which may make the calls that it is made of only.

    `region`: where they ask if the AWS configuration names none; else it would be the global endpoint of STS, whose
    tokens opt-in regions refuse.
    """
    session = botocore.session.Session(event_hooks=Emitter(), profile=aws_profile)
    session.set_config_variable("sts_regional_endpoints", "regional")
    if region and not session.get_config_variable("region"):
        session.set_config_variable("region", region)
    session.register_component("data_loader", _chain_models())
    guard(session, _CHAIN)
    return session


@lru_cache(maxsize=1)
def _chain_models() -> Models:
    return Models(_CHAIN)


def preload(services: list[str], allowed: frozenset[tuple[str, str]]) -> None:
    """Load the models of these services once, before workers are forked from this process."""
    nobody = Keys("preload", "preload")
    clients = Clients(DoorSettings(), allowed)
    clients.route(dict.fromkeys(services, ""))  # nobody is asked: whatever the environment names need be no URL
    for service in services:
        client = clients.get(nobody, "us-east-1", service)
        for method in client.meta.method_to_api_mapping:
            warm_up(client, method)
    clients.close()
