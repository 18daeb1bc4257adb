"""Draw the past values of a performance figure as a small line."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from reframe_firecrest.commands.report.performance import PastValue

WIDTH, HEIGHT = 100.0, 24.0
"""Size of the drawing in its own units."""

EDGE = 3.0
"""Free space around the line, for its width and its last dot."""


@dataclass(frozen=True)
class Sparkline:
    """A line from the oldest to the newest value.

    Attributes:
        points: points of an SVG polyline.
        last: position of the newest value.
        text: description in words.
    """

    points: str
    last: tuple[float, float]
    text: str


def sparkline_of(past: Sequence[PastValue], unit: str = "") -> Sparkline | None:
    """Return the line; None for fewer than two values."""
    finite = [value for value in past if math.isfinite(value.value)]
    if len(finite) < 2:
        return None
    values = [entry.value for entry in finite]
    low, high = min(values), max(values)
    points = [(_across(place, len(values)), _up(value, low, high)) for place, value in enumerate(values)]
    since = time.strftime("%Y-%m-%d", time.localtime(finite[0].time))
    text = f"{len(values)} values since {since}, {low:.5g} to {high:.5g} {unit}".rstrip()
    return Sparkline(" ".join(f"{x:.1f},{y:.1f}" for x, y in points), points[-1], text)


def _across(place: int, count: int) -> float:
    return round(EDGE + (WIDTH - 2 * EDGE) * place / (count - 1), 1)


def _up(value: float, low: float, high: float) -> float:
    # Both differences are of halves, so that not even the largest numbers overflow.
    part = 0.5 if low == high else (value / 2 - low / 2) / (high / 2 - low / 2)
    return round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * part, 1)
