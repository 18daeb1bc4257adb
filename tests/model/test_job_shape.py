from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.model.job_shape import SINGLE, JobShape, in_words, index_of
from tests.fuzzing import examples

TEN = JobShape(frozenset(range(10)))


@pytest.mark.parametrize(
    ("job_ids", "missing"),
    [
        ([], set(range(10))),
        (["408"], set(range(10))),
        ([f"408_{number}" for number in range(10)], set()),
        ([f"408_{number}" for number in range(7)], {7, 8, 9}),
        (["408_0", "408_[1-9]"], set()),
        (["408_0", "408_[1-9%2]"], set()),
        (["408_[0-9:2]", "408_[1,5-7]"], {3, 9}),
        (["408_[1,3,...]", "408_0", "408_2"], set()),
        (["408_[1,3,...]", "408_0"], {2}),
        (["408_[x,-,3-1,5-5:0]", "408_"], set(range(10)) - {5}),
        (["408+0"], set(range(10))),
    ],
)
def test_tasks_that_no_listed_id_stands_for_are_missing(job_ids: list[str], missing: set[int]) -> None:
    assert TEN.missing(job_ids) == missing


def test_the_components_of_a_heterogeneous_job_can_be_missing() -> None:
    assert JobShape(components=3).missing(["9+0", "9+2"]) == {1}
    assert JobShape(components=3).missing(["9"]) == {0, 1, 2}


def test_nothing_is_missing_of_a_job_of_one_part() -> None:
    assert not SINGLE.missing(["7"])
    assert not SINGLE.missing([])


@given(st.text("[]_,-:%.0123456789+ \uff11x"))
@examples(200)
def test_whatever_an_id_reads_like_the_answer_is_quick_and_within_the_tasks(text: str) -> None:
    assert TEN.missing([f"408_{text}", text]) <= TEN.tasks
    assert TEN.missing(["408_[0-999999999]"]) == set()


def test_a_message_names_the_first_indices() -> None:
    assert in_words({3, 1, 2}) == "1, 2, 3"
    assert in_words(range(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"


def test_a_task_has_an_index() -> None:
    assert index_of("408_7") == 7
    assert [index_of(job_id) for job_id in ("408_[7-9]", "408", "9+1")] == [None] * 3
