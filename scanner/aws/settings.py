"""What a worker must know to call AWS: endpoint, patience and pace. No credentials in here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """How calls are made; seconds are `_s`. `rate_per_s` and `burst` hold per account, region and service."""

    endpoint_url: str | None = None
    max_attempts: int = 5
    initial_wait_s: float = 0.5
    max_wait_s: float = 20.0
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    call_deadline_s: float = 120.0
    rate_per_s: float = 20.0
    burst: int = 100
    connections: int = 16
