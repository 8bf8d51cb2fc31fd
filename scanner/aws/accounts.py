"""Who we are: the credentials of each account, proved by one STS call before anything else is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore import exceptions as aws
from botocore.credentials import Credentials, RefreshableCredentials

from scanner.aws.calls import Lane
from scanner.aws.clients import Clients, chain_session
from scanner.aws.outcomes import one_line, verdict
from scanner.aws.settings import DoorSettings
from scanner.catalog.spec import Call
from scanner.errors import GapError
from scanner.model import Account, Keys, Outcome

AllowList = frozenset[tuple[str, str]]

_WHO = Call("sts", "get_caller_identity", "GetCallerIdentity")
_ASSUME = Call("sts", "assume_role", "AssumeRole")


@dataclass(frozen=True, slots=True)
class Login:
    """How one account is reached: a profile of the AWS configuration, a role, or the ambient credentials (neither)."""

    account_id: str | None = None
    name: str | None = None
    aws_profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = field(default=None, repr=False)
    session_name: str = "aws-scanner"
    source_profile: str | None = None


class Identity:
    """A proved account and its keys; `keys()` are fresh at each call (role keys are renewed before they expire).

    `via` is botocore's word for where the first keys came from: "env", "sso", "shared-credentials-file" ...
    """

    def __init__(self, account: Account, credentials: Credentials, via: str = "") -> None:
        self.account = account
        self.via = via
        self._credentials = credentials

    def keys(self) -> Keys:
        """The keys as they are now. Raises GapError(credentials) where they cannot be renewed."""
        try:
            frozen = self._credentials.get_frozen_credentials()
        except (aws.BotoCoreError, aws.ClientError) as error:
            found = verdict(error)
            raise GapError(Outcome.CREDENTIALS, found.code, found.message) from None
        return Keys(str(frozen.access_key), str(frozen.secret_key), frozen.token)


def prove(login: Login, settings: DoorSettings, allowed: AllowList, sts_region: str | None = None) -> Identity:
    """Ask STS once who these credentials are. Raises GapError, whose message says what to do."""
    try:
        if login.role_arn:
            source = _source(login.source_profile)
            return _assume(login, settings, _sts(source, settings, allowed, sts_region), source)
        source = _source(login.aws_profile)
        return _ask(login, settings, _sts(source, settings, allowed, sts_region), source)
    except GapError as gap:
        raise _unusable(login, gap.code, gap.message) from None
    except (aws.BotoCoreError, aws.ClientError, ValueError) as error:
        found = verdict(error)
        raise _unusable(login, found.code, found.message) from None


def _ask(login: Login, settings: DoorSettings, sts: Any, source: Credentials) -> Identity:
    answer = Lane(sts, settings).once(_WHO, {})
    return Identity(_account(login, str(answer["Account"]), str(answer["Arn"])), source, str(source.method))


def _assume(login: Login, settings: DoorSettings, client: Any, source: Credentials) -> Identity:
    sts = Lane(client, settings)
    asked: dict[str, Any] = {"RoleArn": login.role_arn, "RoleSessionName": login.session_name}
    if login.external_id:
        asked["ExternalId"] = login.external_id
    answer = sts.once(_ASSUME, asked)
    arn = str(answer["AssumedRoleUser"]["Arn"])
    credentials = RefreshableCredentials.create_from_metadata(
        metadata=_metadata(answer["Credentials"]),
        refresh_using=lambda: _metadata(sts.once(_ASSUME, asked)["Credentials"]),
        method="assume-role",
    )
    return Identity(_account(login, arn.split(":")[4], arn), credentials, str(source.method))


def _metadata(given: Mapping[str, Any]) -> dict[str, Any]:
    expiry = given.get("Expiration") or (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return {
        "access_key": given["AccessKeyId"],
        "secret_key": given["SecretAccessKey"],
        "token": given["SessionToken"],
        "expiry_time": str(expiry),
    }


def _source(aws_profile: str | None) -> Credentials:
    credentials = chain_session(aws_profile).get_credentials()
    if credentials is None:
        raise GapError(Outcome.CREDENTIALS, "NoCredentialsError", "no credentials were found")
    return credentials


def _sts(credentials: Credentials, settings: DoorSettings, allowed: AllowList, sts_region: str | None) -> Any:
    frozen = credentials.get_frozen_credentials()
    keys = Keys(str(frozen.access_key), str(frozen.secret_key), frozen.token)
    return Clients(settings, allowed).get(keys, sts_region or "us-east-1", "sts")


def _account(login: Login, account_id: str, arn: str) -> Account:
    if not re.fullmatch(r"\d{12}", account_id):
        raise GapError(Outcome.CREDENTIALS, "BadIdentity", f"STS answered with no account id: {one_line(arn)}")
    if login.account_id and login.account_id != account_id:
        message = f"the credentials are of account {account_id}, the profile says {login.account_id}"
        raise GapError(Outcome.CREDENTIALS, "WrongAccount", message)
    return Account(account_id, arn.split(":")[1], arn, login.name)


_NETWORK = ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ProxyConnectionError", "SSLError")


def _unusable(login: Login, code: str, message: str) -> GapError:
    if code == "WrongAccount":
        return GapError(Outcome.CREDENTIALS, code, message)
    where = "use --profile, set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give the account an `aws_profile` or `role_arn`"
    if code in _NETWORK:
        where = "not the credentials but the way to AWS is the trouble: `aws-scanner doctor` looks into it"
    elif login.role_arn and code == "NoCredentialsError":
        where = "set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give the account a `source_profile` to assume its role from"
    elif login.role_arn:
        where = f"check the trust policy of {login.role_arn} and its external_id, and the source credentials"
    elif login.aws_profile:
        where = f"check `aws sts get-caller-identity --profile {login.aws_profile}`"
    return GapError(Outcome.CREDENTIALS, code, f"{message}; {where}")
