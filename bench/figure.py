"""A figure of the benchmark, with its target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.cases import Case
from bench.runs import Run
from bench.spread import Spread

Found = Mapping[Case, Sequence[Run]]
"""Measured runs, by case."""

NOT_PASSED = "not measured: no run passed"


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        name: its name with the unit.
        suite: the measured runs.
        measured: the measurement; None if it is missing.
        target: limit; None without a target.
        digits: digits after the decimal point.
        remark: its components, or why it was not measured.
        limit: whether the target is the largest or the smallest permitted value.
    """

    name: str
    suite: str
    measured: Spread | None = None
    target: float | None = None
    digits: int = 2
    remark: str = ""
    limit: Literal["≤", "≥"] = "≤"

    @property
    def reached(self) -> bool | None:
        """Report whether the median meets the target; None if either is missing."""
        if self.measured is None or self.target is None:
            return None
        median = self.measured.median
        return median <= self.target if self.limit == "≤" else median >= self.target


def only_passed(found: Found) -> Found:
    """Return the runs in which all tests passed."""
    return {case: [run for run in runs if run.passed] for case, runs in found.items()}


def spread_of(passed: Found, case: Case, value: Callable[[Run], float]) -> Spread | None:
    """Return the statistics of a case's runs; None if none passed."""
    return Spread.of(value(run) for run in passed.get(case, ()))


def ratio(above: Spread, below: Spread) -> Spread:
    """Return the ratio of two measurements, with its extremes."""
    return Spread(above.median / below.median, above.low / below.high, above.high / below.low)
