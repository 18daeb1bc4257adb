"""Further figures: latency, submission, transfers and memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bench.cases import Case, Options
from bench.figure import NOT_PASSED, Figure, Found, only_passed, ratio
from bench.runs import Run
from bench.spread import Spread

SLOWDOWN = {20: 2.0, 100: 1.3, 500: 1.2}
"""Targets of the wall time at 200 ms latency relative to 0 ms, by the number of tests."""

SLOWDOWN_LATENCIES = (0.0, 0.2)
SUBMIT_MS = 5.0
SHARED_FACTOR = 1.3
FETCHED_FACTOR = 1.2
MEMORY_MB = 100.0

TICK_S = 1.0
"""Seconds in which there may be one request for the state of jobs."""


def figures(options: Options, found: Found) -> list[Figure]:
    """Return the figures that are not in `targets`, including those that were not measured."""
    passed = only_passed(found)
    sizes = sorted({case.tests for case in passed if case.is_plain})
    return [
        *(_slowdown(passed, size) for size in sorted({*SLOWDOWN, *options.tests})),
        *(_status(passed, size) for size in sizes),
        _submit(passed),
        _shared(passed, options.shared),
        *(_fetched(passed, size) for size in sizes),
        _memory(passed, Case(options.own.tests, options.fast), options.own),
        _large(passed, options),
    ]


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


def _slowdown(passed: Found, size: int) -> Figure:
    name, suite, target = "wall at 200 ms against wall at 0 ms", f"{size} tests", SLOWDOWN.get(size)
    fast, slow = (
        Spread.of(run.wall_s for run in passed.get(Case(size, latency), ())) for latency in SLOWDOWN_LATENCIES
    )
    if fast is None or slow is None:
        return Figure(
            name, suite, target=target, remark=f"not measured: --tests {size} --more --latency 0 0.2, sandbox"
        )
    remark = f"{slow.median:.1f} s against {fast.median:.1f} s"
    return Figure(name, suite, ratio(slow, fast), target, remark=remark)


def _ticks(run: Run) -> float:
    return max(1.0, (run.session_s or run.wall_s) / TICK_S)


def _status(passed: Found, size: int) -> Figure:
    name = f"status requests a tick of {TICK_S:g} s"
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
    base = Spread.of(run.process.peak_bytes / 1e6 for run in passed.get(own, ()))
    peak = Spread.of(run.process.peak_bytes / 1e6 for run in passed.get(case, ()))
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
