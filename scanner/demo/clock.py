"""The clock of the demo's past: what the fleet is seeded under, so that its dates are plausible and always the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_FOUNDED = datetime(2023, 3, 6, 8, 0, 0)
_BETWEEN_STACKS = timedelta(days=23, hours=5, minutes=7)


class Clock:
    """Stands still while something is built, is moved from stack to stack, and is let go once the fleet stands."""

    def __init__(self) -> None:
        self._stopped: datetime | None = _FOUNDED

    def now(self) -> datetime:
        """UTC without a time zone, which is what moto's own clock gives."""
        return self._stopped or datetime.now(UTC).replace(tzinfo=None)

    def move_on(self) -> None:
        """Let some weeks pass until the next stack is built."""
        if self._stopped:
            self._stopped += _BETWEEN_STACKS

    def let_go(self) -> None:
        """From now on tell the real time: temporary credentials expire by it."""
        self._stopped = None


def take_over_moto() -> Clock:
    """Give moto a clock of ours. Call it before any moto service is imported: they take the function by name."""
    import moto.core.utils

    clock = Clock()
    moto.core.utils.utcnow = clock.now
    return clock
