from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reframe.core.schedulers.slurm import slurm_state_completed

from reframe_firecrest.model.job_shape import JobShape
from reframe_firecrest.model.node_sets import expand_nodes
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import ENDED, PENDING, parts_of, summarise


def part(job_id: str, state: str = "COMPLETED", **changes: object) -> JobPart:
    values: dict[str, object] = {
        "job_id": job_id,
        "name": "rfm_hello",
        "state": state,
        "reason": None,
        "exit_code": 0,
        "nodes": "nid001",
        "submitted": 100.0,
        "end": 200.0,
        "working_directory": "/scratch",
        **changes,
    }
    return JobPart(**values)  # type: ignore[arg-type] # the keys are checked by the call itself


def test_a_job_has_started_when_its_first_part_has() -> None:
    parts = [part("1_0", start=150.0), part("1_1", start=120.0), part("1_2"), part("1_3", start=0.0)]
    assert summarise(parts).state.started == 120.0


@pytest.mark.parametrize("state", sorted(PENDING))
def test_the_expected_start_of_a_pending_job_does_not_count(state: str) -> None:
    assert summarise([part("1", state, start=150.0)]).state.started is None
    assert summarise([part("1_0", state, start=90.0), part("1_1", start=150.0)]).state.started == 150.0


@pytest.mark.parametrize("state", sorted(ENDED))
def test_reframe_agrees_that_a_state_is_final(state: str) -> None:
    assert slurm_state_completed(state)


@pytest.mark.parametrize("state", [*sorted(PENDING), "RUNNING", "COMPLETING", "", "SOMETHING_NEW"])
def test_a_job_in_any_other_state_continues(state: str) -> None:
    assert not summarise([part("1", state)]).ended
    assert not slurm_state_completed(state)


def test_an_array_of_which_all_has_ended_or_made_way_is_preempted() -> None:
    assert summarise([part("1_0"), part("1_1", "PREEMPTED")]).preempted
    assert not summarise([part("1_0", "RUNNING"), part("1_1", "PREEMPTED")]).preempted
    assert not summarise([part("1_0")]).preempted


class TestPartsOfAJob:
    def test_a_running_array_counts_each_task_once(self) -> None:
        listed = [part(job_id, "RUNNING") for job_id in ("408_0", "408_1", "408", "409")]
        assert [item.job_id for item in parts_of("408", listed)] == ["408_0", "408_1"]

    def test_an_array_continues_with_tasks_that_only_the_queue_knows(self) -> None:
        listed = [part("408_0"), part("408_1"), part("408", "PENDING", end=None)]
        assert not summarise(parts_of("408", listed)).ended
        assert [item.job_id for item in parts_of("408", [*listed[:2], part("408")])] == ["408_0", "408_1"]

    def test_a_task_that_only_the_queue_knows_keeps_the_array_going(self) -> None:
        listed = [part("408_0"), part("409", "RUNNING", end=None)]
        assert summarise(parts_of("408", listed)).ended
        assert not summarise(parts_of("408", listed, {"409"})).ended
        both = [part("408_0", "RUNNING"), part("409", "RUNNING")]
        assert [item.job_id for item in parts_of("408", both, {"409"})] == ["408_0"]

    def test_a_pending_array_is_one_part(self) -> None:
        listed = [part("9_[0-3]", "PENDING"), part("10", "PENDING")]
        assert [item.job_id for item in parts_of("9", listed)] == ["9_[0-3]"]

    def test_a_heterogeneous_job_has_its_components(self) -> None:
        listed = [part("123+0"), part("123+1"), part("1230")]
        assert [item.job_id for item in parts_of("123", listed)] == ["123+0", "123+1"]

    def test_a_job_that_is_listed_twice_counts_once_as_listed_last(self) -> None:
        listed = [part("7", "RUNNING"), part("7", "COMPLETED")]
        assert [item.state for item in parts_of("7", listed)] == ["COMPLETED"]

    def test_a_job_that_is_not_listed_has_none(self) -> None:
        assert parts_of("7", [part("77"), part("7777")]) == []


