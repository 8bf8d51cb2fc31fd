"""The doctor: what a scan of a profile needs, checked one by one; what was found, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from scanner.aws.outcomes import without_userinfo
from scanner.catalog import load_catalog
from scanner.doctor import machine
from scanner.doctor.checks import Check
from scanner.doctor.network import credentials, network
from scanner.errors import CatalogError, ProfileError
from scanner.profile import LoadedProfile

_EXTERNAL_ID = re.compile(r"(external_id['\"]?\s*:\s*)[^\s,}]+")


def examine(load: Callable[[], LoadedProfile], *, offline: bool) -> Iterator[Check]:
    """Every check for the profile that `load` gives, as each is done; what goes wrong, there too, is a failed check."""
    yield from machine.versions()
    yield from (catalog := machine.catalog())
    if any(one.status == "fail" for one in catalog):
        return
    yield from machine.environment()
    try:
        loaded = load()
    except (ProfileError, CatalogError) as error:
        todo = "mend it; docs/profile.md has every key, `init` writes a new one"
        yield from (Check("profile", "fail", _harmless(problem), todo) for problem in error.problems)
        return
    yield _profile(loaded)
    yield machine.cache(loaded)
    yield machine.folder("reports", loaded.profile.reports.dir.expanduser())
    yield machine.workers(loaded)
    if offline:
        yield from machine.aws_profiles(loaded)
    else:
        yield from _aws(loaded)


def exit_code(checks: list[Check]) -> int:
    """0 where nothing failed, 2 for a bad profile, 4 where no account has usable credentials, else 3."""
    failed = {one.name for one in checks if one.status == "fail"}
    if not failed:
        return 0
    if "profile" in failed or "catalog" in failed:
        return 2
    accounts = [one.status for one in checks if one.name == "credentials"]
    # A wrong clock spoils every signature: that is not for want of credentials.
    return 4 if accounts and set(accounts) == {"fail"} and "clock" not in failed else 3


def _profile(loaded: LoadedProfile) -> Check:
    profile = loaded.profile
    where = str(loaded.path) if loaded.path else "none given: the ambient credentials, all enabled regions"
    accounts = f"{len(profile.accounts)} account{'s' if len(profile.accounts) > 1 else ''}"
    return Check("profile", "ok", f"{where}; {accounts}, regions {', '.join(profile.regions)}")


def _aws(loaded: LoadedProfile) -> Iterator[Check]:
    catalog = load_catalog()
    yield from (reached := list(network(loaded, catalog)))
    if {one.status for one in reached if one.name == "network"} == {"fail"}:
        yield from machine.aws_profiles(loaded)
        yield Check("credentials", "warn", "not checked: STS cannot be reached", "mend the network first")
    else:
        yield from credentials(loaded, catalog)


def _harmless(problem: str) -> str:
    """A profile's problem shows its line, and that may hold what is nobody's business."""
    return without_userinfo(_EXTERNAL_ID.sub(r"\1***", problem))


__all__ = ["Check", "examine", "exit_code"]
