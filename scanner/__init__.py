"""aws-scanner: an AWS inventory that says what it does not know. The library is `scan`, `Profile`, `load_snapshot`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scanner.api import (
        CatalogError,
        Hooks,
        Interrupted,
        LedgerLine,
        NoCredentialsError,
        Outcome,
        Profile,
        ProfileError,
        ScannerError,
        Snapshot,
        SnapshotError,
        TagFilter,
        load_snapshot,
        scan,
    )

__all__ = [
    "CatalogError",
    "Hooks",
    "Interrupted",
    "LedgerLine",
    "NoCredentialsError",
    "Outcome",
    "Profile",
    "ProfileError",
    "ScannerError",
    "Snapshot",
    "SnapshotError",
    "TagFilter",
    "load_snapshot",
    "scan",
]


def __getattr__(name: str) -> Any:
    # Lazy: every command and every worker imports this package, and few of them need boto3 and pydantic for that.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from scanner import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return __all__
