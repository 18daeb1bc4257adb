"""Contents of a run's page."""

from __future__ import annotations

from pathlib import Path

import pytest

from reframe_firecrest.commands.report.model import QUOTED, report_of
from reframe_firecrest.commands.report.reframe_report import ReframeReport
from reframe_firecrest.commands.report.verdicts import Verdict
from reframe_firecrest.journal.events import Closed, Traffic, Transferred
from reframe_firecrest.model.errors import ReportError
from tests.commands.report.conftest import Journals
from tests.commands.report.worlds import BEGUN, RUN, case, job, lived, opened, results


def done(number: int) -> list[object]:
    return [*lived(number, begin=1, staging=1, queue=1, run=1, retrieval=1)]


def test_journal_and_report_are_put_together(journal: Journals) -> None:
    run = journal(
        [
            opened(),
            *done(1),
            *done(2),
            Transferred(time=BEGUN, way="sent", files=3, jobs=1, size=10, seconds=1),
            Traffic(time=BEGUN + 5, requests=9, bytes_sent=100, bytes_received=200),
            Closed(time=BEGUN + 6, left=("12",)),
        ]
    )
    report = report_of(
        run, ReframeReport.model_validate(results([case("t1"), case("t2", result="fail")], end=20))
    )
    assert (report.run, report.standing, report.judged) == (RUN, "ended", True)
    assert (report.host, report.reframe, report.plugin) == ("runner", "4.10.4", "0.1.0")
    assert (report.begin, report.end) == (BEGUN - 1, BEGUN + 20)
    assert report.verdicts == {Verdict.FAILED: 1, Verdict.PASSED: 1}
    [session] = report.sessions
    assert (session.jobs, session.requests, session.bytes_sent, session.batches) == (2, 9, 100, 1)
    assert (session.files_sent, session.left) == (3, ("12",))
    assert [failure.test.name for failure in report.failures] == ["t2"]
    assert [part.part for part in report.spending] == ["staging", "queue", "run", "retrieval"]


def test_the_slowest_are_called_by_their_tests_names_in_each_attempt(journal: Journals) -> None:
    run = journal([opened(), *done(1), *lived(2, begin=9, staging=3, queue=1, run=1, retrieval=1)])
    first = case("t", result="fail", display_name="T %x=1", stagedir="/stage/alps/gpu/gnu/t1")
    second = first | {"stagedir": "/stage/alps/gpu/gnu/t2"}
    report = report_of(run, ReframeReport.model_validate(results([first], [second])))
    assert report.spending[0].slowest == [("T %x=1", 3), ("T %x=1", 1)]


def test_a_killed_run_is_described_by_its_journal_alone(journal: Journals) -> None:
    report = report_of(journal([opened(), *done(1)[:-1], *done(2)]), None)
    assert (report.standing, report.judged) == ("killed", False)
    assert report.end == BEGUN + 5
    assert report.verdicts == {Verdict.UNFINISHED: 1, Verdict.ENDED: 1}


def test_a_report_alone_will_do() -> None:
    report = report_of(None, ReframeReport.model_validate(results([case("t1")])), now=BEGUN)
    assert (report.run, report.standing, report.sessions, report.made) == (None, None, [], BEGUN)
    assert report.verdicts == {Verdict.PASSED: 1}


def test_sessions_of_one_run_share_a_page(journal: Journals) -> None:
    journal([opened(), *done(1)])
    run = journal([opened(system="eiger", begun=BEGUN - 5), *done(2)], system="eiger")
    report = report_of(run, None)
    assert [session.system for session in report.sessions] == ["alps", "eiger"]
    assert len(report.tests) == 2
    assert report.begin == BEGUN - 5


def test_a_report_of_another_run_is_refused(journal: Journals) -> None:
    run = journal([opened(session="another"), *done(1)])
    with pytest.raises(ReportError, match=f"does not belong to the run {RUN}"):
        report_of(run, ReframeReport.model_validate(results([case("other")])))
    with pytest.raises(ReportError, match="neither"):
        report_of(None, None)


def test_failures_have_the_end_of_their_output_but_not_all_of_very_many(tmp_path: Path) -> None:
    (tmp_path / "rfm_job.out").write_text("the end\n")
    bad = [
        case(f"t{number}", result="fail", fail_phase="sanity", fail_reason="same", stagedir=str(tmp_path))
        for number in range(QUOTED)
    ]
    bad.append(case("u", result="abort", fail_reason="other", stagedir=str(tmp_path)))
    report = report_of(None, ReframeReport.model_validate(results(bad)))
    assert len(report.failures) == QUOTED + 1
    [tail] = report.failures[0].outputs or ()
    assert tail.text == "the end"
    assert report.failures[-1].outputs is None
    [cause] = report.causes
    assert (cause.phase, cause.reason, cause.count) == ("sanity", "same", QUOTED)


def test_a_run_in_which_nothing_happened_is_reported_too(journal: Journals) -> None:
    report = report_of(journal([opened(), job(1, 0, "queued")]), None)
    assert report.end == report.begin
    assert report.verdicts == {Verdict.UNFINISHED: 1}
