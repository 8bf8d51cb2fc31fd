"""What is checked by asking AWS: the way to STS, the clock, and the credentials of each account."""

from __future__ import annotations

from collections.abc import Iterator

from scanner.aws.endpoints import greet, sts_endpoint
from scanner.candidates import sts_regions
from scanner.catalog import Catalog
from scanner.doctor.checks import Check
from scanner.errors import GapError
from scanner.means import door_settings
from scanner.profile import LoadedProfile
from scanner.whoami import Standing, whoami

# AWS refuses signatures that are older or newer than this.
SKEW_LIMIT_S = 300
_SKEW_WARN_S = 60


def network(loaded: LoadedProfile, catalog: Catalog) -> Iterator[Check]:
    """Whether STS answers, by name, connection, proxy and TLS, and what its clock says."""
    door = door_settings(loaded)
    regions = dict.fromkeys(sts_regions(spec, loaded.profile, catalog)[0] for spec in loaded.profile.accounts)
    try:
        urls = dict.fromkeys(sts_endpoint(door, region) for region in regions)
    except GapError as gap:
        yield Check("environment", "fail", f"{gap.code}: {gap.message}", "check AWS_PROFILE and AWS_CONFIG_FILE")
        return
    clock: Check | None = None
    for url in urls:
        try:
            greeting = greet(url, door)
        except GapError as gap:
            yield Check("network", "fail", f"{gap.code}: {gap.message}", _REMEDIES[gap.code])
            continue
        through = f" through {greeting.proxy}" if greeting.proxy else ""
        yield Check("network", "ok", f"{greeting.url} answers{through}")
        clock = clock or _clock(greeting.clock_ahead_s)
    yield clock or Check("clock", "warn", "no answer told the time", "compare the clock by hand: `date -u`")


_REMEDIES = {
    "DNS": "check the name server (/etc/resolv.conf), the endpoint's name, or set HTTPS_PROXY",
    "TCP": "check the firewall, the security group of a VPC endpoint, or set HTTPS_PROXY",
    "Proxy": "check HTTPS_PROXY and the proxy itself; NO_PROXY names hosts that need none",
    "TLS": "check the clock, AWS_CA_BUNDLE, and whether a proxy opens TLS",
    "HTTP": "check what answers there; a proxy or captive portal may",
}


def _clock(ahead_s: float | None) -> Check | None:
    if ahead_s is None:
        return None
    off_s = abs(ahead_s)
    said = f"{off_s:.0f} s {'behind' if ahead_s > 0 else 'ahead of'} AWS"
    todo = "set the clock (`timedatectl set-ntp true`)"
    if off_s > SKEW_LIMIT_S:
        return Check("clock", "fail", f"{said}: AWS refuses such signatures (SignatureDoesNotMatch)", todo)
    if off_s > _SKEW_WARN_S:
        return Check("clock", "warn", f"{said}; more than {SKEW_LIMIT_S} s are refused", todo)
    return Check("clock", "ok", "within a minute of AWS")


def credentials(loaded: LoadedProfile, catalog: Catalog) -> Iterator[Check]:
    """Who we are in each account, and whether it tells its regions."""
    for one in whoami(loaded.profile, door_settings(loaded), catalog):
        yield from _account(one)


def _account(one: Standing) -> Iterator[Check]:
    who = (one.account_id or "unknown account") + (f" ({one.name})" if one.name else "")
    way = " -> ".join(one.way)
    if one.is_left_out:
        yield Check("credentials", "ok", f"{who}: left out: {one.message}")
        return
    if not one.usable:
        what, _, todo = one.message.partition("; ")
        found = f"{who} by {way}: {one.code}: {what}"
        yield Check("credentials", "fail", found, todo or "mend the account's `id` or its credentials in the profile")
        return
    yield Check("credentials", "ok", f"{who} by {way}: {one.arn}")
    if not one.regions_known:
        refused = one.asked[0]
        found = f"{who}: {', '.join(refused.actions)}: {refused.code}: all {len(one.statuses)} known regions are tried"
        yield Check(
            "regions",
            "warn",
            found,
            "allow account:ListRegions or ec2:DescribeRegions, or name the regions in the profile",
        )
    else:
        yield Check("regions", "ok", f"{who}: {len(one.enabled)} enabled, {len(one.regions)} scanned")
