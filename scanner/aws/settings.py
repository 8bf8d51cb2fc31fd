"""What a worker must know to call AWS: endpoint, patience and pace. No credentials in here."""

from __future__ import annotations

from dataclasses import dataclass, field

from scanner.aws.limits import Budgets


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """How calls are made; seconds are `_s`. Budgets hold per account and region, for all who keep them in `paces`.

    `call_deadline_s` is for one call with all its attempts, `cell_deadline_s` for all calls of one cell. `paces` is the
    folder where processes share their budgets; "" for each process its own.
    """

    endpoint_url: str | None = None
    max_attempts: int = 5
    initial_wait_s: float = 0.5
    max_wait_s: float = 20.0
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    call_deadline_s: float = 120.0
    cell_deadline_s: float = 3600.0
    budgets: Budgets = field(default_factory=Budgets)
    paces: str = ""
    connections: int = 16
