"""Values in FirecREST v1's answers; numbers and times are texts too."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Annotated, Any

from pydantic import BeforeValidator


def _seconds(value: Any) -> float | None:
    """Parse Slurm's durations, such as ``2-03:04:05``, ``1:02:03`` or ``0:17``."""
    found = re.fullmatch(r"(?:(\d{1,6})-)?((?:\d{1,9}:){0,2}\d{1,9})(?:\.\d+)?", str(value))
    if found is None:
        # Slurm has several words for an unknown or unlimited duration.
        return None
    total = 0
    for number in found[2].split(":"):
        total = 60 * total + int(number)
    return float(86_400 * int(found[1] or 0) + total)


def _local_time(value: Any) -> float | None:
    """Parse a local time, such as ``2026-11-23T06:03:46``; return seconds as if it were UTC."""
    try:
        return datetime.strptime(str(value), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        # Slurm has several words for an unknown time.
        return None


Duration = Annotated[float | None, BeforeValidator(_seconds)]
LocalTime = Annotated[float | None, BeforeValidator(_local_time)]
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
