"""One job for one submission, and what the job itself says of its run."""

from __future__ import annotations

from pathlib import Path

import pytest

from reframe_firecrest.journal.reader import session_logs
from tests.conftest import GatewayUnderTest
from tests.e2e.conftest import SUITE, Outcome, ReFrame
from tests.e2e.meddler import Meddler, meddling
from tests.e2e.outside import outside

pytestmark = pytest.mark.e2e

GUARDED = str(SUITE / "guarded.py")


def results(outcome: Outcome) -> dict[str, str]:
    return {name: case["result"] for name, case in outcome.cases().items()}


@pytest.mark.parametrize(("kind", "seconds"), [("late", 9.0), ("late", 2.5), ("503", 0.0)])
def test_a_submission_whose_answer_was_lost_runs_once(
    reframe: ReFrame, gateway: GatewayUnderTest, tmp_path: Path, kind: str, seconds: float
) -> None:
    with outside(gateway) as system:
        meddler = Meddler(gateway.variables["FIRECREST_URL"], kind, seconds)
        with meddling(meddler) as url:
            environment = {"FIRECREST_URL": url, "FIRECREST_JOURNAL_DIR": str(tmp_path)}
            outcome = reframe.run([GUARDED], "-t", "once", environment=environment)
        [case] = outcome.cases().values()
        assert case["result"] == "pass", outcome.output
        [session_log] = session_logs(tmp_path)
        assert case["jobid"] in system.states()
        assert system.active(session_log.opened.run) == []
    assert meddler.answers[0] < 300
    # One that acts soon enough is found before anything is sent again. A proxy's 503 is as uncertain as a
    # broken connection, so it is looked into as well. Where looking takes longer than 9 s, as on a loaded
    # machine or with FirecREST v1, the late job is found too.
    assert meddler.submissions in ((1, 2) if seconds == 9.0 else (1,))


def test_changes_that_no_listing_shows_are_fetched(reframe: ReFrame) -> None:
    outcome = reframe.run([GUARDED], "-t", "changes")
    assert set(results(outcome).values()) == {"pass"}, outcome.output
    assert len(results(outcome)) == 3


def test_a_failure_of_our_own_steps_fails_the_test_with_that_reason(reframe: ReFrame) -> None:
    outcome = reframe.run([GUARDED], "-t", "steps")
    assert results(outcome) == {"SharesFirst": "pass", "SharesSecond": "pass", "SharesInVain": "fail"}
    assert "could not copy its inputs on the system" in outcome.cases()["SharesInVain"]["fail_reason"]
