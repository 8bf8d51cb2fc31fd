"""Where the keys of an account come from: botocore's own chain, and roles, each assumed with the keys before it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from botocore import exceptions as aws
from botocore.credentials import Credentials

from scanner.aws.calls import Lane
from scanner.aws.outcomes import EXPIRED, verdict
from scanner.catalog.spec import Call
from scanner.errors import GapError
from scanner.model import Keys, Outcome, Role

ASSUME = Call("sts", "assume_role", "AssumeRole", iam=("sts:AssumeRole",))
# Keys with less than this left are no start for a job.
RENEW_BEFORE_S = 600

LaneOf = Callable[[Keys], Lane]  # STS, as these keys call it


@dataclass(frozen=True, slots=True)
class Session:
    """How the last role of a chain is assumed; None and empty: as STS has it."""

    name: str = "aws-scanner"
    tags: tuple[tuple[str, str], ...] = ()
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    duration_s: int | None = None


class KeySource(Protocol):
    """Where the keys of an account come from. `via`: botocore's word for the first of them ("env", "sso" ...)."""

    @property
    def configuration(self) -> str | None:
        """The profile of the AWS configuration that is signed in with, whose endpoints hold; None: the ambient one."""
        ...

    @property
    def via(self) -> str:
        """botocore's word for where the first keys came from."""
        ...

    def keys(self, stale: str | None = None) -> Keys:
        """Keys as they are now; others than those whose access key is `stale`. Raises GapError(credentials)."""
        ...


class ChainKeys:
    """The keys that botocore's own chain of providers gives; `log_in` goes through all of it anew."""

    def __init__(self, log_in: Callable[[], Credentials | None], configuration: str | None = None) -> None:
        self.configuration = configuration
        self._log_in = log_in
        self._credentials: Credentials | None = None
        self._lock = threading.Lock()

    @property
    def via(self) -> str:
        """botocore's word for where they came from."""
        return str(self._credentials.method) if self._credentials else ""

    def keys(self, stale: str | None = None) -> Keys:
        """The keys as they are now; botocore renews them itself, if it knows that they expire."""
        with self._lock:
            try:
                found = self._frozen() if self._credentials else None
                if found is None or found.access_key == stale:
                    self._credentials = self._log_in()
                    found = self._frozen()
            except (aws.BotoCoreError, aws.ClientError, ValueError, OSError) as error:
                told = verdict(error)
                raise GapError(Outcome.CREDENTIALS, told.code, told.message) from None
        if found.access_key == stale:
            message = "the credentials have expired, and where they come from there are no others yet"
            raise GapError(Outcome.CREDENTIALS, "ExpiredToken", message)
        return found

    def _frozen(self) -> Keys:
        if self._credentials is None:
            raise GapError(Outcome.CREDENTIALS, "NoCredentialsError", "no credentials were found")
        frozen = self._credentials.get_frozen_credentials()
        return Keys(str(frozen.access_key), str(frozen.secret_key), frozen.token, configuration=self.configuration)


class RoleKeys:
    """The keys of a role, which is assumed with the keys of another source; again before they expire."""

    def __init__(self, source: KeySource, role: Role, session: Session, lane_of: LaneOf) -> None:
        self.arn = ""  # of the session, once it is there
        self._source, self._lane_of = source, lane_of
        self._asked = _request(role, session)
        self._keys: Keys | None = None
        self._lock = threading.Lock()

    @property
    def via(self) -> str:
        """botocore's word for where the first keys came from."""
        return self._source.via

    @property
    def configuration(self) -> str | None:
        """The profile whose endpoints hold."""
        return self._source.configuration

    def keys(self, stale: str | None = None) -> Keys:
        """The keys as they are now. Raises GapError where the role cannot be assumed."""
        with self._lock:
            held = self._keys
            if held and held.access_key != stale and not is_near(held, RENEW_BEFORE_S):
                return held
            try:
                held = self._keys = self._assumed()
            except GapError:
                # Too early to give up: what is held may be good for minutes, and the next one who asks tries again.
                if held is None or held.access_key == stale or is_near(held, 0):
                    raise
            return held

    def _assumed(self) -> Keys:
        keys = self._source.keys()
        try:
            answer = self._lane_of(keys).once(ASSUME, self._asked)
        except GapError as gap:
            if gap.code not in EXPIRED:
                raise
            answer = self._lane_of(self._source.keys(keys.access_key)).once(ASSUME, self._asked)
        self.arn = str(answer["AssumedRoleUser"]["Arn"])
        return replace(_keys(answer["Credentials"]), configuration=self.configuration)


def is_near(keys: Keys, margin_s: float) -> bool:
    """Whether keys are known to expire within so many seconds."""
    return bool(keys.expires_at) and keys.expires_at - time.time() < margin_s


def _request(role: Role, session: Session) -> dict[str, Any]:
    asked: dict[str, Any] = {"RoleArn": role.arn, "RoleSessionName": session.name}
    said = {
        "ExternalId": role.external_id,
        "Tags": [{"Key": key, "Value": value} for key, value in session.tags],
        "Policy": session.policy,
        "PolicyArns": [{"arn": arn} for arn in session.policy_arns],
        "DurationSeconds": session.duration_s,
    }
    return asked | {name: value for name, value in said.items() if value}


def _keys(given: Mapping[str, Any]) -> Keys:
    said, expires_at = given.get("Expiration"), 0.0
    if said:
        expires_at = (said if isinstance(said, datetime) else datetime.fromisoformat(str(said))).timestamp()
    return Keys(str(given["AccessKeyId"]), str(given["SecretAccessKey"]), given.get("SessionToken"), expires_at)


def chained(source: KeySource, roles: tuple[Role, ...], session: Session, lane_of: LaneOf) -> RoleKeys:
    """The keys of the last of these roles, of which there is at least one; only there the session is as wanted."""
    *before, last = roles
    for role in before:
        source = RoleKeys(source, role, Session(session.name), lane_of)
    return RoleKeys(source, last, session, lane_of)


__all__ = ["ASSUME", "ChainKeys", "KeySource", "LaneOf", "RoleKeys", "Session", "chained", "is_near"]
