"""What a machine, or the container around this process, has to give: cores and memory, and whom it killed for want."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_UNLIMITED = 1 << 60  # control groups of the first kind say "no limit" by an absurd number


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine as the kernel tells of it under `root` (/proc and /sys), limits of control groups included.

    A container's own /proc tells of the whole machine: only its control group knows what it may use.
    """

    root: Path = Path("/")

    @property
    def cores(self) -> int:
        """Cores that this process may use: by affinity, and by the quota of its control group."""
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, min([allowed, *(math.ceil(quota) for quota in self._quotas())]))

    @property
    def free_mb(self) -> int:
        """Memory that can still be had without swapping, by the machine and by each control group above us."""
        return min([self._available(), *self._headroom()]) >> 20

    @property
    def out_of_memory_kills(self) -> int:
        """How many processes of our control group the kernel has killed for want of memory."""
        own = [*self._groups("memory")][:1]
        texts = [_text(group / name) for group in own for name in ("memory.events", "memory.oom_control")]
        return sum(_field(text, "oom_kill") or 0 for text in texts)

    def memory_mb(self, pid: int) -> int | None:
        """What a process holds for itself, in MB, pages shared with its siblings since their fork included.

        None where nobody tells: it is gone, or this is no Linux.
        """
        fields = _text(self.root / f"proc/{pid}/statm").split()
        # Resident pages without those of files: libraries are there once for all.
        return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE") >> 20 if len(fields) > 2 else None

    def _available(self) -> int:
        known = _field(_text(self.root / "proc/meminfo"), "MemAvailable:")
        if known is not None:
            return known << 10
        with contextlib.suppress(ValueError, OSError):
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2

    def _headroom(self) -> Iterator[int]:
        names = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
        for group in self._groups("memory"):
            for limit, used in names:
                most, now = _number(group / limit), _number(group / used)
                if most is not None and now is not None and most < _UNLIMITED:
                    # Pages of files are counted as used, and given back as soon as somebody needs the room.
                    files = _field(_text(group / "memory.stat"), "inactive_file") or 0
                    yield max(0, most - now + files)

    def _quotas(self) -> Iterator[float]:
        for group in self._groups("cpu"):
            quota, period, *_ = [*_text(group / "cpu.max").split(), "", ""]
            if not quota:
                quota, period = (_text(group / f"cpu.cfs_{word}_us").strip() for word in ("quota", "period"))
            if quota.isdigit() and period.isdigit() and int(period):
                yield int(quota) / int(period)

    def _groups(self, controller: str) -> Iterator[Path]:
        """The folders of our control group and of those above it, as far as this container sees them."""
        for line in _text(self.root / "proc/self/cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            top = self.root / "sys/fs/cgroup" / controllers
            own = top / path.lstrip("/")
            yield from (one for one in (own, *own.parents) if one.is_relative_to(top) and one.is_dir())


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _field(text: str, name: str) -> int | None:
    """The number after a name at the beginning of a line."""
    rows = (line.split() for line in text.splitlines())
    return next((int(row[1]) for row in rows if len(row) > 1 and row[0] == name and row[1].isdigit()), None)
