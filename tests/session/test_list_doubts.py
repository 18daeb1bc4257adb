"""Which states of lists are confirmed, and how often: each confirmation costs as much as a whole list."""

from __future__ import annotations

import pytest

from reframe_firecrest.model.slurm_states import ENDED, summarise
from reframe_firecrest.session.list_doubts import LIMIT_GRACE, SELDOM, SOON, confirm_after, is_doubtful
from tests.model.test_slurm_states import part

OLD = (
    "REQUEUED REQUEUE_HOLD REQUEUE_FED SPECIAL_EXIT SUSPENDED STOPPED RESIZING COMPLETING PREEMPTED "
    "RESV_DEL_HOLD SIGNALING STAGE_OUT SOMETHING_NEW"
)


@pytest.mark.parametrize("state", [*OLD.split(), ""])
def test_a_state_that_can_be_old_is_confirmed_soon(state: str) -> None:
    assert is_doubtful(summarise([part("7", state)]))
    assert confirm_after(summarise([part("7_1"), part("7_2", state)])) == SOON <= 20


@pytest.mark.parametrize("state", ["PENDING", "CONFIGURING", "RUNNING"])
def test_a_state_of_the_queue_is_confirmed_seldom(state: str) -> None:
    assert confirm_after(summarise([part("7", state)])) == SELDOM
    # A hundred jobs that wait cost fewer than four questions a minute.
    assert 100 / SELDOM * 60 < 4


def test_a_job_that_runs_past_its_limit_is_confirmed_soon() -> None:
    def running(beyond: float) -> bool:
        return is_doubtful(summarise([part("7", "RUNNING", limit=60.0, elapsed=60.0 + beyond)]))

    assert not running(LIMIT_GRACE - 1)
    assert running(LIMIT_GRACE + 1)


@pytest.mark.parametrize("state", sorted(ENDED))
def test_what_has_ended_is_not_confirmed_for_being_old(state: str) -> None:
    assert not is_doubtful(summarise([part("7", state)]))
