"""Breakdown of the time of jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from reframe_firecrest.commands.report.reframe_report import ReframeReport
from reframe_firecrest.commands.report.time_breakdown import (
    STEPS,
    concurrency_over_time,
    reframe_time_breakdown,
    time_breakdown,
)
from reframe_firecrest.journal.reader import SessionLog
from reframe_firecrest.journal.timeline import JobTimeline, timelines_of
from tests.commands.report.worlds import BEGUN, case, lived, opened, results


def timelines(*queues: float) -> list[JobTimeline]:
    session_log = SessionLog(Path("journal"), opened())
    for number, queue in enumerate(queues, 1):
        session_log.moves[number] = lived(number, begin=0, staging=10, queue=queue, run=10, retrieval=0)
    return timelines_of(session_log, BEGUN + 100)


def test_each_part_has_its_total_its_median_and_its_slowest() -> None:
    found = time_breakdown(timelines(1, 2, 3, 4, 90), {"/stage/alps/gpu/gnu/t5": "Slow %x=5"})
    assert [part.part for part in found] == ["staging", "queue", "run", "retrieval"]
    queue = found[1]
    assert (queue.count, queue.total, queue.median, queue.longest) == (5, 100, 3, 90)
    assert queue.most == pytest.approx(55.6)
    assert queue.slowest == [("Slow %x=5", 90), ("rfm_t4", 4), ("rfm_t3", 3)]
    assert found[3].slowest == []


def test_builds_are_distinguished_from_runs() -> None:
    session_log = SessionLog(Path("journal"), opened())
    session_log.moves[1] = lived(1, begin=0, staging=1, queue=1, run=1, retrieval=1, name="rfm_build_t1")
    [part, *_] = time_breakdown(timelines_of(session_log, BEGUN), {"/stage/alps/gpu/gnu/t1": "T"})
    assert part.slowest == [("T (build)", 1)]
    assert part.most == 1


def test_reframes_own_work_is_counted_where_it_is_known() -> None:
    cases = [case("a", time_setup=1.0, time_sanity=2.0), case("b", time_setup=3.0, time_sanity=None)]
    setup, sanity = reframe_time_breakdown(ReframeReport.model_validate(results(cases)))
    assert (setup.part, setup.total, setup.count) == ("setup", 4, 2)
    assert (sanity.part, sanity.total, sanity.count) == ("sanity", 2, 1)
    assert reframe_time_breakdown(None) == []


def test_the_crowd_is_as_large_as_the_jobs_that_are_under_way() -> None:
    crowd = concurrency_over_time(timelines(0, 10), BEGUN, BEGUN + 40)
    assert crowd["staging"][0] == pytest.approx(2)
    assert crowd["staging"][STEPS // 2] == 0
    assert (crowd["run"][STEPS * 3 // 8], crowd["run"][STEPS * 5 // 8]) == pytest.approx((1, 1))
    assert sum(crowd["queue"]) * 40 / STEPS == pytest.approx(10)
    assert sum(concurrency_over_time(timelines(1), BEGUN, BEGUN)["run"]) == 0
