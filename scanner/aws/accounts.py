"""Who we are: the credentials of each account, proved by one STS call before anything else is asked."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field

from botocore import exceptions as aws
from botocore.credentials import Credentials

from scanner.aws.calls import Lane
from scanner.aws.clients import Clients, chain_session
from scanner.aws.configuration import missing_profile
from scanner.aws.outcomes import UNKNOWN_KEYS, one_line, verdict
from scanner.aws.roles import ChainKeys, KeySource, LaneOf, Session, chained
from scanner.aws.settings import DoorSettings
from scanner.catalog.spec import Call
from scanner.errors import GapError
from scanner.model import Account, CallStats, Keys, Outcome, Role

AllowList = frozenset[tuple[str, str]]

WHO = Call("sts", "get_caller_identity", "GetCallerIdentity")


@dataclass(frozen=True, slots=True)
class Login:
    """How one account is reached: a profile of the AWS configuration, roles, or the ambient credentials (neither).

    `region`: where STS is asked; `home`: where it is asked once more if it does not know the keys there.
    """

    account_id: str | None = None
    name: str | None = None
    aws_profile: str | None = None
    roles: tuple[Role, ...] = ()
    session: Session = field(default_factory=Session)
    source_profile: str | None = None
    region: str = "us-east-1"
    home: str = "us-east-1"

    @property
    def first_profile(self) -> str | None:
        """The profile of the AWS configuration that is signed in with; None: the ambient credentials."""
        return self.source_profile if self.roles else self.aws_profile


@dataclass(frozen=True, slots=True)
class Identity:
    """A proved account and its keys.

    `via` is botocore's word for where the first keys came from: "env", "sso", "shared-credentials-file" ...
    """

    account: Account
    source: KeySource
    via: str = ""

    def keys(self, stale: str | None = None) -> Keys:
        """The keys as they are now; others than those whose access key is `stale`. Raises GapError(credentials)."""
        return self.source.keys(stale)


class Entrance:
    """The way into accounts, shared by all of a scan: each AWS profile signs in once, each set of keys has one lane
    to STS, so that hundreds of accounts share its pace and connections."""

    def __init__(self, settings: DoorSettings, allowed: AllowList) -> None:
        self._settings, self._allowed = settings, allowed
        self._made: Clients | None = None
        self._sources: dict[str | None, ChainKeys] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._lock = threading.Lock()

    @property
    def stats(self) -> list[CallStats]:
        """What STS was asked so far."""
        with self._lock:
            return [one for lane in self._lanes.values() for one in lane.stats]

    def enter(self, login: Login, source: KeySource | None = None) -> Identity:
        """Ask STS once who these credentials are. Raises GapError, whose message says what to do.

        `source`: whose keys assume the roles, instead of the login's own.
        """
        try:
            source = source or self._source(login)
            if login.roles:
                return self._assume(login, source)
            return self._ask(login, source)
        except GapError as gap:
            raise _unusable(login, gap.code, gap.message) from None
        except (aws.BotoCoreError, ValueError) as error:
            found = verdict(error)
            raise _unusable(login, found.code, found.message) from None

    def _ask(self, login: Login, source: KeySource) -> Identity:
        keys = source.keys()
        try:
            answer = self._lane_in(login.region)(keys).once(WHO, {})
        except GapError as gap:
            # A region that is switched off does not know good keys either: its partition's home tells which it is.
            if gap.code not in UNKNOWN_KEYS or login.region == login.home:
                raise
            answer = self._lane_in(login.home)(keys).once(WHO, {})
        return Identity(_account(login, str(answer["Account"]), str(answer["Arn"])), source, source.via)

    def _assume(self, login: Login, source: KeySource) -> Identity:
        found = chained(source, login.roles, login.session, self._lane_in(login.region))
        try:
            found.keys()
        except GapError as gap:
            if gap.code not in UNKNOWN_KEYS or login.region == login.home:
                raise
            found = chained(source, login.roles, login.session, self._lane_in(login.home))
            found.keys()
        return Identity(_account(login, found.arn.split(":")[4], found.arn), found, source.via)

    def _source(self, login: Login) -> ChainKeys:
        name = login.first_profile

        def log_in() -> Credentials | None:
            return chain_session(name, login.region).get_credentials()

        with self._lock:
            return self._sources.setdefault(name, ChainKeys(log_in, name))

    def _clients(self) -> Clients:
        # Not before it is needed: a broken AWS configuration is told as what keeps an account out.
        with self._lock:
            self._made = self._made or Clients(self._settings, self._allowed)
            return self._made

    def _lane_in(self, region: str) -> LaneOf:
        def lane_of(keys: Keys) -> Lane:
            client = self._clients().get(keys, region, "sts")
            with self._lock:
                return self._lanes.setdefault((keys.access_key, region), Lane(client, self._settings))

        return lane_of


def _account(login: Login, account_id: str, arn: str) -> Account:
    if not re.fullmatch(r"[0-9]{12}", account_id) or not re.match(r"arn:aws[a-z-]{0,40}:", arn):
        raise GapError(Outcome.CREDENTIALS, "BadIdentity", f"STS answered with no account id: {one_line(arn)}")
    if login.account_id and login.account_id != account_id:
        message = f"the credentials are of account {account_id}, the profile says {login.account_id}"
        raise GapError(Outcome.CREDENTIALS, "WrongAccount", message)
    return Account(account_id, arn.split(":")[1], arn, login.name)


_NETWORK = ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ProxyConnectionError", "SSLError")


def _unusable(login: Login, code: str, message: str) -> GapError:
    if code == "WrongAccount":
        return GapError(Outcome.CREDENTIALS, code, message)
    if code == "ProfileNotFound" and (missing := missing_profile(login.first_profile)):
        return GapError(Outcome.CREDENTIALS, code, missing)
    where = "use --profile, set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give the account an `aws_profile` or `role_arn`"
    if code in _NETWORK:
        where = "not the credentials but the way to AWS is the trouble: `aws-scanner doctor` looks into it"
    elif login.roles and code == "NoCredentialsError":
        where = "set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give the account a `source_profile` to assume its role from"
    elif login.roles:
        roles = " -> ".join(role.arn for role in login.roles)
        where = f"check the trust policy of {roles} and its external_id, and the source credentials"
    elif login.aws_profile:
        where = f"check `aws sts get-caller-identity --profile {login.aws_profile}`"
    elif code in UNKNOWN_KEYS:
        where += "; keys of another partition (aws-cn, aws-us-gov) need AWS_REGION to name a region of it"
    return GapError(Outcome.CREDENTIALS, code, f"{message}; {where}")
