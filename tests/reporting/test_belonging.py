"""Which journal and which report are of the same run."""

from __future__ import annotations

from pathlib import Path

import pytest

from reframe_firecrest.errors import RunError
from reframe_firecrest.reporting.belonging import run_of
from reframe_firecrest.reporting.results import Results
from tests.reporting.conftest import Journals
from tests.reporting.worlds import BEGUN, RUN, case, job, opened, results

REPORT = Results.model_validate(results([case("t1")], end=100))


def name(seconds: int, part: str = "0a1b2c") -> str:
    return f"20270115-08{seconds // 60:02}{seconds % 60:02}-runner-{part}"


def test_the_run_of_a_report_is_found_among_others(tmp_path: Path, journal: Journals) -> None:
    other = job(1, 5, "queued", directory="/elsewhere/t1")
    journal([opened(run=name(5), begun=BEGUN + 5), other], name(5))
    journal([opened(), job(1, 1, "queued")])
    journal([opened(run=name(200), begun=BEGUN + 200), job(1, 201, "queued")], name(200))
    journal([opened(run="by-hand"), job(1, 1, "queued")], "by-hand")
    assert run_of(tmp_path / "journals", REPORT).name == RUN


def test_a_run_in_which_no_job_was_handed_over_is_known_by_its_time(
    tmp_path: Path, journal: Journals
) -> None:
    journal([opened()])
    assert run_of(tmp_path / "journals", REPORT).name == RUN


def test_a_run_of_the_same_checks_at_another_time_is_another_run(tmp_path: Path, journal: Journals) -> None:
    journal([opened(run=name(101), begun=BEGUN + 101), job(1, 102, "queued")], name(101))
    with pytest.raises(RunError, match="there is no journal of this report's run"):
        run_of(tmp_path / "journals", REPORT)
    with pytest.raises(RunError, match="FIRECREST_JOURNAL_DIR"):
        run_of(tmp_path / "nothing", REPORT)
