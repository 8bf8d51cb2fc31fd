"""Changes on disk, one file for each kind: a diff tells the unknown first, and holds none of them in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Any

import orjson

from scanner.diff.changes import Change, FieldChange, Kind, Reason, Subject
from scanner.errors import SnapshotError


class Spool:
    """Takes changes in any order and gives them back by kind. Close it in the end."""

    def __init__(self) -> None:
        self._files: dict[Kind, IO[bytes]] = {}

    def add(self, change: Change) -> None:
        """Keep one change. Raises SnapshotError where the disk refuses."""
        try:
            if change.kind not in self._files:
                self._files[change.kind] = tempfile.TemporaryFile(prefix="aws-scanner-diff-")  # noqa: SIM115 - close()
            self._files[change.kind].write(orjson.dumps(change, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            where = tempfile.gettempdir()
            raise SnapshotError(f"{where}: the changes cannot be kept there: {error.strerror}") from error

    def of(self, kind: Kind) -> Iterator[Change]:
        """The changes of one kind, in the order they came."""
        file = self._files.get(kind)
        if file is not None:
            file.seek(0)
            yield from (_change(orjson.loads(line)) for line in file)

    def close(self) -> None:
        """Forget everything."""
        for file in self._files.values():
            file.close()


def _change(said: dict[str, Any]) -> Change:
    return Change(
        Kind(said["kind"]),
        Subject(**said["subject"]),
        said["seen_in"],
        tuple(FieldChange(**one) for one in said["fields"]),
        said["more_fields"],
        tuple(Reason(**one) for one in said["reasons"]),
        said["note"],
    )
