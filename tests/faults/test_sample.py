"""Runs with failures of every kind come out as if nothing had happened; `make faults` tries them all."""

from __future__ import annotations

import os

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
        Case((*one.faults, *other.faults)) for one, other in zip(singles[::2], singles[1::2], strict=True)
    ]
    verdicts = list(judge_all(cases, {False: expected}, jobs=2))
    assert len(verdicts) == len(KINDS) / 2
    assert {verdict.case: verdict.differences for verdict in verdicts if not verdict.survived} == {}
