"""Time limits in all of Slurm's formats."""

from __future__ import annotations

import re

_FORMS = re.compile(
    r"""
    (?: (?P<days>\d+) - (?P<day_hours>\d+) (?: : (?P<day_minutes>\d+) (?: : (?P<day_seconds>\d+) )? )?
      | (?P<hours>\d+) : (?P<minutes>\d+) : (?P<seconds>\d+)
      | (?P<only_minutes>\d+) (?: : (?P<minute_seconds>\d+) )?
    )""",
    re.VERBOSE,
)
_UNLIMITED = frozenset({"-1", "INFINITE", "UNLIMITED"})


def seconds_of(text: str) -> int | None:
    """Return a time limit in seconds, or None for no limit.

    The formats are sbatch's: `minutes`, `minutes:seconds`, `hours:minutes:seconds`,
    `days-hours`, `days-hours:minutes`, `days-hours:minutes:seconds`.

    Raises:
        ValueError: the text has another format.
    """
    if text.upper() in _UNLIMITED:
        return None
    match = _FORMS.fullmatch(text)
    if match is None:
        raise ValueError(f"Invalid time limit specification: {text!r}")
    part = {name: int(digits) for name, digits in match.groupdict(default="0").items()}
    hours = part["days"] * 24 + part["day_hours"] + part["hours"]
    minutes = part["day_minutes"] + part["minutes"] + part["only_minutes"]
    seconds = part["day_seconds"] + part["seconds"] + part["minute_seconds"]
    return hours * 3600 + minutes * 60 + seconds
