"""Whether AWS can be reached at all: the endpoint of STS, the proxy before it, an answer, and its clock."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore import exceptions as aws
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from scanner.aws.clients import Clients
from scanner.aws.outcomes import one_line, without_userinfo
from scanner.aws.settings import DoorSettings
from scanner.errors import GapError
from scanner.model import Keys, Outcome

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Greeting:
    """An endpoint's answer to an unsigned request. `clock_ahead_s`: its clock against ours, None if it told none."""

    url: str
    proxy: str  # without user and password; "" where none is used
    clock_ahead_s: float | None


def sts_endpoint(settings: DoorSettings, region: str | None) -> str:
    """The address that STS is asked at, as botocore resolves it. Raises GapError where there is none."""
    nobody = Keys("nobody", "nobody")
    try:
        client = Clients(settings, frozenset()).get(nobody, region or "us-east-1", "sts")
    except (aws.BotoCoreError, ValueError) as error:
        raise GapError(Outcome.ERROR, type(error).__name__, without_userinfo(one_line(str(error)))) from None
    return str(client.meta.endpoint_url)


def greet(url: str, settings: DoorSettings) -> Greeting:
    """Ask an endpoint for anything, unsigned. Raises GapError with the step that failed: DNS, TCP, Proxy, TLS, HTTP."""
    proxies = get_environ_proxies(url)
    proxy = proxies.get(urlsplit(url).scheme, "")
    if not proxy:
        _connect(url, settings.connect_timeout_s)
    make: Any = URLLib3Session  # its stubs know neither a CA bundle nor a pair of timeouts
    timeout = (settings.connect_timeout_s, settings.read_timeout_s)
    try:
        session = make(verify=_ca_bundle() or True, proxies=proxies, timeout=timeout)
        answer = session.send(AWSRequest("GET", url).prepare())
        session.close()
    except (aws.BotoCoreError, OSError, ValueError) as error:
        raise GapError(Outcome.ERROR, _step(error), without_userinfo(one_line(str(error)))) from None
    return Greeting(without_userinfo(url), without_userinfo(proxy), _ahead_s(answer.headers.get("Date")))


def _connect(url: str, timeout_s: float) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise GapError(Outcome.ERROR, "DNS", f"{host} cannot be resolved: {error}") from None
    try:
        socket.create_connection((host, port), timeout_s).close()
    except OSError as error:
        raise GapError(Outcome.ERROR, "TCP", f"{host} port {port} cannot be connected to: {error}") from None


def _ca_bundle() -> str | None:
    try:
        found = botocore.session.Session().get_config_variable("ca_bundle")
    except (aws.BotoCoreError, OSError):  # an unreadable AWS configuration is told by the credentials' check
        found = os.environ.get("AWS_CA_BUNDLE")
    return str(found) if found else None


def _step(error: Exception) -> str:
    if isinstance(error, aws.ProxyConnectionError | aws.InvalidProxiesConfigError):
        return "Proxy"
    if isinstance(error, aws.SSLError | OSError):  # OSError: the CA bundle cannot be read
        return "TLS"
    return "HTTP"


def _ahead_s(date: str | None) -> float | None:
    if not date:
        return None
    try:
        told = parsedate_to_datetime(date)
    except ValueError:
        return None
    return (told.replace(tzinfo=told.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
