"""The `Date` header of a response."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime


def parse_date(text: str) -> float | None:
    """Read the header that tells when an answer was made: seconds since the epoch, None if it is none."""
    try:
        return epoch_seconds(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError):
        return None


def epoch_seconds(moment: datetime) -> float:
    """Return a time in seconds since the epoch."""
    # One without a zone is meant to be in universal time.
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
