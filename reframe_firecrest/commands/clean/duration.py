"""Ages on the command line."""

from __future__ import annotations

import re

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as ``90m``, ``12h``, ``3d`` or ``2w``.

    Raises:
        ValueError: it has another form.
    """
    match = re.fullmatch(r"(\d+)([mhdw])", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an age; write a number and m, h, d or w, such as 12h or 3d")
    return int(match[1]) * _UNITS[match[2]]
