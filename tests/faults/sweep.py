"""Runs many cases and keeps count."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.faults.cases import Case
from tests.faults.compare import BOUND, differences
from tests.faults.running import Outcome, run_case

TRIES = 3
"""Runs are concurrent, so now and then one does without the request that was to fail."""


@dataclass(frozen=True)
class Verdict:
    """Outcome of one case.

    Attributes:
        case: its name.
        kind: the kinds of failure in it.
        met: the failure did happen.
        differences: from the undisturbed run.
        seconds: of wall time.
        idle: jobs that executed no test's commands.
    """

    case: str
    kind: str
    met: bool
    differences: tuple[str, ...]
    seconds: float
    idle: int = 0

    @property
    def survived(self) -> bool:
        """Return true if the outcome is that of the undisturbed run."""
        return not self.differences


class UnstableError(Exception):
    """Two undisturbed runs differ, so that nothing can be compared with them."""


def record(*, slow: bool = False) -> Outcome:
    """Run undisturbed, twice: what both agree on is what disturbed runs have to come to.

    The counts of requests are the larger of both.

    Raises:
        UnstableError: they do not agree.
    """
    first, second = (run_case(Case((), slow)) for _ in range(2))
    unlike = differences(first, second)
    if unlike or first.unfinished or not first.tests:
        raise UnstableError("; ".join(unlike) or f"nothing ran, or not to its end: {first.output}")
    second.requests = dict(Counter(first.requests) | Counter(second.requests))
    return second


def judge(case: Case, expected: Outcome) -> tuple[Verdict, Outcome]:
    """Run a case and compare."""
    for _ in range(TRIES):
        found = run_case(case)
        met = case.met(found.faults)
        if met:
            break
    lines = differences(expected, found, BOUND + case.extra)
    return Verdict(str(case), case.kind, met, tuple(lines), found.seconds, found.idle), found


def judge_all(cases: Sequence[Case], expected: dict[bool, Outcome], jobs: int) -> Iterator[Verdict]:
    """Run cases, some at a time.

    Args:
        cases: in this order.
        expected: the undisturbed outcome on a system that is slow, and on one that is not.
        jobs: how many at a time.
    """
    # Sandboxes that share a process get in each other's way, from its lock to its warnings.
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    try:
        for verdict, _outcome in pool.map(judge, cases, [expected[case.slow] for case in cases]):
            yield verdict
    finally:
        pool.shutdown(cancel_futures=True)


def survivors(log: Path) -> set[str]:
    """Return the cases that a log says have survived; of a case that is there twice the last counts."""
    last = {}
    if log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            verdict = json.loads(line)
            last[verdict["case"]] = not verdict["differences"]
    return {case for case, survived in last.items() if survived}


def note(log: Path, verdict: Verdict) -> None:
    """Add a verdict to a log."""
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(verdict)) + "\n")
