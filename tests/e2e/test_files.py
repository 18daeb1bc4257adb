"""Files that can't be read, fetched or named easily: a verdict is the one that ReFrame has on the system."""

from __future__ import annotations

import os

import pytest

from tests.conftest import GatewayUnderTest
from tests.e2e.conftest import SUITE, ReFrame
from tests.e2e.test_suites import passed

pytestmark = pytest.mark.e2e

PLAIN = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
"""An environment in which Python can show and name nothing beyond ASCII."""


def test_what_can_not_be_read_there_does_not_fail_a_test(reframe: ReFrame, gateway: GatewayUnderTest) -> None:
    if gateway.embedded and os.geteuid() == 0:
        pytest.skip("jobs of the embedded runner are root's here, and root reads everything")
    outcome = reframe.run([str(SUITE / "unreadable.py")])
    cases = outcome.cases()
    assert passed(outcome) == [
        "LeavesADirectory",
        "LeavesADirectoryThatIsOnlyListed",
        "LeavesAFile",
        "LeavesOddThings",
    ], outcome.output
    assert "left on the system" in cases["ReadsTheFile"]["fail_reason"]
    assert "it can't be listed: permission denied" in cases["ListsTheDirectory"]["fail_reason"]
    assert "rfm_job.out was not retrieved" in cases["ClosesItsOutput"]["fail_reason"]


def test_odd_things_come_or_are_left(reframe: ReFrame) -> None:
    outcome = reframe.run([str(SUITE / "unreadable.py")], "-n", "LeavesOddThings", "--keep-stage-files")
    assert passed(outcome) == ["LeavesOddThings"], outcome.output
    assert "LeavesOddThings/pipe: it is not a regular file" in outcome.output


def test_placeholders_of_an_earlier_session_are_no_data(reframe: ReFrame) -> None:
    suite = str(SUITE / "restored.py")
    first = reframe.run([suite], "-n", "LeavesFiles", "--keep-stage-files")
    assert passed(first) == ["LeavesFiles"], first.output
    kept = reframe.directory / "kept.json"
    (reframe.directory / "report.json").rename(kept)
    second = reframe.run([suite], "-n", "Needs|Reads", f"--restore-session={kept}")
    assert passed(second) == ["NeedsTheResult"], second.output
    cases = second.cases()
    for name in ("NeedsTheLog", "NeedsTheDirectory"):
        assert "is a placeholder of an earlier run and can't be sent" in cases[name]["fail_reason"]
    assert "this file was left on the system" in cases["ReadsTheLogHere"]["fail_reason"]


def test_names_beyond_ascii_do_no_harm_where_the_locale_has_none(reframe: ReFrame) -> None:
    outcome = reframe.run([str(SUITE / "beyond_ascii.py")], environment=PLAIN)
    assert passed(outcome) == ["LeavesOne", "MakesThem", "SendsThem"], outcome.output
    assert "this file was left on the system" in outcome.cases()["ReadsWhatItLeft"]["fail_reason"]
    assert "Traceback" not in outcome.output
    assert "Logging error" not in outcome.output
