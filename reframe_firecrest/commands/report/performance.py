"""Performance figures of a run beside what was expected."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from reframe_firecrest.commands.report.reframe_report import CaseResult, Reference, ReframeReport


@dataclass(frozen=True)
class PerformanceValue:
    """A performance figure.

    Attributes:
        test: the test's name, with its parameters.
        where: ReFrame's system, partition and environment.
        name: of the variable.
        value: None if it could not be extracted.
        unit: of the value.
        reference: None if there is none.
        lower: the least value that passes; None for no limit.
        upper: the greatest.
        deviation: from the reference, as a part of it; None where there is none.
        verdict: ReFrame's: ``pass``, ``fail``, ``xfail``, ``xpass``, empty for none.
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


def performance_values(results: ReframeReport | None) -> list[PerformanceValue]:
    """Return the figures of each test case's last attempt that has any, those out of bounds first."""
    last: dict[object, CaseResult] = {}
    for one in results.runs if results else ():
        for case in one.testcases:
            if case.perfvalues:
                last[case.key] = case
    found = [figure for case in last.values() for figure in _figures(case)]
    return sorted(found, key=lambda figure: figure.verdict not in ("fail", "xpass"))


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
            verdict=entry.result or "",
        )


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
