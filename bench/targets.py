"""The table of targets: what the most common uses may cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bench.cases import NATIVE, SLEEPING, Case, Options
from bench.figure import NOT_PASSED, Figure, Found, only_passed, ratio, spread_of
from bench.runs import Run
from bench.spread import Spread

WALL_S = {1: 3.5, 4: 4.0}
"""Wall time of the whole command at 200 ms, by the number of tests."""

LATENCY_OF_TARGETS = 0.2

REQUESTS = {1: 10.0}
REQUESTS_A_TEST = {20: 1.6, 100: 2.0, 500: 1.4}
"""Targets by the number of tests."""

NATIVE_SHARE = {20: 0.85, 100: 1.15}
"""Wall time of ReFrame's own `slurm` relative to ours, by the number of tests."""

LISTING_SHARE = 1.15
LISTING_MB = 55.0
OTHER_KB_A_TEST = 2.0
SLEEPING_MB = 3.0
BUSY_SHARE = 2.0
MEMORY_KB_A_TEST = 20.0

GROWTH = 1.2
"""Target of the cost of a test in a large suite relative to the smallest suite of the same measurement."""

LONG = "--scale 500 1000 2000 5000"


def targets(options: Options, found: Found) -> list[Figure]:
    """Return the figures with targets, including those that were not measured."""
    passed = only_passed(found)
    sizes = sorted({*WALL_S, *REQUESTS_A_TEST, *options.tests})
    return [
        *(figure for size in sizes for figure in _of_size(options, passed, size)),
        *(_against_native(options, passed, size) for size in NATIVE),
        *_listing(options, passed),
        *_sleeping(options, passed),
        *(figure for size in options.scales or (500,) for figure in _scaled(options, passed, size)),
    ]


def _of_size(options: Options, passed: Found, size: int) -> list[Figure]:
    case = Case(size, options.slow)
    # Through another gateway the latency is unknown, and the target holds as it is.
    wall = WALL_S.get(size) if options.slow in {None, LATENCY_OF_TARGETS} else None
    figures = [Figure("wall time, s", case.title, _wall(passed, case), wall)]
    requests = spread_of(passed, case, lambda run: run.requests)
    if size in REQUESTS:
        figures.append(Figure("requests", case.title, requests, REQUESTS[size], digits=0))
    else:
        share = spread_of(passed, case, lambda run: run.requests / size)
        figures.append(Figure("requests per test", case.title, share, REQUESTS_A_TEST.get(size)))
    measured = case in passed
    reason = "" if passed.get(case) else NOT_PASSED if measured else f"not measured: --tests {size}"
    return [replace(figure, remark=reason) for figure in figures if measured or figure.target is not None]


def _compare(figure: Figure, above: Spread | None, below: Spread | None) -> Figure:
    """Complete a figure with the ratio of two wall times."""
    if above is None or below is None:
        return replace(figure, remark=NOT_PASSED)
    return replace(figure, measured=ratio(above, below), remark=f"{above.text(2)} s / {below.text(2)} s")


def _against_native(options: Options, passed: Found, size: int) -> Figure:
    ours, theirs = options.rivals(size)
    name = "wall time of native slurm / ours"
    figure = Figure(name, ours.title, target=NATIVE_SHARE[size], limit="≥")
    if not options.slurm:
        return replace(figure, remark="not measured: needs sbatch")
    return _compare(figure, _wall(passed, theirs), _wall(passed, ours))


def _wall(passed: Found, case: Case) -> Spread | None:
    return spread_of(passed, case, lambda run: run.wall_s)


def _listing(options: Options, passed: Found) -> list[Figure]:
    ours, theirs = options.listings
    mine, other = (
        spread_of(passed, case, lambda run: run.process.peak_bytes / 1e6) for case in (ours, theirs)
    )
    remark = f"native: {other.text(1)} MB" if other else NOT_PASSED
    time = Figure("wall time / native slurm's", ours.title, target=LISTING_SHARE)
    return [
        _compare(time, _wall(passed, ours), _wall(passed, theirs)),
        Figure("peak memory, MB", ours.title, mine, LISTING_MB, digits=1, remark=remark),
    ]


def _sleeping(options: Options, passed: Found) -> list[Figure]:
    if not options.sleep:
        suite, remark = f"{SLEEPING} tests, sleeping", "not measured: --history 1300"
        return [Figure("bytes received, MB", suite, target=SLEEPING_MB, remark=remark)]
    idle, busy = options.sleeping
    cases = (idle,) if idle == busy else (idle, busy)
    received = {case: spread_of(passed, case, lambda run: run.received / 1e6) for case in cases}
    figures = [
        Figure("bytes received, MB", case.title, spread, SLEEPING_MB, remark="" if spread else NOT_PASSED)
        for case, spread in received.items()
    ]
    little, much = received[idle], received.get(busy)
    if little and much and idle != busy:
        share = ratio(much, little)
        figures.append(Figure("bytes received / idle account", busy.title, share, BUSY_SHARE))
    return figures


def _scaled(options: Options, passed: Found, size: int) -> list[Figure]:
    """Return the bytes per test, and the costs per test relative to those of the smallest size."""
    case = options.scaled(size)
    other = spread_of(passed, case, lambda run: (run.received - run.fetched) / size / 1000)
    remark = "" if other else NOT_PASSED if options.scales else f"not measured: {LONG}"
    figures = [
        Figure("bytes received other than files, kB per test", case.title, other, OTHER_KB_A_TEST, 2, remark)
    ]
    if options.scales and size != options.scales[0]:
        figures += [_growth(options, passed, size, *cost) for cost in COSTS]
        figures.append(_memory(options, passed, size))
    return figures


COSTS: tuple[tuple[str, Callable[[Run], float]], ...] = (
    ("wall time", lambda run: run.wall_s),
    ("processor time", lambda run: run.process.cpu_s),
    ("requests", lambda run: run.requests),
    ("bytes sent and received", lambda run: run.sent + run.received),
)
"""Costs that may grow no faster than the number of tests."""


def _growth(options: Options, passed: Found, size: int, name: str, cost: Callable[[Run], float]) -> Figure:
    first = options.scales[0]
    small = spread_of(passed, options.scaled(first), lambda run: cost(run) / first)
    large = spread_of(passed, options.scaled(size), lambda run: cost(run) / size)
    title, name = options.scaled(size).title, f"{name} per test / {first} tests'"
    if small is None or large is None:
        return Figure(name, title, target=GROWTH, remark=NOT_PASSED)
    return Figure(name, title, ratio(large, small), GROWTH)


def _memory(options: Options, passed: Found, size: int) -> Figure:
    first = options.scales[0]
    small, large = (
        spread_of(passed, options.scaled(number), lambda run: run.process.peak_bytes / 1000)
        for number in (first, size)
    )
    name, title = f"memory per test beyond {first} tests, kB", options.scaled(size).title
    if small is None or large is None:
        return Figure(name, title, target=MEMORY_KB_A_TEST, remark=NOT_PASSED)
    more = [
        (large.median - small.median),
        (large.low - small.high),
        (large.high - small.low),
    ]
    remark = f"{large.median / 1000:.0f} MB / {small.median / 1000:.0f} MB"
    spread = Spread(*(value / (size - first) for value in more))
    return Figure(name, title, spread, MEMORY_KB_A_TEST, digits=1, remark=remark)
