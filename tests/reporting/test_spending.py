"""Where the time went."""

from __future__ import annotations

from pathlib import Path

import pytest

from reframe_firecrest.journal.reading import Story
from reframe_firecrest.overview.lanes import Lane, lanes_of
from reframe_firecrest.reporting.results import Results
from reframe_firecrest.reporting.spending import STEPS, crowd_of, own_spending_of, spending_of
from tests.reporting.worlds import BEGUN, case, lived, opened, results


def lanes(*queues: float) -> list[Lane]:
    story = Story(Path("journal"), opened())
    for number, queue in enumerate(queues, 1):
        story.moves[number] = lived(number, begin=0, staging=10, queue=queue, run=10, retrieval=0)
    return lanes_of(story, BEGUN + 100)


def test_each_part_has_its_total_its_median_and_its_slowest() -> None:
    found = spending_of(lanes(1, 2, 3, 4, 90), {"/stage/alps/gpu/gnu/t5": "Slow %x=5"})
    assert [part.part for part in found] == ["staging", "queue", "run", "retrieval"]
    queue = found[1]
    assert (queue.count, queue.total, queue.median, queue.longest) == (5, 100, 3, 90)
    assert queue.most == pytest.approx(55.6)
    assert queue.slowest == [("Slow %x=5", 90), ("rfm_t4", 4), ("rfm_t3", 3)]
    assert found[3].slowest == []


def test_builds_are_told_from_runs() -> None:
    story = Story(Path("journal"), opened())
    story.moves[1] = lived(1, begin=0, staging=1, queue=1, run=1, retrieval=1, name="rfm_build_t1")
    [part, *_] = spending_of(lanes_of(story, BEGUN), {"/stage/alps/gpu/gnu/t1": "T"})
    assert part.slowest == [("T (build)", 1)]
    assert part.most == 1


def test_reframes_own_work_is_counted_where_it_is_known() -> None:
    cases = [case("a", time_setup=1.0, time_sanity=2.0), case("b", time_setup=3.0, time_sanity=None)]
    setup, sanity = own_spending_of(Results.model_validate(results(cases)))
    assert (setup.part, setup.total, setup.count) == ("setup", 4, 2)
    assert (sanity.part, sanity.total, sanity.count) == ("sanity", 2, 1)
    assert own_spending_of(None) == []


def test_the_crowd_is_as_large_as_the_jobs_that_are_under_way() -> None:
    crowd = crowd_of(lanes(0, 10), BEGUN, BEGUN + 40)
    assert crowd["staging"][0] == pytest.approx(2)
    assert crowd["staging"][STEPS // 2] == 0
    assert (crowd["run"][STEPS * 3 // 8], crowd["run"][STEPS * 5 // 8]) == pytest.approx((1, 1))
    assert sum(crowd["queue"]) * 40 / STEPS == pytest.approx(10)
    assert sum(crowd_of(lanes(1), BEGUN, BEGUN)["run"]) == 0
