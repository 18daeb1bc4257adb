"""Positions on a time axis. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_MOST_TICKS = 10
_END = 90.0
"""Position in percent from which a label is left of its tick, so that it is not cut off."""

_ROOM = 15.0
"""Smallest distance in percent between a label that is left of its tick and the label before it."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_STEPS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30),
    *(_MINUTE * count for count in (1, 2, 5, 10, 20, 30)),
    *(_HOUR * count for count in (1, 2, 4, 6, 12)),
    _DAY,
)


@dataclass(frozen=True)
class Axis:
    """A time axis.

    Attributes:
        begin: seconds since the epoch at its left end.
        length: seconds to its right end; positive.
        step: seconds between two ticks.
    """

    begin: float
    length: float
    step: float

    @property
    def ticks(self) -> Sequence[tuple[float, str]]:
        """Positions in percent with their labels: the time since the beginning."""
        count = math.floor(self.length / self.step) + 1
        return [(self.share(tick * self.step), _label(tick * self.step)) for tick in range(count)]

    @property
    def labels(self) -> Sequence[tuple[float, str, bool]]:
        """Positions in percent, texts, and true if left of the tick; a text without enough room is empty."""
        ticks = self.ticks
        following = [place for place, _ in ticks[1:]] + [0.0]
        return [
            (place, "" if after > _END and after - place < _ROOM else text, place > _END)
            for (place, text), after in zip(ticks, following, strict=True)
        ]

    def place(self, moment: float) -> float:
        """Return the position of a moment, in percent from the left."""
        return min(max(self.share(moment - self.begin), 0.0), 100.0)

    def share(self, seconds: float) -> float:
        """Return the length of a duration, in percent of the axis."""
        return 100 * seconds / self.length


def axis_of(begin: float, end: float) -> Axis:
    """Return a time axis with round ticks."""
    length = max(end - begin, _STEPS[0])
    days = _DAY * math.ceil(length / _DAY / _MOST_TICKS)
    step = next((step for step in _STEPS if length / step <= _MOST_TICKS), days)
    return Axis(begin, length, step)


def _label(seconds: float) -> str:
    for size, unit, below in ((_DAY, "d", _HOUR), (_HOUR, "h", _MINUTE), (_MINUTE, "min", 1)):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            return f"{whole:.0f} {unit}" if not rest else f"{whole:.0f}:{rest // below:02.0f} {unit}"
    return f"{seconds:g} s"
