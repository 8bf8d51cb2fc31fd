"""The cache: shards and answers young enough to reuse, in a private folder. What is doubtful is asked again."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import platformdirs

from scanner.errors import SnapshotError
from scanner.model import Shard, Unit
from scanner.store.cachefiles import sweep
from scanner.store.files import atomic_write, make_private_dir, place_copy, refuse_foreign
from scanner.store.shards import SHARD_FORMAT, cached, open_shard, read_head

_CLOCK_SLACK_S = 5.0


def default_cache_dir() -> Path:
    """The user's cache folder for aws-scanner. Raises SnapshotError for a user without a home."""
    try:
        return Path(platformdirs.user_cache_dir("aws-scanner"))
    except RuntimeError:  # a user that the system does not know, as containers have, and no HOME
        raise SnapshotError("no home folder is known: set HOME, XDG_CACHE_HOME or `cache.dir`") from None


def cache_folder(configured: Path | None) -> Path:
    """The private folder of cached answers, made. Raises SnapshotError where it cannot be made or trusted."""
    folder = units_folder(configured)
    refuse_foreign(folder.parent)
    return make_private_dir(folder)


def units_folder(configured: Path | None) -> Path:
    """Where the answers lie: in the configured cache folder, or in the user's."""
    return (configured.expanduser() if configured else default_cache_dir()) / "units"


def unit_key(unit: Unit, **circumstances: object) -> str:
    """The cache key of a unit: everything that can change its answer, and nothing else (not the session name)."""
    said = {
        "format": SHARD_FORMAT,
        "partition": unit.account.partition,
        "account": unit.account.id,
        "principal": principal(unit.account.arn),
        "region": unit.region,
        "scope_region": unit.scope_region,
        "collector": unit.collector,
        "service": unit.service,
        "types": unit.types,
        "only": unit.only,
        "tags": [[one.keys, one.values] for one in unit.tags],
        "enrich": unit.enrich,
        "account_name": unit.account.name,
        "named_region": unit.named_region,
        "filters": unit.filters,
        "endpoint": unit.endpoint,
        **circumstances,
    }
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def principal(arn: str) -> str:
    """A caller's ARN without the session name: arn:aws:sts::1:assumed-role/reader/x -> .../reader."""
    head, kind, rest = arn.partition(":assumed-role/")
    return head + kind + rest.split("/")[0] if kind else arn


class Cache:
    """Shards by key. Anything that is not plainly right is a warning (`warn`) and a miss, never an answer."""

    def __init__(self, folder: Path, ttl_s: float, warn: Callable[[str], None]) -> None:
        self._folder = folder
        self._ttl_s = ttl_s
        self._warn = warn
        self._keeps = True

    def get(self, key: str, into: Path) -> Shard | None:
        """The shard under this key, linked to `into`, or None."""
        path = self._folder / f"{key}.jsonl.zst"
        try:
            if not path.is_file() or not self._is_fresh(path, read_head(path).written_at):
                return None
            head, shard = open_shard(path)
            if head.key != key:
                raise SnapshotError(f"{path}: belongs to another unit")
            place_copy(path, into)
        except (SnapshotError, OSError) as error:
            if path.exists():  # else another scan has swept it
                self._warn(f"cache: {error}; asking AWS again")
            return None
        return replace(cached(shard), path=str(into))

    def put(self, key: str, shard: Shard) -> None:
        """Keep a complete shard; one with gaps is never kept."""
        if shard.path is None or not shard.complete or not self._keeps:
            return
        temporary = self._folder / f".{key}.{os.getpid()}.tmp"
        try:
            make_private_dir(self._folder)
            place_copy(Path(shard.path), temporary)
            temporary.replace(self._folder / f"{key}.jsonl.zst")
        except (SnapshotError, OSError) as error:
            self._give_up(error)
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _give_up(self, error: Exception) -> None:
        """Say once that nothing more is kept: hundreds of units would only say the same."""
        self._keeps = False
        reason = f"{self._folder}: {error.strerror}" if isinstance(error, OSError) else str(error)
        self._warn(f"cache: {reason}; nothing more of this scan is kept")

    def get_answer(self, key: str) -> Any | None:
        """A small JSON answer (region lists), or None."""
        path = self._folder / f"{key}.json"
        try:
            said = orjson.loads(path.read_bytes()) if path.is_file() else {}
            if said.get("key") == key and self._is_fresh(path, str(said.get("written_at"))):
                return said.get("answer")
        except (OSError, orjson.JSONDecodeError, AttributeError) as error:
            self._warn(f"cache: {path}: {error}; asking AWS again")
        return None

    def put_answer(self, key: str, answer: Any) -> None:
        """Keep a small JSON answer."""
        if not self._keeps:
            return
        try:
            make_private_dir(self._folder)
            with atomic_write(self._folder / f"{key}.json") as out:
                out.write(orjson.dumps({"key": key, "written_at": datetime.now(UTC).isoformat(), "answer": answer}))
        except (SnapshotError, OSError) as error:
            self._give_up(error)

    def sweep(self) -> None:
        """Remove what of ours is too old to be served, and temporary files of runs that were killed."""
        try:
            sweep(self._folder, max(self._ttl_s, 3600))
        except (SnapshotError, OSError) as error:
            self._warn(f"cache: {error}")

    def _is_fresh(self, path: Path, written_at: str) -> bool:
        if path.stat().st_uid != os.getuid():
            raise SnapshotError(f"{path}: belongs to another user")
        try:
            age_s = (datetime.now(UTC) - datetime.fromisoformat(written_at)).total_seconds()
        except (ValueError, TypeError):
            raise SnapshotError(f"{path}: has no date") from None
        if age_s < -_CLOCK_SLACK_S:
            raise SnapshotError(f"{path}: is dated in the future")
        return age_s <= self._ttl_s
