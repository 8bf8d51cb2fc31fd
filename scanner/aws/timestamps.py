"""Timestamps as ISO 8601 UTC text, straight from the wire: botocore's own parser costs a quarter of a page's CPU."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def iso_utc(value: str | float) -> str:
    """AWS's timestamp (ISO 8601, RFC 822 or epoch seconds) as "2026-01-31T12:00:00Z"; ValueError if it is none.

    Fractions are kept only where they are not zero, to milliseconds.
    """
    if isinstance(value, int | float):
        return _text(datetime.fromtimestamp(value, UTC))
    try:
        return _text(datetime.fromisoformat(value))
    except ValueError:
        pass
    try:
        return _text(datetime.fromtimestamp(float(value), UTC))
    except (ValueError, OverflowError):
        return _text(parsedate_to_datetime(value))


def _text(moment: datetime) -> str:
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    spec = "milliseconds" if moment.microsecond // 1000 else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=spec) + "Z"
