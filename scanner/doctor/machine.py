"""What is checked without AWS: versions, catalog, environment, folders, and how many workers there may be."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from scanner.aws.configuration import missing_profile
from scanner.aws.outcomes import without_userinfo
from scanner.catalog import compiled_catalog, load_catalog
from scanner.doctor.checks import Check
from scanner.errors import CatalogError, SnapshotError
from scanner.executors.machine import Machine
from scanner.executors.starting import start_method
from scanner.means import slots_for, worker_memory_mb
from scanner.profile import LoadedProfile
from scanner.store.cache import units_folder
from scanner.store.cachefiles import look_into
from scanner.store.coverage import counted

_LOW_BYTES = 1 << 30
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
_MINIMUM = re.compile(r"(boto3|botocore)\s*>=\s*([\d.]+)")


def versions() -> Iterator[Check]:
    """Python, boto3 and botocore, against what the package asks for."""
    python = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info < (3, 11)
    yield Check("python", "fail" if old else "ok", python, "Python 3.11 or newer is needed" if old else "")
    matches = (_MINIMUM.match(one) for one in metadata.requires("aws-scanner") or [])
    minimums = {found[1]: found[2] for found in matches if found}
    for name in ("boto3", "botocore"):
        found, wanted = metadata.version(name), minimums.get(name, "0")
        old = _numbers(found) < _numbers(wanted)
        todo = f"{wanted} or newer is needed: run `make setup`"
        yield Check(name, "fail", found, todo) if old else Check(name, "ok", found)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:3]]


def aws_profiles(loaded: LoadedProfile) -> Iterator[Check]:
    """The profiles of the AWS configuration that the accounts sign in with and that are not there."""
    for name in dict.fromkeys(one.first_profile for one in loaded.profile.accounts):
        if missing := missing_profile(name):
            found, _, todo = missing.rpartition("; ")
            yield Check("aws profile", "fail", found, todo)


def catalog() -> list[Check]:
    """The catalog: whether it compiles, and whether it stays compiled."""
    was_compiled = compiled_catalog() is not None
    try:
        found = load_catalog()
    except CatalogError as error:
        return [Check("catalog", "fail", problem, "see `aws-scanner check`") for problem in error.problems]
    said = f"{len(found.types)} resource types, version {found.version}"
    if was_compiled:
        return [Check("catalog", "ok", f"{said}, compiled and current")]
    if compiled_catalog() is not None:
        return [Check("catalog", "ok", f"{said}, compiled just now")]
    todo = "it is compiled at every start: make the user's cache folder writable (XDG_CACHE_HOME or HOME)"
    return [Check("catalog", "warn", f"{said}, cannot be kept compiled", todo)]


def environment() -> Iterator[Check]:
    """Variables that lead calls elsewhere, and proxies, without their passwords."""
    for name in sorted(os.environ):
        if name.startswith("AWS_ENDPOINT_URL") and os.environ[name]:
            found = f"{name} is set: calls go to {without_userinfo(os.environ[name])} unless the profile says otherwise"
            yield Check("environment", "warn", found, f"unset {name} to reach AWS itself")
    proxies = [f"{name}={without_userinfo(os.environ[name])}" for name in _PROXIES if os.environ.get(name)]
    if proxies:
        yield Check("proxy", "ok", ", ".join(dict.fromkeys(proxies)))


def cache(loaded: LoadedProfile) -> Check:
    """The cache folder: whose it is, what is in it, how much room there is."""
    settings = loaded.profile.cache
    if not settings.enabled:
        return Check("cache", "ok", "switched off by cache.enabled")
    path = units_folder(settings.dir)
    try:
        content = look_into(path)
    except SnapshotError as error:
        return Check("cache", "fail", str(error), "set cache.dir to a folder of your own, or remove this one")
    checked = folder("cache", path)
    size_mb = sum(one.size_bytes for one in content.entries) / 1e6
    found = f"{checked.found}; {counted(len(content.entries), 'file')}, {size_mb:,.1f} MB"
    return Check("cache", checked.status, found, checked.todo)


def folder(name: str, path: Path) -> Check:
    """Whether a folder, or the first one above it that there is, can be written to, and how much room is there."""
    there = next(one for one in (path.absolute(), *path.absolute().parents) if os.path.exists(one))
    if not there.is_dir():
        return Check(name, "fail", f"{there}: is not a folder", f"set {name}.dir to another place")
    if not os.access(there, os.W_OK | os.X_OK):
        found = f"{there}: cannot be written to by user {os.geteuid()}"
        return Check(name, "fail", found, f"chown or chmod it, or set {name}.dir")
    free_bytes = shutil.disk_usage(there).free
    state = "" if there == path.absolute() else ", not there yet"
    found = f"{path}{state}: writable, owned by user {there.stat().st_uid}, {free_bytes / 1e9:,.1f} GB free"
    if free_bytes < _LOW_BYTES:
        return Check(name, "warn", found, f"less than 1 GiB is free: make room or set {name}.dir")
    return Check(name, "ok", found)


def workers(loaded: LoadedProfile) -> Check:
    """How worker processes are started, and how many there may be."""
    execution = loaded.profile.execution
    machine, slots = Machine(), slots_for(execution, 99)
    may = f"{slots} workers of {execution.service_workers} threads, up to {worker_memory_mb(execution):,} MB each"
    found = f"{start_method()}, {machine.cores} cores, {machine.free_mb:,} MB free: {may}"
    if execution.executor == "serial":
        return Check("workers", "ok", f"serial: no worker processes; {found}")
    if slots == 1 and (execution.max_workers or 2) > 1:
        todo = "one region is scanned at a time: free memory, or raise execution.memory_limit_mb"
        return Check("workers", "warn", found, todo)
    return Check("workers", "ok", found)
