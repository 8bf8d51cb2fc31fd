"""A stable part of a plan: --shard 3/10 is the third tenth of the units, whoever asks, wherever and whenever."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from scanner.errors import ProfileError

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Share:
    """Part `number` of `of`: the units whose names fall to it. Which others there are changes nothing."""

    number: int
    of: int

    def has(self, unit_name: str) -> bool:
        """Whether a unit belongs to this part."""
        digest = hashlib.sha256(unit_name.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, slots=True)
class Part:
    """How much of a profile's plan is scanned: a share of it, what an earlier scan left open, or (neither) all."""

    share: Share | None = None
    resume: bool = False


def share_of(text: str) -> Share:
    """ "3/10" as a Share. Raises ProfileError."""
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
    share = Share(int(found[1]), int(found[2])) if found else Share(0, 0)
    if not 1 <= share.number <= share.of <= _MOST:
        raise ProfileError([f"command line: --shard: {text!r} is not NUMBER/OF: 1/10 to 10/10, of {_MOST} at the most"])
    return share
