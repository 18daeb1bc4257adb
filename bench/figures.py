"""Figures with their targets and measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.cases import Case, Options
from bench.runs import Run
from bench.spread import Spread
from reframe_firecrest.settings import Settings

REQUESTS_A_TEST = {20: 3.0, 100: 2.0, 500: 1.4}
"""Targets by the number of tests."""

SLOWDOWN = {20: 2.0, 100: 1.3, 500: 1.2}
"""Targets of the wall time at 200 ms latency relative to 0 ms, by the number of tests."""

SLOWDOWN_LATENCIES = (0.0, 0.2)
SUBMIT_MS = 5.0
SHARED_FACTOR = 1.3
FETCHED_FACTOR = 1.2
MEMORY_MB = 100.0

GROWTH = 1.2
"""Target of the cost of the largest size relative to the straight line through the two smaller ones."""

POLL_MIN: float = Settings.model_fields["poll_interval_min"].default
"""Seconds of a tick."""

Found = Mapping[Case, Sequence[Run]]
"""Measured runs, by case."""


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        name: its name with the unit.
        suite: the measured runs.
        measured: the measurement; None if it is missing.
        target: upper limit; None without a target.
        digits: digits after the decimal point.
        remark: its components, or why it was not measured.
    """

    name: str
    suite: str
    measured: Spread | None = None
    target: float | None = None
    digits: int = 2
    remark: str = ""

    @property
    def reached(self) -> bool | None:
        """Report whether the median is within the target; None if either is missing."""
        if self.measured is None or self.target is None:
            return None
        return self.measured.median <= self.target


def figures(options: Options, found: Found) -> list[Figure]:
    """Return all figures, including those that were not measured."""
    passed = {case: [run for run in runs if run.passed] for case, runs in found.items()}
    sizes = sorted({*REQUESTS_A_TEST, *(case.tests for case in passed if case.is_plain)})
    return [
        *(_requests(passed, size) for size in sizes),
        *(_slowdown(passed, size) for size in sorted({*SLOWDOWN, *options.tests})),
        *(_status(passed, size) for size in sizes),
        _submit(passed),
        _shared(passed, options.shared),
        *(_fetched(passed, size) for size in sizes),
        _memory(passed, Case(options.own.tests, options.fast), options.own),
        _large(passed, options),
        _rival(passed, options),
    ]


def growth(options: Options, found: Found) -> list[Figure]:
    """Return how cost grows with the size of the suite, none unless it was asked for."""
    if not options.scale:
        return []
    costs: list[tuple[str, Callable[[Run], float]]] = [
        ("wall time", lambda run: run.wall_s),
        ("processor time", lambda run: run.told.cpu_s),
        ("requests", lambda run: run.requests),
        ("peak memory", lambda run: run.told.peak_bytes),
    ]
    return [_growth(options, found, name, cost) for name, cost in costs]


def _growth(options: Options, found: Found, name: str, cost: Callable[[Run], float]) -> Figure:
    points = [
        Spread.of(cost(run) for run in found.get(Case(size, options.fast), ()) if run.passed)
        for size in options.scales
    ]
    suite = f"{options.scale} tests"
    quarter, half, whole = points
    if quarter is None or half is None or whole is None:
        return Figure(f"{name} against linear growth", suite, target=GROWTH, remark=NOT_PASSED)
    # From a half to the whole there are twice as many tests as from a quarter to a half.
    line = half.median + 2 * (half.median - quarter.median)
    return Figure(
        f"{name} against linear growth",
        suite,
        Spread(whole.median / line, whole.low / line, whole.high / line),
        GROWTH,
    )


NOT_PASSED = "not measured: no run passed"


def _plain(passed: Found, size: int) -> list[tuple[Case, Sequence[Run]]]:
    return [(case, runs) for case, runs in passed.items() if case.is_plain and case.tests == size and runs]


def _worst(
    candidates: Iterable[tuple[Case, Sequence[Run]]], value: Callable[[Run], float]
) -> tuple[Spread, Case, Sequence[Run]] | None:
    """Return the largest of several cases' medians, with its case."""
    spreads = [
        (spread, case, runs)
        for case, runs in candidates
        if (spread := Spread.of(value(run) for run in runs)) is not None
    ]
    return max(spreads, key=lambda item: item[0].median, default=None)


def _unmeasured(size: int) -> str:
    return f"not measured: --tests {size}"


def _requests(passed: Found, size: int) -> Figure:
    name, target = "requests a test, all included", REQUESTS_A_TEST.get(size)
    worst = _worst(_plain(passed, size), lambda run: run.requests / size)
    if worst is None:
        return Figure(name, f"{size} tests", target=target, remark=_unmeasured(size))
    spread, case, _runs = worst
    return Figure(name, case.title, spread, target)


