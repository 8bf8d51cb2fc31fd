"""Keys while a job runs: renewed before they expire, and once AWS says that they have; refused ones told from good.

Workers sign in nowhere. They ask the process that did (`KeyDesk`), so that a role is assumed, or a device asked for its
code, in one place.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from multiprocessing import connection
from multiprocessing.context import AuthenticationError
from typing import Any

import orjson

from scanner.aws.accounts import WHO
from scanner.aws.calls import Lane
from scanner.aws.clients import Clients
from scanner.aws.regions import GLOBAL_HOMES
from scanner.aws.roles import is_near
from scanner.aws.settings import DoorSettings
from scanner.errors import GapError
from scanner.model import Desk, Job, Keys, Outcome

_WIRE_BYTES = 1 << 16
# A worker asks this long before its keys expire, and no oftener than that while it is given no younger ones.
_ASK_BEFORE_S, _ASK_EVERY_S = 300, 60
_VOUCHED_S = 60

KeysOf = Callable[[str, str], Keys]  # of an account, other than those with this access key; raises GapError


class KeyDesk:
    """Gives keys to the workers of this scan, in threads of its own. Use as a context manager."""

    def __init__(self, keys_of: KeysOf) -> None:
        self._keys_of = keys_of
        self._listener = connection.Listener(family="AF_UNIX", backlog=64)
        self.desk = Desk(str(self._listener.address), secrets.token_bytes(32))
        self._closing = False
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Desk:
        self._thread.start()
        return self.desk

    def __exit__(self, *_: object) -> None:
        self._closing = True
        connection.Client(self.desk.address).close()  # wakes it
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            caller = self._listener.accept()
            if self._closing:
                caller.close()
                return
            threading.Thread(target=self._answer, args=(caller,), daemon=True).start()

    def _answer(self, caller: Any) -> None:
        try:
            with caller:
                connection.deliver_challenge(caller, self.desk.word)
                connection.answer_challenge(caller, self.desk.word)
                account_id, stale = orjson.loads(caller.recv_bytes(_WIRE_BYTES))
                caller.send_bytes(orjson.dumps(self._said(account_id, stale)))
        except (OSError, EOFError, AuthenticationError, ValueError):
            return  # whoever it was is gone, or none of ours

    def _said(self, account_id: str, stale: str) -> dict[str, Any]:
        try:
            keys = self._keys_of(account_id, stale)
        except GapError as gap:
            return {"code": gap.code, "message": gap.message}
        return {name: getattr(keys, name) for name in Keys.__slots__}


def ask(desk: Desk, account_id: str, stale: str) -> Keys:
    """Other keys of an account than those with the access key `stale`. Raises GapError(credentials)."""
    try:
        with connection.Client(desk.address, authkey=desk.word) as line:
            line.send_bytes(orjson.dumps([account_id, stale]))
            said = orjson.loads(line.recv_bytes(_WIRE_BYTES))
    except (OSError, EOFError, AuthenticationError, ValueError) as error:
        message = f"new keys could not be had from the scan's own process: {type(error).__name__}"
        raise GapError(Outcome.CREDENTIALS, "NoNewKeys", message) from None
    if "code" in said:
        raise GapError(Outcome.CREDENTIALS, said["code"], said["message"])
    return Keys(**said)


class KeyRing:
    """The keys of a job, for all its lanes: one of them renews, and all go on with what it was given."""

    def __init__(self, job: Job, clients: Clients, settings: DoorSettings) -> None:
        self._job, self._clients, self._settings = job, clients, settings
        self._account = job.units[0].account
        self._keys = job.keys
        self._asked_at = -float(_ASK_EVERY_S)
        self._vouched: dict[str, tuple[float, bool]] = {}
        self._lock = threading.Lock()

    def hold(self, region: str, service: str) -> Hold:
        """What a lane to this service holds on to."""
        return Hold(self, region, service)

    def client(self, region: str, service: str) -> tuple[Keys, Any]:
        """The keys as they are now, renewed if it is time, and the client of a service with them."""
        if is_near(self._keys, _ASK_BEFORE_S):
            self._renew_early()
        keys = self._keys
        return keys, self._clients.get(keys, region, service)

    def renew(self, stale: Keys) -> None:
        """Get other keys than these, which AWS no longer takes. Raises GapError."""
        with self._lock:
            if self._keys == stale:
                self._keys = self._fresh(stale)

    def vouch(self, keys: Keys, told: Lane) -> bool:
        """Whether STS knows keys that a service in some region does not. `told` counts the call."""
        with self._lock:
            at, is_good = self._vouched.get(keys.access_key, (-float(_VOUCHED_S), False))
            if time.monotonic() - at < _VOUCHED_S:
                return is_good
            home = GLOBAL_HOMES.get(self._account.partition, self._job.units[0].region)
            sts = Lane(self._clients.get(keys, home, "sts"), self._settings)
            try:
                sts.once(WHO, {})
                is_good = True
            except GapError:
                is_good = False
            told.add(sts.stats)
            self._vouched[keys.access_key] = time.monotonic(), is_good
            return is_good

    def _renew_early(self) -> None:
        with self._lock:
            due = time.monotonic() - self._asked_at >= _ASK_EVERY_S
            if not due or not is_near(self._keys, _ASK_BEFORE_S):
                return
            self._asked_at = time.monotonic()
            try:
                self._keys = self._fresh(self._keys)
            except GapError:
                return  # they are still good; AWS will say when they are not

    def _fresh(self, stale: Keys) -> Keys:
        if self._job.desk is None:
            raise GapError(Outcome.CREDENTIALS, "ExpiredToken", "the keys have expired and cannot be renewed")
        return ask(self._job.desk, self._account.id, stale.access_key)


class Hold:
    """One lane's hold on the keys of its job."""

    def __init__(self, ring: KeyRing, region: str, service: str) -> None:
        self._ring, self._region, self._service = ring, region, service
        self._keys: dict[int, Keys] = {}  # of each client that was given out

    def client(self) -> Any:
        """The client to call with, its keys renewed if it is time."""
        keys, client = self._ring.client(self._region, self._service)
        self._keys[id(client)] = keys
        return client

    def renew(self, client: Any) -> None:
        """Get other keys than this client's. Raises GapError."""
        self._ring.renew(self._keys[id(client)])

    def vouch(self, client: Any, told: Lane) -> bool:
        """Whether STS knows this client's keys. `told` counts the call."""
        return self._ring.vouch(self._keys[id(client)], told)
