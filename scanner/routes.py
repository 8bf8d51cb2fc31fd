"""Where each unit is asked: AWS itself, or whom the scan profile, the environment or the AWS configuration names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from scanner.aws.addresses import Address, Addresses, shown
from scanner.aws.settings import DoorSettings
from scanner.catalog import Catalog
from scanner.errors import GapError
from scanner.model import Unit
from scanner.profile import Profile

Asked = tuple[str, str, Address | None]  # account, service, address
Told = list[dict[str, Any]]


def routed(
    units: Iterable[Unit], configurations: Mapping[str, str | None], door: DoorSettings
) -> tuple[tuple[Unit, ...], Told]:
    """The units with their endpoints, and for the manifest who is asked instead of AWS.

    `configurations`: of each account, the profile of the AWS configuration that it is signed in with.

    Decided once, here: workers must not decide anew by the environment and the files that they happen to see.
    """
    addresses = Addresses(door)
    asked: list[Asked] = [(one, "sts", addresses.of("sts", name)) for one, name in configurations.items()]
    found = []
    for unit in units:
        address = addresses.of(unit.service, configurations.get(unit.account.id))
        asked.append((unit.account.id, unit.service, address))
        found.append(replace(unit, endpoint=address.url if address else ""))
    return tuple(found), told(asked)


def planned_endpoints(profile: Profile, catalog: Catalog, door: DoorSettings) -> Told:
    """The same before anybody was asked, of the services that the profile selects; a broken configuration has none."""
    addresses = Addresses(door)
    asked: list[Asked] = []
    for at, spec in enumerate(profile.accounts):
        words = list(spec.services if spec.services is not None else profile.services)
        services = {"sts", *(kind.service for kind in catalog.select(words))}
        try:
            asked += [(str(at), one, addresses.of(one, spec.first_profile)) for one in sorted(services)]
        except GapError:
            continue  # told when the account is entered
    return told(asked)


def told(asked: Sequence[Asked]) -> Told:
    """Each endpoint that is not AWS's own: its URL and source, for which services and accounts ("*": all)."""
    accounts, services = {one for one, _, _ in asked}, {service for _, service, _ in asked}
    found: dict[tuple[str, str], list[Asked]] = {}
    for one in asked:
        if one[2]:
            found.setdefault((one[2].source, one[2].url), []).append(one)
    return [
        {
            "url": shown(url),
            "host": host(url),
            "source": source,
            "services": _all_or(services, {service for _, service, _ in some}),
            "accounts": _all_or(accounts, {account for account, _, _ in some}),
        }
        for (source, url), some in sorted(found.items())
    ]


def one_endpoint(endpoints: Told) -> str | None:
    """The URL that everything was asked at; None for AWS, and for several."""
    whole = [one for one in endpoints if one["services"] == one["accounts"] == ["*"]]
    return str(whole[0]["url"]) if len(endpoints) == 1 and whole else None


def manifest_of(endpoints: Told) -> dict[str, Any]:
    """What a manifest says of them."""
    return {"endpoint_url": one_endpoint(endpoints), "endpoints": endpoints}


def merged(several: Iterable[Told]) -> Told:
    """The endpoints of several scans of one plan, in any order. All services (or accounts) of each are all of it."""
    found: dict[tuple[str, str], Told] = {}
    for one in (one for endpoints in several for one in endpoints):
        found.setdefault((one["source"], one["url"]), []).append(one)
    return [
        {**some[0], **{what: _union(some, what) for what in ("services", "accounts")}}
        for _, some in sorted(found.items())
    ]


def _union(some: Told, what: str) -> list[str]:
    if any(one[what] == ["*"] for one in some):
        return ["*"]
    return sorted({name for one in some for name in one[what]})


def asked_at(manifest: Mapping[str, Any]) -> str:
    """Who was asked, in words."""
    urls = {one["url"] for one in manifest.get("endpoints") or []} or {manifest["endpoint_url"] or "AWS"}
    return ", ".join(sorted(urls))


def host(url: str) -> str:
    """An endpoint as reports say it: the port of a server on this machine changes, and with it would every report."""
    try:
        name = urlsplit(url).hostname or ""
        is_here = name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return shown(url)
    return f"this machine, {name}" if is_here else shown(url)


def _all_or(every: set[str], some: set[str]) -> list[str]:
    return ["*"] if some == every else sorted(some)