def _slowdown(passed: Found, size: int) -> Figure:
    name, suite, target = "wall at 200 ms against wall at 0 ms", f"{size} tests", SLOWDOWN.get(size)
    fast, slow = (
        Spread.of(run.wall_s for run in passed.get(Case(size, latency), ())) for latency in SLOWDOWN_LATENCIES
    )
    if fast is None or slow is None:
        return Figure(
            name, suite, target=target, remark=f"not measured: --tests {size} --latency 0 0.2, sandbox"
        )
    ratio = Spread(slow.median / fast.median, slow.low / fast.high, slow.high / fast.low)
    return Figure(name, suite, ratio, target, remark=f"{slow.median:.1f} s against {fast.median:.1f} s")


def _ticks(run: Run) -> float:
    return max(1.0, (run.session_s or run.wall_s) / POLL_MIN)


def _status(passed: Found, size: int) -> Figure:
    name = f"status requests a tick of {POLL_MIN:g} s"
    worst = _worst(_plain(passed, size), lambda run: (run.lists + run.singles) / _ticks(run))
    if worst is None:
        return Figure(name, f"{size} tests", target=1.0, remark=_unmeasured(size))
    spread, case, runs = worst
    lists, singles = Spread.of(run.lists for run in runs), Spread.of(run.singles for run in runs)
    remark = f"lists of jobs: {_text(lists)}, single jobs: {_text(singles)}"
    return Figure(name, case.title, spread, 1.0, remark=remark)


def _text(spread: Spread | None) -> str:
    return spread.text(0) if spread else ""


def _submit(passed: Found) -> Figure:
    name = "submit() on ReFrame's thread, median, ms"
    plain = [(case, runs) for case, runs in passed.items() if case.is_plain and runs]
    worst = _worst(plain, lambda run: run.submit_median_ms)
    if worst is None:
        return Figure(name, "", target=SUBMIT_MS, remark=NOT_PASSED)
    spread, case, _runs = worst
    most = max(run.submit_most_ms for _case, runs in plain for run in runs)
    return Figure(name, case.title, spread, SUBMIT_MS, remark=f"slowest of all: {most:.1f} ms")


def _shared(passed: Found, case: Case) -> Figure:
    name = "bytes of files sent, kB"
    runs = passed.get(case, ())
    files = Spread.of(run.uploaded / 1000 for run in runs)
    if files is None:
        return Figure(name, case.title, remark=NOT_PASSED)
    allowed = max((SHARED_FACTOR * run.inputs + run.scripts) / 1000 for run in runs)
    everything = Spread.of(run.sent / 1000 for run in runs)
    remark = (
        f"with all requests' bodies: {_text(everything)}; "
        f"allowed: {SHARED_FACTOR} x {runs[0].inputs / 1000:.1f} + scripts of {runs[0].scripts / 1000:.1f}"
    )
    return Figure(name, case.title, files, allowed, digits=1, remark=remark)


def _fetched(passed: Found, size: int) -> Figure:
    name = "bytes fetched against what jobs made, compressed"
    worst = _worst(_plain(passed, size), lambda run: run.fetched / run.packed if run.packed else float("inf"))
    if worst is None:
        return Figure(name, f"{size} tests", target=FETCHED_FACTOR, remark=_unmeasured(size))
    spread, case, runs = worst
    run = runs[0]
    remark = (
        f"{run.fetched / 1000:.1f} kB of files against {(run.packed or 0) / 1000:.1f} kB; "
        f"other answers: {(run.received - run.fetched) / 1000:.1f} kB"
    )
    return Figure(name, case.title, spread, FETCHED_FACTOR, remark=remark)


def _memory(passed: Found, case: Case, own: Case) -> Figure:
    name = "peak memory above ReFrame's own, MB"
    base = Spread.of(run.told.peak_bytes / 1e6 for run in passed.get(own, ()))
    peak = Spread.of(run.told.peak_bytes / 1e6 for run in passed.get(case, ()))
    if base is None or peak is None:
        return Figure(name, case.title, target=MEMORY_MB, remark=NOT_PASSED)
    above = Spread(peak.median - base.median, peak.low - base.median, peak.high - base.median)
    remark = f"{peak.median:.0f} MB against {base.median:.0f} MB"
    return Figure(name, case.title, above, MEMORY_MB, digits=0, remark=remark)


def _large(passed: Found, options: Options) -> Figure:
    if options.large_mib:
        return _memory(passed, *options.large)
    return Figure(
        "peak memory above ReFrame's own, MB",
        "a large file each way",
        target=MEMORY_MB,
        remark="not measured: --large 1024",
    )


def _rival(passed: Found, options: Options) -> Figure:
    name = "wall against ReFrame's slurm on the same Slurm, s"
    ours, theirs = options.rivals
    if not options.slurm:
        return Figure(name, f"{ours.tests} tests", remark="not measured: --slurm")
    mine = Spread.of(run.wall_s for run in passed.get(ours, ()))
    other = Spread.of(run.wall_s for run in passed.get(theirs, ()))
    if mine is None or other is None:
        return Figure(name, ours.title, mine, digits=1, remark=NOT_PASSED)
    return Figure(
        name, ours.title, mine, other.median, digits=1, remark=f"ReFrame's slurm: {other.text(1)} s"
    )
