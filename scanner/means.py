"""What a scan works with: the door's patience, the cache, processes, folders."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from scanner import manifest as ledgers
from scanner.aws.addresses import environment
from scanner.aws.limits import Budgets, budgets
from scanner.aws.pace import sweep
from scanner.aws.settings import DoorSettings
from scanner.aws.traces import Wanted
from scanner.errors import SnapshotError
from scanner.executors.machine import Machine
from scanner.filters import digest
from scanner.profile import Execution, LoadedProfile
from scanner.store.cache import Cache, cache_folder, default_cache_dir
from scanner.store.files import check_own_folder, check_writable, make_private_dir, refuse_foreign
from scanner.store.journal import SHARDS
from scanner.store.locks import kept
from scanner.worker import WorkSpec

_RECKONED_MB = 150  # a worker as it mostly is
_CEILING_MB = 1024


def door_settings(loaded: LoadedProfile, warn: Callable[[str], None] | None = None) -> DoorSettings:
    """The profile's patience and pace, as the door to AWS takes them. With `warn`: budgets are shared with others."""
    retry = loaded.profile.retry
    return DoorSettings(
        endpoint_url=loaded.profile.endpoint_url,
        **{name: getattr(retry, name) for name in type(retry).model_fields},
        budgets=budgets_of(loaded),
        paces=_paces_folder(warn) if warn else "",
        connections=3 * loaded.profile.execution.service_workers,
    )


def budgets_of(loaded: LoadedProfile) -> Budgets:
    """What AWS documents, under the profile's `limits`."""
    limits = loaded.profile.limits
    said = {name: (one.rate_per_s, one.burst) for name, one in limits.services.items()}
    return budgets().under({"": (limits.rate_per_s, limits.burst), **said}, limits.share)


def _paces_folder(warn: Callable[[str], None]) -> str:
    """Where processes share their budgets; "" (with a warning) where they cannot, and each has its own."""
    try:
        folder = make_private_dir(default_cache_dir() / "paces")
        refuse_foreign(folder.parent)
        sweep(folder)
    except (SnapshotError, OSError) as error:
        warn(f"limits: {error}; each process keeps to the budgets by itself")
        return ""
    return str(folder)


def open_cache(loaded: LoadedProfile, warn: Callable[[str], None]) -> Cache | None:
    """The cache of the profile; None where it is switched off or (with a warning) where it cannot be kept."""
    settings = loaded.profile.cache
    # Secrets that were asked for stand in the reports; nobody thinks of a second place.
    if not settings.enabled or loaded.profile.include_sensitive:
        return None

    try:
        cache = Cache(cache_folder(settings.dir), settings.ttl_s, warn)
    except SnapshotError as error:
        warn(f"cache: {error}; scanning without it")
        return None
    cache.sweep()
    return cache


def slots_for(execution: Execution, jobs: int) -> int:
    """How many processes: bounded by the profile, by jobs, by two per core, and by memory.

    A worker is reckoned at 150 MB; at its ceiling where the profile names that and the memory of all.
    """
    each_mb, all_mb = _RECKONED_MB, execution.memory_limit_mb
    if all_mb and execution.worker_memory_mb:
        each_mb = execution.worker_memory_mb
    machine = Machine()
    by_memory = (all_mb or machine.free_mb // 2) // each_mb
    return max(1, min(execution.max_workers or 8, 2 * machine.cores, by_memory, jobs))


def worker_memory_mb(execution: Execution) -> int:
    """What one worker may take: what the profile says, never more than all may."""
    return min(execution.worker_memory_mb or _CEILING_MB, execution.memory_limit_mb or sys.maxsize)


def work_spec(loaded: LoadedProfile, door: DoorSettings, folder: Path, wanted: Wanted) -> WorkSpec:
    """What the workers of a scan into `folder` are told."""
    versions = ledgers.versions(loaded.catalog.version)
    parts = {name: versions[name] for name in ("aws-scanner", "catalog")}
    reveals = loaded.profile.include_sensitive
    parts["filter_code"] = digest(loaded.profile.chosen_filters)
    parts["redaction"] = "off" if reveals else "on"
    threads = loaded.profile.execution.service_workers
    folders = tuple(one.resolve() for one in loaded.profile.catalog_dirs)
    scratch = str(make_private_dir(folder / SHARDS))
    ceiling_mb = worker_memory_mb(loaded.profile.execution)
    fixed = tuple(sorted(parts.items()))
    return WorkSpec(door, scratch, threads, fixed, folders, wanted, environment(), reveals, ceiling_mb)


def check_reports_folder(loaded: LoadedProfile) -> None:
    """Raise SnapshotError where reports cannot be written, before anything is asked of AWS."""
    folder = reports_folder(loaded)
    with _blaming_reports_dir():
        check_writable(folder)
        if os.path.lexists(folder):
            check_own_folder(folder)


def reports_folder(loaded: LoadedProfile) -> Path:
    """The folder of a profile's snapshots."""
    return loaded.profile.reports.dir.expanduser() / loaded.profile.name


@contextmanager
def new_folder(loaded: LoadedProfile) -> Iterator[Path]:
    """A folder of its own for a scan, held while the block lasts. Raises SnapshotError."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    with _blaming_reports_dir():
        folder = make_private_dir(reports_folder(loaded) / f"{stamp}-{uuid4().hex[:8]}")
    with kept(folder):
        yield folder


@contextmanager
def _blaming_reports_dir() -> Iterator[None]:
    try:
        yield
    except SnapshotError as error:
        remedy = "name another folder: `reports.dir` in the profile, or --set reports.dir=FOLDER"
        raise SnapshotError(f"reports cannot be written: {error}; {remedy}") from None
