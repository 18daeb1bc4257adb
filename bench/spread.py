"""Statistics of a repeated measurement."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Median, minimum and maximum of several measurements."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """Return the statistics of measurements; None if there are none."""
        known = list(values)
        return cls(statistics.median(known), min(known), max(known)) if known else None

    def text(self, digits: int) -> str:
        """Return the median as a text, with the range if it is visible."""
        median, low, high = (f"{value:.{digits}f}" for value in (self.median, self.low, self.high))
        return median if low == high else f"{median} ({low}-{high})"
