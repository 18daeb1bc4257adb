"""Tests: jobs and verdicts, joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from reframe_firecrest.commands.report.reframe_report import ReframeReport
from reframe_firecrest.commands.report.verdicts import WHOLE, Test, Verdict, join_tests
from reframe_firecrest.journal.events import JobMoved
from reframe_firecrest.journal.reader import SessionLog
from reframe_firecrest.journal.timeline import timelines_of
from tests.commands.report.worlds import BEGUN, case, job, lived, opened, results


def joined(moves: Sequence[JobMoved], *runs: Sequence[Mapping[str, Any]]) -> list[Test]:
    session_log = SessionLog(Path("journal"), opened())
    for move in moves:
        session_log.moves.setdefault(move.number, []).append(move)
    report = ReframeReport.model_validate(results(*runs)) if runs else None
    return join_tests(timelines_of(session_log, BEGUN + 100), report, "/stage")


def done(number: int, begin: float = 1.0, **more: object) -> list[JobMoved]:
    return lived(number, begin=begin, staging=1, queue=1, run=1, retrieval=1, **more)


def test_a_build_and_a_run_are_one_test() -> None:
    place = "/stage/alps/gpu/gnu/t"
    moves = [*done(1, directory=place, nodes="nid1"), *done(2, 10, directory=place, nodes="nid2")]
    [test] = joined(moves, [case("t", jobid="1002", time_total=14.5, display_name="t %a=1")])
    assert (test.name, test.where, test.verdict) == ("t %a=1", "alps:gpu+gnu", Verdict.PASSED)
    assert (test.jobs, test.nodes, test.seconds) == (["1001", "1002"], "nid2", 14.5)
    assert [span.begin - BEGUN for span in test.spans if span.part == "staging"] == [1, 10]


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        ("pass", Verdict.PASSED),
        ("fail", Verdict.FAILED),
        ("abort", Verdict.ABORTED),
        ("xfail", Verdict.XFAILED),
        ("xpass", Verdict.XPASSED),
        ("skip", Verdict.SKIPPED),
        ("fail_deps", Verdict.SKIPPED),
        ("of another version", Verdict.ENDED),
    ],
)
def test_the_verdict_is_reframes(result: str, verdict: Verdict) -> None:
    [test] = joined([], [case("t", result=result)])
    assert test.verdict is verdict


def test_a_test_that_was_tried_again_is_what_it_came_to() -> None:
    again = "/stage/alps/gpu/gnu/t_retry1"
    moves = [*done(1, directory="/stage/alps/gpu/gnu/t"), *done(2, 10, directory=again)]
    failed = case("t", result="fail", fail_phase="sanity", fail_reason="why", time_total=3.0)
    [test] = joined(moves, [failed], [case("t", stagedir=again, time_total=4.0)])
    assert (test.verdict, test.attempts, test.seconds) == (Verdict.PASSED, 2, 7.0)
    assert (test.phase, test.reason) == ("", "")
    assert test.jobs == ["1001", "1002"]


def test_of_a_test_that_is_repeated_although_it_passed_every_run_counts() -> None:
    failed = case("t", result="fail", fail_phase="sanity", fail_reason="why", stagedir="/second")
    [test] = joined([], [case("t")], [failed], [case("t")])
    assert (test.verdict, test.attempts) == (Verdict.FAILED, 3)
    assert (test.phase, test.reason, test.directory) == ("sanity", "why", "/second")


def test_the_same_test_in_another_environment_is_another_test() -> None:
    assert len(joined([], [case("t"), case("t", environ="cray"), case("t", partition="cpu")])) == 3


def test_what_wants_to_be_seen_first_is_first() -> None:
    moves = [*done(1, 5), *done(2, 1), *done(3, 3)]
    found = joined(moves, [case("t1"), case("t2"), case("t3", result="fail"), case("t4", result="skip")])
    assert [test.name for test in found] == ["t3", "t4", "t2", "t1"]


@pytest.mark.parametrize("ahead", [3600.0, 86_400.0])
def test_a_clock_of_slurms_that_is_ahead_makes_no_test_longer(ahead: float) -> None:
    timed = case("t", job_submit_time=BEGUN + 1, job_completion_time_unix=BEGUN + 9 + ahead, time_total=10.0)
    [test] = joined([], [timed])
    assert [span.seconds for span in test.spans] == [10]


def test_without_a_journal_a_test_has_its_beginning_and_its_end() -> None:
    timed = case(
        "t",
        job_submit_time=BEGUN + 1,
        job_completion_time_unix=BEGUN + 9,
        jobid="7",
        job_nodelist=["a", "b"],
        time_total=10.0,
    )
    [test, _] = joined([], [timed, case("u", job_submit_time=BEGUN + 1)])
    [span] = test.spans
    assert (span.part, span.seconds) == (WHOLE, 8)
    assert (test.jobs, test.nodes) == (["7"], "a,b")


def test_a_job_that_slurm_never_had_has_no_id() -> None:
    never = [job(1, 1, "queued"), job(1, 2, "failed", error="no such partition")]
    assert joined(never, [case("t1", jobid="firecrest-1", result="fail")])[0].jobs == []
    assert joined([], [case("t1", jobid="firecrest-1", result="fail")])[0].jobs == []


def test_a_test_that_failed_while_it_was_compiled_has_that_output() -> None:
    names = {"build_stdout": "rfm_build.out", "build_stderr": "rfm_build.err"}
    built, ran = joined(
        [],
        [
            case("a", result="fail", fail_phase="compile_wait", **names),
            case("b", result="fail", fail_phase="sanity", **names),
        ],
    )
    assert built.outputs == ["rfm_build.out", "rfm_build.err"]
    assert ran.outputs == ["rfm_job.out", "rfm_job.err"]


def test_a_skipped_test_reports_why() -> None:
    [test] = joined([], [case("t", result="fail_deps")])
    assert test.reason == "a test that it depends on failed"


@pytest.mark.parametrize(
    ("moves", "verdict", "phase", "reason"),
    [
        (done(1), Verdict.ENDED, "", ""),
        (done(1)[:-1], Verdict.UNFINISHED, "", ""),
        (done(1, state="FAILED", exit_code=3), Verdict.FAILED, "run", "Slurm: FAILED, exit code 3"),
        ([*done(1)[:2], job(1, 3, "failed", error="no space")], Verdict.FAILED, "staging", "no space"),
        ([*done(1)[:4], job(1, 3, "cancelled", error="by hand")], Verdict.ABORTED, "submitted", "by hand"),
    ],
)
def test_without_a_report_the_job_shows_the_result(
    moves: list[JobMoved], verdict: Verdict, phase: str, reason: str
) -> None:
    [test] = joined(moves)
    assert (test.name, test.where) == ("t1", "alps:gpu+gnu")
    assert (test.verdict, test.phase, test.reason) == (verdict, phase, reason)
    assert "rfm_job.err" in test.outputs


@pytest.mark.parametrize("directory", ["/elsewhere/t", "/stage/deep/t", "/stage"])
def test_a_directory_in_another_place_has_a_name_all_the_same(directory: str) -> None:
    [test] = joined(done(1, directory=directory))
    assert test.name == directory.rpartition("/")[2]
    assert not test.where


def test_jobs_that_the_report_does_not_know_are_shown_too() -> None:
    found = joined([*done(1), *done(2)], [case("t2")])
    assert [(test.name, test.verdict) for test in found] == [("t1", Verdict.ENDED), ("t2", Verdict.PASSED)]
