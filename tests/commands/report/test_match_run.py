"""Which journal and which report are of the same run."""

from __future__ import annotations

from pathlib import Path

import pytest

from reframe_firecrest.commands.report.match_run import find_run
from reframe_firecrest.commands.report.model import report_of
from reframe_firecrest.commands.report.reframe_report import ReframeReport
from reframe_firecrest.model.errors import RunError
from tests.commands.report.conftest import Journals
from tests.commands.report.worlds import BEGUN, RUN, case, job, lived, opened, results

REPORT = ReframeReport.model_validate(results([case("t1", jobid="1001")], end=100))

STEPS = [-10.0, 3600.0, -86_400.0, 0.0]
"""Seconds by which a clock is changed during a run."""


def name(seconds: int, part: str = "0a1b2c") -> str:
    return f"20270115-08{seconds // 60:02}{seconds % 60:02}-runner-{part}"


def test_the_run_of_a_report_is_found_among_others(tmp_path: Path, journal: Journals) -> None:
    other = job(1, 5, "queued", directory="/elsewhere/t1")
    journal([opened(run=name(5), begun=BEGUN + 5, session="b"), other], name(5))
    journal([opened(), job(1, 1, "queued")])
    journal([opened(run=name(200), begun=BEGUN + 200, session="c"), job(1, 201, "queued")], name(200))
    journal([opened(run="by-hand", session=""), job(1, 1, "queued")], "by-hand")
    assert find_run(tmp_path / "journals", REPORT).name == RUN


def test_a_run_in_which_no_job_was_handed_over_is_known_by_its_session(
    tmp_path: Path, journal: Journals
) -> None:
    journal([opened()])
    assert find_run(tmp_path / "journals", REPORT).name == RUN


def test_a_run_of_the_same_checks_at_another_time_is_another_run(tmp_path: Path, journal: Journals) -> None:
    journal([opened(run=name(101), begun=BEGUN + 101, session="b"), job(1, 102, "queued")], name(101))
    with pytest.raises(RunError, match="there is no journal of this report's run"):
        find_run(tmp_path / "journals", REPORT)
    with pytest.raises(RunError, match="FIRECREST_JOURNAL_DIR"):
        find_run(tmp_path / "nothing", REPORT)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("session", ["2814bc29", ""])
def test_a_clock_that_was_set_does_not_part_report_and_journal(
    step: float, session: str, tmp_path: Path, journal: Journals
) -> None:
    """The journal began by one clock, ReFrame's report by another, and nothing fits."""
    jobs = lived(1, begin=1, staging=2, queue=3, run=4, retrieval=1)
    journal([opened(begun=BEGUN + step, session=session), *(_moved(move, step) for move in jobs)])
    run = find_run(tmp_path / "journals", REPORT)
    assert run.name == RUN
    [test] = report_of(run, REPORT).tests
    assert [(span.part, span.seconds) for span in test.spans] == [
        ("staging", 2),
        ("queue", 3),
        ("run", 4),
        ("retrieval", 1),
    ]


def test_without_a_session_in_the_journal_the_same_id_in_another_directory_is_another_job(
    tmp_path: Path, journal: Journals
) -> None:
    elsewhere = lived(1, begin=1, staging=2, queue=3, run=4, retrieval=1, directory="/elsewhere/t1")
    journal([opened(session=""), *elsewhere])
    with pytest.raises(RunError, match="no journal"):
        find_run(tmp_path / "journals", REPORT)


def _moved(event: object, step: float) -> object:
    return event.model_copy(update={"time": event.time + step})  # type: ignore[attr-defined]
