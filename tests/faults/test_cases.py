"""Names of cases, and how they are chosen."""

from __future__ import annotations

import pytest

from firecrest_sandbox import FaultKind
from firecrest_sandbox.fault_injection.faults import Faults
from tests.faults.cases import KINDS, LATE_SUBMISSION, Case, Fault, every_case, pairs, parse_case, sample

COUNTS = {"POST token": 1, "POST /compute/{system}/jobs": 2, "GET storage": 1}


@pytest.mark.parametrize(
    "name",
    [
        "POST token #1 cut",
        "POST /compute/{system}/jobs #2 lost",
        "slow: POST /filesystem/{system}/transfer/compress #1 muted",
        "GET storage #1 truncated + POST token #1 429-later",
    ],
)
def test_a_name_means_the_case_that_has_it(name: str) -> None:
    assert str(parse_case(name)) == name


@pytest.mark.parametrize("text", ["", "POST token", "POST token #1", "POST token #0 cut", "POST token #1 no"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected for example"):
        parse_case(text)


def test_the_sandbox_knows_which_request_it_is() -> None:
    faults = Faults([Fault("POST /compute/{system}/jobs", 2, "lost").rule])
    hits = [faults.match("POST", "/compute/any/jobs") for _ in range(3)]
    assert [hit and hit.kind for hit in hits] == [None, FaultKind.LOSE_REPLY, None]
    assert faults.match("GET", "/compute/any/jobs") is None


def test_every_request_meets_every_failure() -> None:
    cases = every_case(COUNTS, ["cut", "lost"])
    assert len(cases) == len(set(cases)) == 4 * 2
    assert cases[-2:] == [Case((Fault("POST /compute/{system}/jobs", 2, kind),)) for kind in ("cut", "lost")]


def test_only_requests_that_modify_something_act_late() -> None:
    cases = every_case({**COUNTS, "PUT storage": 1}, ["acts-late"])
    assert [case.faults[0].shape for case in cases] == [
        "POST /compute/{system}/jobs",
        "PUT storage",
        "POST /compute/{system}/jobs",
    ]
    assert [case.faults[0].rule.seconds for case in cases] == [LATE_SUBMISSION, 4.0, LATE_SUBMISSION]


def test_jobs_take_longer_than_a_late_submission() -> None:
    cases = every_case({**COUNTS, "PUT storage": 1}, ["acts-late", "503-after"])
    long = [case for case in cases if case.pause]
    assert {str(case) for case in long} == {
        f"POST /compute/{{system}}/jobs #{number} acts-late" for number in (1, 2)
    }
    assert all(case.pause > LATE_SUBMISSION for case in long)


def test_only_gateways_answer_401_thrice() -> None:
    cases = every_case(COUNTS, ["401-thrice"])
    assert {case.faults[0].shape for case in cases} == {"POST /compute/{system}/jobs"}
    assert not cases[0].met({f"status {cases[0].faults[0].shape}": 2})
    assert cases[0].met({f"status {cases[0].faults[0].shape}": 3})


def test_a_sample_has_all_kinds_before_any_comes_twice() -> None:
    cases = every_case(COUNTS, list(KINDS))
    chosen = sample(cases, len(KINDS), seed=7)
    assert {case.kind for case in chosen} == set(KINDS)
    assert chosen == sample(cases, len(KINDS), seed=7)
    assert chosen != sample(cases, len(KINDS), seed=8)


def test_pairs_are_failures_of_different_requests() -> None:
    cases = every_case(COUNTS, list(KINDS))
    found = pairs(cases, 100, seed=7)
    assert len(set(found)) == 100
    assert all(len({(fault.shape, fault.number) for fault in case.faults}) == 2 for case in found)
    assert found == pairs(cases, 100, seed=7)


def test_a_case_is_met_when_all_of_its_failures_have_fired() -> None:
    case = parse_case("POST token #1 500 + POST token #2 503")
    assert not case.met({"status POST token": 1})
    assert case.met({"status POST token": 2})