class TestSum:
    def test_it_ends_with_its_last_part(self) -> None:
        going = [part("9_0"), part("9_1", "RUNNING", end=None)]
        assert not summarise(going).ended
        assert summarise(going).state.exit_code is None
        assert summarise(going).state.completed is None
        done = summarise([part("9_0", end=200.0), part("9_1", end=300.0)])
        assert done.ended
        assert done.state.completed == 300.0

    def test_it_is_settled_when_every_part_has_an_end(self) -> None:
        assert summarise([part("1", "FAILED")]).settled
        assert not summarise([part("1", "FAILED", end=None)]).settled
        assert not summarise([part("9_0"), part("9_1", end=None)]).settled

    def test_it_is_settled_when_all_of_its_nodes_are_reported(self) -> None:
        reported = replace(part("1"), nodes="nid[1-4]", node_count=4)
        assert summarise([reported]).settled
        assert not summarise([replace(reported, nodes="nid1")]).settled
        # One that was cancelled before it started never had any.
        assert summarise([replace(reported, nodes="")]).settled

    def test_one_failed_task_fails_the_array(self) -> None:
        total = summarise([part("9_0"), part("9_1", "FAILED", exit_code=3)])
        assert total.state.exit_code == 3
        assert total.state.state == "COMPLETED,FAILED"

    def test_the_exit_code_of_a_running_job_is_not_believed(self) -> None:
        assert summarise([part("1", "RUNNING", exit_code=0)]).state.exit_code is None

    def test_the_nodes_of_all_parts_are_named_once(self) -> None:
        total = summarise([part("1+0", nodes="nid[001-002]"), part("1+1", nodes=""), part("1+2")])
        assert total.state.nodes == "nid[001-002],nid001"
        assert expand_nodes(total.state.nodes) == ["nid001", "nid002"]

    def test_the_reason_is_that_of_a_part_that_waits(self) -> None:
        parts = [part("9_0", "RUNNING", reason="Old"), part("9_[1-3]", "PENDING", reason="Resources")]
        assert summarise(parts).state.reason == "Resources"

    @pytest.mark.parametrize(
        ("job_id", "several"), [("9", False), ("9_0", True), ("9_[0-3]", True), ("9+0", True)]
    )
    def test_a_list_that_may_lag_behind_is_distinguished(self, job_id: str, several: bool) -> None:
        assert summarise([part(job_id)]).several is several

    @given(st.lists(st.sampled_from(sorted(ENDED | PENDING | {"RUNNING"})), min_size=1, max_size=5))
    def test_reframe_reads_the_joined_states_as_we_do(self, states: list[str]) -> None:
        total = summarise([part(f"9_{number}", state) for number, state in enumerate(states)])
        assert slurm_state_completed(total.state.state) == total.ended


class TestCompleteness:
    """Slurm's accounting reports tasks late (Slurm 22.05), so a list may be incomplete."""

    THREE = JobShape(frozenset({1, 2, 7}))

    def test_an_array_has_not_ended_until_every_task_of_its_submission_has(self) -> None:
        early = summarise([part("9_1"), part("9_2", exit_code=1)], self.THREE)
        assert (early.ended, early.settled, early.state.exit_code, early.state.completed) == (
            False,
            False,
            None,
            None,
        )
        assert (early.silent, early.preempted) == (True, False)
        assert early.missing == {7}
        whole = summarise([part("9_1"), part("9_2"), part("9_7", "FAILED", exit_code=7)], self.THREE)
        assert (whole.ended, whole.missing, whole.state.exit_code) == (True, frozenset(), 7)

    def test_an_array_of_one_task_waits_for_it_too(self) -> None:
        one = JobShape(frozenset({0}))
        assert not summarise([part("9_1")], one).ended
        assert summarise([part("9_0")], one).ended

    def test_tasks_that_were_cancelled_before_they_started_are_one_entry(self) -> None:
        cancelled = part("9_[2,7]", "CANCELLED", nodes="")
        assert summarise([part("9_1"), cancelled], self.THREE).ended
        assert not summarise([part("9_1"), replace(cancelled, job_id="9_[2-5]")], self.THREE).ended

    def test_an_array_that_was_cancelled_as_a_whole_has_ended(self) -> None:
        assert summarise([part("9", "CANCELLED", nodes="")], self.THREE).ended
        assert not summarise([part("9", "CANCELLED")], self.THREE).ended

    def test_a_heterogeneous_job_has_not_ended_until_every_component_has(self) -> None:
        two = JobShape(components=2)
        assert not summarise([part("9+0")], two).ended
        assert summarise([part("9+0"), part("9+1")], two).ended
