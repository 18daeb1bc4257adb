"""When an archive of stage directories need not wait for others."""

from __future__ import annotations

import pytest

from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.job import JobHandle, JobSpec, Phase
from reframe_firecrest.session.stage_in import PAUSE, no_other_is_coming


def job(phase: Phase, age: float = 10 * PAUSE) -> JobHandle:
    handle = JobHandle(JobSpec("rfm_a", "/stage/a", "job.sh", ()), submitted=clock() - age)
    for following in (Phase.STAGING, Phase.SUBMITTING, Phase.SUBMITTED):
        if handle.state.phase is not phase:
            handle.advance(following)
    assert handle.state.phase is phase
    return handle


@pytest.mark.parametrize(
    ("jobs", "waiting", "expected"),
    [
        ([], 1, True),
        ([job(Phase.STAGING), job(Phase.STAGING), job(Phase.SUBMITTED)], 2, True),
        ([job(Phase.STAGING), job(Phase.STAGING)], 1, False),
        ([job(Phase.STAGING), job(Phase.QUEUED)], 1, False),
        # ReFrame may be submitting one after the other.
        ([job(Phase.STAGING, age=-86_400.0)], 1, False),
    ],
    ids=["none", "all", "staging", "queued", "new"],
)
def test_a_job_that_is_being_prepared_or_was_just_submitted_is_waited_for(
    jobs: list[JobHandle], waiting: int, expected: bool
) -> None:
    assert no_other_is_coming(jobs, waiting) is expected
