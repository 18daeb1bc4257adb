"""Performance figures of a run with their references."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reframe_firecrest.commands.report.reframe_report import CaseResult, Reference, ReframeReport

MISSED = frozenset({"fail", "xfail"})
"""Results of tests that may be due to a value that could not be extracted."""


@dataclass(frozen=True)
class PastValue:
    """A value in a session.

    Attributes:
        time: start of the session in seconds since the epoch.
        value: the value.
    """

    time: float
    value: float


@dataclass(frozen=True)
class PerformanceValue:
    """A performance figure.

    Attributes:
        test: name of the test with its parameters.
        where: ReFrame's system, partition and environment.
        name: name of the performance variable.
        value: the value; None if it could not be extracted.
        unit: unit of the value.
        reference: the reference; None if there is none.
        lower: smallest value that passes; None for no limit.
        upper: largest value that passes; None for no limit.
        deviation: deviation as a fraction of the reference; None without a reference.
        verdict: ReFrame's verdict: ``pass``, ``fail``, ``xfail``, ``xpass``; empty for none. A value that
            could not be extracted has the verdict of a test that failed.
        past: values of earlier sessions and this one, oldest first; empty without a history.
    """

    test: str
    where: str
    name: str
    value: float | None
    unit: str
    reference: float | None
    lower: float | None
    upper: float | None
    deviation: float | None
    verdict: str
    past: Sequence[PastValue] = ()


def performance_values(results: ReframeReport | None) -> list[PerformanceValue]:
    """Return the figures of each test case's last attempt that has any, those out of limits first."""
    last: dict[object, CaseResult] = {}
    for run in results.runs if results else ():
        for case in run.testcases:
            if case.perfvalues:
                last[case.key] = case
    figures = [figure for case in last.values() for figure in _figures(case)]
    return sorted(figures, key=lambda figure: figure.verdict not in ("fail", "xpass"))


def _figures(case: CaseResult) -> Iterable[PerformanceValue]:
    for key, entry in case.perfvalues.items():
        reference = _expected(entry)
        deviation = None
        if reference and entry.value is not None:
            deviation = (entry.value - reference) / abs(reference)
        yield PerformanceValue(
            test=case.title,
            where=case.where,
            name=key.rpartition(":")[2],
            value=entry.value,
            unit=entry.unit or "",
            reference=reference,
            lower=_bound(reference, entry.lower),
            upper=_bound(reference, entry.upper),
            deviation=None if deviation is None or not math.isfinite(deviation) else deviation,
            verdict=entry.result or _without_value(case, entry),
        )


def _without_value(case: CaseResult, entry: Reference) -> str:
    """Return the verdict of a figure that has none; without a value it is the test's, unless that passed."""
    return case.result if entry.value is None and case.result in MISSED else ""


def _expected(entry: Reference) -> float | None:
    # ReFrame writes a reference of zero without limits where a test has none.
    if not entry.reference and entry.lower is None and entry.upper is None:
        return None
    return entry.reference


def _bound(reference: float | None, threshold: float | None) -> float | None:
    """Return a limit; it is that itself where the reference is zero, as for ReFrame's `assert_reference`."""
    if reference is None or threshold is None:
        return None
    return reference + abs(reference) * threshold if reference else threshold
