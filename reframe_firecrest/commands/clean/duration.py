"""How long ago, as people write it."""

from __future__ import annotations

import re

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def parse_duration(text: str) -> float:
    """Return the seconds that a text such as ``90m``, ``12h``, ``3d`` or ``2w`` stands for.

    Raises:
        ValueError: it is no such text.
    """
    found = re.fullmatch(r"(\d+)([mhdw])", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no age; write a number and m, h, d or w, such as 12h or 3d")
    return int(found[1]) * _UNITS[found[2]]
