"""Going on with a scan that was killed, stopped, or left gaps: what is known of it is taken over, the rest asked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scanner.access import Access
from scanner.begin import shape_of
from scanner.errors import NoCredentialsError, ProfileError, SnapshotError
from scanner.model import Shard
from scanner.profile import Expectation, LoadedProfile
from scanner.share import Share
from scanner.store.files import place_copy
from scanner.store.journal import PLAN, SHARDS, Journal, Plan
from scanner.store.locks import is_busy
from scanner.store.shards import cached, open_shard
from scanner.store.snapshots import MANIFEST, load_snapshot, scan_folders

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Earlier:
    """A scan to go on with. `from_cache`: the units that have a shard, and whether it came from the cache."""

    folder: Path
    plan: Plan
    from_cache: dict[str, bool]

    @property
    def started_at(self) -> str:
        """When it began."""
        return str(self.plan.said["manifest"]["started_at"])

    @property
    def line(self) -> list[str]:
        """It and the scans that it went on with itself, by their names."""
        return [*self.plan.said["manifest"].get("resumed", []), self.folder.name]


def find_earlier(reports: Path, loaded: LoadedProfile, share: Share | None, warn: Warn) -> Earlier | None:
    """The newest scan of the profile and share, if something is open in it and it is not too old; else None, and why.

    Raises ProfileError where what is asked has changed since.
    """
    wanted = share and [share.number, share.of]
    nothing = f"nothing to resume: there is no earlier scan of {loaded.profile.name}"
    for folder in scan_folders(reports):
        try:
            found = _look_at(folder)
        except SnapshotError as error:
            warn(f"not resumed: {error}")
            continue
        if found is None or found[0] != wanted:
            continue
        if is_busy(folder):
            warn(f"not resumed: {folder} is being scanned or reported by another process")
        elif isinstance(found[1], str):
            nothing = f"nothing to resume: {folder} {found[1]}"
            break
        elif _age_s(found[1]) > (limit_s := loaded.profile.execution.resume_within_s):
            began = found[1].said["manifest"]["started_at"]
            nothing = f"not resumed: {folder} began at {began}, over {limit_s:,} s ago (execution.resume_within_s)"
            break
        else:
            _refuse_changes(folder, found[1], loaded)
            journal = Journal(folder)
            return Earlier(folder, found[1], journal.shards(found[1], warn))
    warn(f"{nothing}; scanning all of it")
    return None


def _look_at(folder: Path) -> tuple[list[int] | None, Plan | str] | None:
    """The share of a scan, and its plan or why it has nothing open; None for what is no scan."""
    if (folder / SHARDS / PLAN).is_file():
        plan = Journal(folder).plan()
        return _share_in(plan.said["manifest"]), plan
    try:
        said = load_snapshot(folder).manifest
    except SnapshotError:
        return None
    if said.get("sources"):
        return None
    open_ = said.get("totals", {}).get("gaps") or said.get("interrupted")
    return _share_in(said), "has gaps, but its shards are gone" if open_ else "is complete"


def _age_s(plan: Plan) -> float:
    """Since when the oldest answers may be known: a scan that itself went on with another has its beginning."""
    began = datetime.fromisoformat(str(plan.said["manifest"]["started_at"]))
    return (datetime.now(UTC) - began).total_seconds()


def _share_in(manifest: dict[str, Any]) -> list[int] | None:
    shard = manifest.get("shard")
    return [shard["number"], shard["of"]] if isinstance(shard, dict) else None


def _refuse_changes(folder: Path, plan: Plan, loaded: LoadedProfile) -> None:
    before, now = plan.said["shape"], shape_of(loaded)
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if changed:
        remedy = "give the options and the profile of then, or scan without --resume"
        kept = f"; what {folder} has found is reported by: aws-scanner report {folder}"
        raise ProfileError([f"{folder} cannot be resumed, for this has changed: {', '.join(changed)}; {remedy}{kept}"])


def refuse_lost_accounts(earlier: Earlier, access: Access) -> None:
    """Raise NoCredentialsError where an account answered then and does not now: nothing of it must be lost."""
    answered = {one["id"] for one in earlier.plan.said["manifest"]["accounts"] if one["outcome"] == "ok"}
    lost = sorted(str(one) for one in answered - {one.account.id for one in access.reached})
    if lost:
        reasons = [f"{one.name or one.id}: {one.message}" for one in access.lines if one.outcome != "ok"]
        said = f"{', '.join(lost)} answered then and cannot be used now: {' | '.join(reasons)}"
        raise NoCredentialsError(f"{earlier.folder} cannot be resumed now: {said}; renew the credentials and try again")


def take_over(earlier: Earlier, plan: Plan, journal: Journal, warn: Warn) -> Iterator[Shard]:
    """Bring over every shard that is still wanted, and yield those that leave nothing to ask."""
    before = {unit.name: unit for unit in earlier.plan.units}
    expectations = [Expectation.model_validate(one) for one in plan.said["expect"]]
    old = Journal(earlier.folder)
    for unit in plan.units:
        if unit.name not in earlier.from_cache or before[unit.name].key != unit.key:
            continue
        try:
            head, shard = open_shard(old.shard_path(unit.name))
            if head.key != unit.key:
                raise SnapshotError(f"{old.shard_path(unit.name)}: belongs to another unit")
            target = journal.shard_path(unit.name)
            place_copy(old.shard_path(unit.name), target)
        except (SnapshotError, OSError) as error:
            warn(f"{error}; asking AWS again")
            continue
        shard = replace(cached(shard) if earlier.from_cache[unit.name] else shard, path=str(target))
        journal.add(shard)
        if not any(cell.is_gap and not any(one.matches(cell) for one in expectations) for cell in shard.cells):
            yield shard


def drop(names: list[str], reports: Path) -> None:
    """Remove the unfinished scans that a finished one went on with."""
    for folder in scan_folders(reports):
        is_unfinished = (folder / SHARDS / PLAN).is_file() and not (folder / MANIFEST).exists()
        if folder.name in names and is_unfinished and not is_busy(folder):
            (folder / SHARDS / PLAN).unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
