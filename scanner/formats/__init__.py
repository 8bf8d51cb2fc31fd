"""The formats of a report. A module in this folder that has NAMES is one; nothing else needs to know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from scanner.plugins import Menu

if TYPE_CHECKING:
    from scanner.store.snapshots import Snapshot

MENU = Menu("report format", "scanner.formats", ("NAMES", "SUFFIX", "FILE", "write"))


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
    return MENU.names()


def get(name: str) -> Format:
    """The format of this name. Raises ProfileError with the nearest match, or with who must mend a broken one."""
    return cast(Format, MENU.get(name))
