"""Runs with failures of every kind come out as if nothing had happened; `make faults` tries them all."""

from __future__ import annotations

import os
from itertools import zip_longest

import pytest

from tests.faults.cases import KINDS, Case, every_case, sample
from tests.faults.sweep import judge_all, record

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        "FIRECREST_URL" in os.environ or "SANDBOX_RUNNER" in os.environ,
        reason="only our sandbox with its embedded runner fails on request",
    ),
]

SEED = 20


def test_no_failure_makes_a_difference() -> None:
    expected = record()
    singles = sample(every_case(expected.requests, list(KINDS)), len(KINDS), SEED)
    # Two at a time, for the sake of a quick test.
    cases = [
        Case((*one.faults, *(other.faults if other else ())))
        for one, other in zip_longest(singles[::2], singles[1::2])
    ]
    verdicts = list(judge_all(cases, {False: expected}, jobs=2))
    assert len(verdicts) == len(cases)
    assert {verdict.case: verdict.differences for verdict in verdicts if not verdict.survived} == {}
