"""What is derived from installed data and slow to derive, as JSON in the user's cache. Never needed, only faster."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

import orjson
import platformdirs


def load(name: str) -> Any:
    """A value kept under a name that changes with everything it is derived from; None where there is none of ours."""
    try:
        path = _path(name)
        if path.stat().st_uid != os.getuid():
            return None
        return orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def keep(name: str, value: Any) -> None:
    """Keep a value; a machine whose home cannot be written to derives it each time."""
    temporary = ""
    try:
        path = _path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{name}.", suffix=".tmp")
        with os.fdopen(descriptor, "wb") as out:
            out.write(orjson.dumps(value))
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _path(name: str) -> Path:
    """Where a value is kept. Raises OSError for a user without a home."""
    try:
        return Path(platformdirs.user_cache_dir("aws-scanner")) / f"{name}.json"
    except RuntimeError as error:
        raise OSError(str(error)) from None
