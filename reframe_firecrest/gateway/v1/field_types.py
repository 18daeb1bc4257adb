"""Values in FirecREST v1's answers: all of them are texts, numbers and times among them."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Annotated, Any

from pydantic import BeforeValidator


def _seconds(value: Any) -> float | None:
    """Read Slurm's durations, such as ``2-03:04:05``, ``1:02:03`` or ``0:17``."""
    found = re.fullmatch(r"(?:(\d{1,6})-)?((?:\d{1,9}:){0,2}\d{1,9})(?:\.\d+)?", str(value))
    if found is None:
        # One of Slurm's words for a duration that is not known, or has no end.
        return None
    total = 0
    for number in found[2].split(":"):
        total = 60 * total + int(number)
    return float(86_400 * int(found[1] or 0) + total)


def _local_time(value: Any) -> float | None:
    """Read a time of the system's, such as ``2026-11-23T06:03:46``: seconds as if it were universal time."""
    try:
        return datetime.strptime(str(value), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        # One of Slurm's words for a time that is not known.
        return None


Duration = Annotated[float | None, BeforeValidator(_seconds)]
LocalTime = Annotated[float | None, BeforeValidator(_local_time)]
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
