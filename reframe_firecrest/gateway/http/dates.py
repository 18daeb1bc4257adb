"""The `Date` header of a response."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime


def parse_date(text: str) -> float | None:
    """Parse the header; return seconds since the epoch, None if it is invalid."""
    try:
        return epoch_seconds(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError):
        return None


def epoch_seconds(moment: datetime) -> float:
    """Return a time in seconds since the epoch."""
    # A time without a zone is in UTC.
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
