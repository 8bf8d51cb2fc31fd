"""What the fake AWS knows of accounts: an organization, roles and who may assume them, keys that run out, regions."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.model import OperationModel

from scanner.fakeaws.errors import FakeError
from scanner.fakeaws.faults import faults, worded

ROOT = "r-fake"
_FAR = "2099-01-01T00:00:00Z"
_NOT_FOUND = {"ParentId": "ParentNotFoundException", "ResourceId": "TargetNotFoundException"}


@dataclass(frozen=True, slots=True)
class Member:
    """An account of the organization; `unit` is the OU that it is in."""

    id: str
    name: str
    unit: str = ROOT
    state: str = "ACTIVE"
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Directory:
    """Accounts. `units`: OU -> (name, parent); `may_assume`: by AssumeRole's parameters and the caller's account.

    `key_uses`: how many requests the keys of AssumeRole are good for (None: any number); `key_life_s`: how long they
    are said to be.
    """

    members: tuple[Member, ...] = ()
    units: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    may_assume: Callable[[Mapping[str, Any], str], bool] = lambda _params, _account: True
    partition: str = "aws"
    key_uses: int | None = None
    key_life_s: float | None = None
    page_size: int = 20
    _issued: int = 0
    _used: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admit(self, access_key: str, model: OperationModel) -> None:
        """Count a request of these keys. Raises FakeError once they have run out."""
        if self.key_uses is None or not access_key.startswith("ASIA"):
            return
        with self._lock:
            self._used[access_key] += 1
            if self._used[access_key] <= self.key_uses:
                return
        said = worded(faults()["expired"], model, account="", action="")
        raise FakeError(said.status, said.code, said.message)

    def assume(self, params: Mapping[str, Any], caller: str) -> dict[str, Any]:
        """AssumeRole: the keys of a role, other ones at each call if they run out."""
        if not self.may_assume(params, caller):
            message = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {params['RoleArn']}"
            raise FakeError(403, "AccessDenied", message)
        _, partition, _, _, account, role = str(params["RoleArn"]).split(":", 5)
        arn = f"arn:{partition}:sts::{account}:assumed-role/{role.rsplit('/', 1)[-1]}/{params['RoleSessionName']}"
        with self._lock:
            self._issued += 1
        key = f"ASIA{account}" + (f"{self._issued:04d}" if self.key_uses or self.key_life_s else "")
        keys = {"AccessKeyId": key, "SecretAccessKey": "secret", "SessionToken": f"token-{account}"}
        expiry = _FAR if self.key_life_s is None else _in_seconds(self.key_life_s)
        return {
            "Credentials": {**keys, "Expiration": expiry},
            "AssumedRoleUser": {"Arn": arn, "AssumedRoleId": f"AROAFAKE:{params['RoleSessionName']}"},
        }

    def organization(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """A listing of Organizations, one page of it."""
        if not self.members:
            message = "Your account is not a member of an organization."
            raise FakeError(400, "AWSOrganizationsNotInUseException", message)
        name, rows = self._rows(operation, params)
        start, size = int(params.get("NextToken") or 0), min(int(params.get("MaxResults") or 20), self.page_size)
        end = start + size
        return {name: rows[start:end], **({"NextToken": str(end)} if end < len(rows) else {})}

    def _rows(self, operation: str, params: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        parent = str(params.get("ParentId") or "")
        if parent and parent not in {ROOT, *self.units}:
            raise FakeError(400, _NOT_FOUND["ParentId"], "You specified a parent that doesn't exist.")
        if operation == "list_roots":
            return "Roots", [{"Id": ROOT, "Name": "Root"}]
        if operation == "list_organizational_units_for_parent":
            below = [(unit, name) for unit, (name, above) in sorted(self.units.items()) if above == parent]
            return "OrganizationalUnits", [{"Id": unit, "Name": name} for unit, name in below]
        if operation == "list_tags_for_resource":
            return "Tags", self._tags(str(params["ResourceId"]))
        found = [one for one in self.members if not parent or one.unit == parent]
        return "Accounts", [{"Id": one.id, "Name": one.name, "State": one.state} for one in found]

    def _tags(self, account: str) -> list[dict[str, Any]]:
        found = next((one for one in self.members if one.id == account), None)
        if found is None:
            raise FakeError(400, _NOT_FOUND["ResourceId"], "We can't find a root, OU, account, or policy of this id.")
        return [{"Key": key, "Value": value} for key, value in found.tags.items()]


def region_page(statuses: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, Any]:
    """A page of account:ListRegions, from the statuses as ec2:DescribeRegions words them."""
    rows = [{"RegionName": name, "RegionOptStatus": _STATUSES[status]} for name, status in sorted(statuses.items())]
    start, size = int(params.get("NextToken") or 0), min(int(params.get("MaxResults") or 20), 15)
    more = {"NextToken": str(start + size)} if start + size < len(rows) else {}
    return {"Regions": rows[start : start + size], **more}


_STATUSES = {"opt-in-not-required": "ENABLED_BY_DEFAULT", "opted-in": "ENABLED", "not-opted-in": "DISABLED"}


def _in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds").replace("+00:00", "Z")
