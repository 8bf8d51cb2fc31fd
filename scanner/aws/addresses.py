"""At which address each service is asked: a scan profile's endpoint, else as the SDKs decide, and who says so."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from botocore.configprovider import ConfiguredEndpointProvider
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from scanner.aws.outcomes import one_line
from scanner.aws.settings import DoorSettings
from scanner.errors import GapError
from scanner.model import Outcome

_WAY = re.compile(
    r"HOME|AWS_(?:(?:DEFAULT_)?PROFILE|CONFIG_FILE|SHARED_CREDENTIALS_FILE|DATA_PATH|CA_BUNDLE|USE_\w+_ENDPOINT)"
    r"|AWS_(?:IGNORE_CONFIGURED_ENDPOINT_URLS|ENDPOINT_URL\w*)|REQUESTS_CA_BUNDLE|(?i:https?_proxy|no_proxy)"
)


@dataclass(frozen=True, slots=True)
class Address:
    """An endpoint that is not AWS's own choice. Its URL may hold a password; `source` is who named it."""

    url: str = field(repr=False)
    source: str


class Addresses:
    """The addresses under one door's settings. Each profile of the AWS configuration is read once."""

    def __init__(self, settings: DoorSettings) -> None:
        self._settings = settings
        self._sessions: dict[str | None, Session] = {}
        self._found: dict[tuple[str, str | None], Address | None] = {}

    def of(self, service: str, aws_profile: str | None) -> Address | None:
        """The address for a service, for whoever signs in by this profile (None: the ambient one); None is AWS's own.

        Raises GapError where the AWS configuration is broken.
        """
        if self._settings.endpoint_url:
            return Address(self._settings.endpoint_url, "endpoint_url of the scan profile")
        key = (service, aws_profile)
        try:
            if key not in self._found:  # a scan asks for thousands of units
                self._found[key] = self._configured(*key)
            return self._found[key]
        except (BotoCoreError, OSError) as error:
            raise GapError(Outcome.CREDENTIALS, type(error).__name__, one_line(str(error))) from None

    def _configured(self, service: str, aws_profile: str | None) -> Address | None:
        if aws_profile not in self._sessions:
            self._sessions[aws_profile] = _session(aws_profile)
        session = self._sessions[aws_profile]
        if session.get_config_variable("ignore_configured_endpoint_urls"):
            return None
        found = _Provider(session.full_config, session.get_scoped_config(), service)
        return found.address(str(session.profile or "default"))


class _Provider(ConfiguredEndpointProvider):
    """botocore's own order of places, which also tells the place."""

    def address(self, aws_profile: str) -> Address | None:
        provider: Any = self  # its stubs know `provide` only, which does not tell the place
        places = {
            "environment_service": provider._get_service_env_var_name(),
            "environment_global": "AWS_ENDPOINT_URL",
            "config_service": f"AWS configuration, services of profile {aws_profile}",
            "config_global": f"AWS configuration, profile {aws_profile}",
        }
        for place in provider._ENDPOINT_URL_LOOKUP_ORDER:
            url = getattr(self, f"_get_endpoint_url_{place}")()
            if url:
                return Address(str(url), places[place])
        return None


def _session(aws_profile: str | None) -> Session:
    session = Session(profile=aws_profile, include_builtin_handlers=False)
    if aws_profile is None and session.get_config_variable("profile") not in (None, *session.available_profiles):
        # It is told where credentials are looked for; where the scan profile names others, nobody needs it.
        return Session(session_vars={"profile": (None, None, None, None)}, include_builtin_handlers=False)
    return session


def environment() -> tuple[tuple[str, str], ...]:
    """What this process's environment says of the way to AWS, for workers: a fork server has that of its own start."""
    return tuple((name, value) for name, value in sorted(os.environ.items()) if _WAY.fullmatch(name))


def adopt(wanted: tuple[tuple[str, str], ...]) -> None:
    """Take over another process's; in that process itself nothing is changed."""
    said, there = dict(wanted), dict(environment())
    for name in there.keys() - said.keys():
        del os.environ[name]
    for name in said.keys() - {name for name, value in there.items() if said.get(name) == value}:
        os.environ[name] = said[name]


def shown(url: str) -> str:
    """A URL as it may be shown and kept: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:  # botocore will say that it is none
        return "***"
    userinfo, at, host = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{'***@' if at and userinfo else ''}{host}{parts.path.rstrip('/')}"
