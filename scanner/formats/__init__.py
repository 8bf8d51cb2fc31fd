"""The formats of a report. A module in this folder that has NAMES is one; nothing else needs to know of it."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from scanner.errors import ProfileError

if TYPE_CHECKING:
    from scanner.store.snapshots import Snapshot


class Format(Protocol):
    """What a format module has. `FILE` is its report's name in a snapshot folder, `SUFFIX` that of any such file."""

    NAMES: tuple[str, ...]
    SUFFIX: str
    FILE: str

    def write(self, snapshot: Snapshot, out: BinaryIO, *, limit: int | None = None) -> None:
        """Write the report; `limit` is the most resources it may show (None: the format's own default)."""
        ...


def names() -> tuple[str, ...]:
    """Every accepted word, aliases too, sorted."""
    return tuple(sorted(_by_name()))


def get(name: str) -> Format:
    """The format of this name. Raises ProfileError with the nearest match."""
    known = _by_name()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(names())}"
    raise ProfileError([f'unknown report format "{name}"; {hint}'])


@cache
def _by_name() -> dict[str, Format]:
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    formats = [cast(Format, module) for module in modules if hasattr(module, "NAMES")]
    return {name: one for one in formats for name in one.NAMES}
