"""Timelines of jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from reframe_firecrest.journal.events import JobMoved
from reframe_firecrest.journal.reader import SessionLog
from reframe_firecrest.journal.timeline import JobTimeline, timelines_of
from tests.commands.report.worlds import BEGUN, job, lived, opened


def timelines(*moves: JobMoved, now: float = 100.0) -> list[JobTimeline]:
    session_log = SessionLog(Path("journal"), opened())
    for move in moves:
        session_log.moves.setdefault(move.number, []).append(move)
    return timelines_of(session_log, BEGUN + now)


def spans(timeline: JobTimeline) -> list[tuple[str, float, float]]:
    return [(span.part, round(span.begin - BEGUN, 3), round(span.end - BEGUN, 3)) for span in timeline.spans]


def test_a_job_goes_through_all_four_parts() -> None:
    [timeline] = timelines(*lived(1, begin=1, staging=2, queue=3, run=4, retrieval=5))
    assert spans(timeline) == [("staging", 1, 3), ("queue", 3, 6), ("run", 6, 10), ("retrieval", 10, 15)]
    assert (timeline.last.phase, timeline.last.job_id) == ("done", "1001")
    assert (timeline.over, timeline.system) == (True, "alps")


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([job(1, 1, "queued")], [("staging", 1, 100)]),
        ([job(1, 1, "queued"), job(1, 4, "failed", error="no space")], [("staging", 1, 4)]),
        (
            [job(1, 1, "queued"), job(1, 4, "submitted", state="PENDING")],
            [("staging", 1, 4), ("queue", 4, 100), ("run", 100, 100)],
        ),
        (
            [
                job(1, 1, "queued"),
                job(1, 4, "submitted"),
                job(1, 60, "submitted", state="RUNNING", elapsed=20.0),
            ],
            [("staging", 1, 4), ("queue", 4, 40), ("run", 40, 100)],
        ),
        (
            [
                job(1, 1, "queued"),
                job(1, 4, "submitted"),
                job(1, 30, "cancelled", state="CANCELLED", elapsed=6.0),
            ],
            [("staging", 1, 4), ("queue", 4, 24), ("run", 24, 30)],
        ),
        (
            [*lived(1, begin=1, staging=2, queue=3, run=4, retrieval=5)][:-1],
            [("staging", 1, 3), ("queue", 3, 6), ("run", 6, 10), ("retrieval", 10, 100)],
        ),
    ],
)
def test_a_job_that_has_not_come_to_its_end_has_come_so_far(
    moves: list[JobMoved], expected: list[tuple[str, float, float]]
) -> None:
    [timeline] = timelines(*moves)
    assert spans(timeline) == expected


def test_a_job_never_runs_for_longer_than_slurm_had_it() -> None:
    [timeline] = timelines(job(1, 1, "queued"), job(1, 4, "submitted"), job(1, 6, "retrieving", elapsed=10.0))
    assert spans(timeline)[:3] == [("staging", 1, 4), ("queue", 4, 4), ("run", 4, 6)]


def test_jobs_are_in_the_order_of_their_numbers_and_unknown_phases_pass() -> None:
    first, second = timelines(
        job(2, 1, "queued"), job(1, 2, "queued"), job(1, 3, "paused"), job(1, 4, "cancelled")
    )
    assert (first.last.name, second.last.name) == ("rfm_t1", "rfm_t2")
    assert first.before == "paused"
    assert (second.before, second.over) == ("queued", False)
