"""Leftovers after cleaning up are reported."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.killed import Cleaned, line
from tests.faults.onlooker import Seen

NOTHING = Seen(jobs={"rfm_A CANCELLED": 2, "rfm_B COMPLETED": 1}, unfinished=[], remote=[])
RUN = {"cancelled": ["7", "8"], "removed": True, "problems": []}
GOOD = Cleaned(0, [RUN], "", 3.2, NOTHING)


def test_a_line_reports_that_nothing_is_left() -> None:
    assert line(7.25, GOOD) == (
        "killed after 7.2 s: 3 jobs by then, 2 cancelled, 1 directories removed in 3 s: nothing left"
    )


@pytest.mark.parametrize(
    ("cleaned", "complaint"),
    [
        (replace(GOOD, code=1, errors="no answer\n"), "exit code 1: no answer"),
        (replace(GOOD, runs=[{**RUN, "problems": ["it can't be reached"]}]), "it can't be reached"),
        (
            replace(GOOD, seen=replace(NOTHING, unfinished=["rfm_A RUNNING"])),
            "left running: rfm_A RUNNING",
        ),
        (replace(GOOD, seen=replace(NOTHING, remote=["@/.transfer"])), "left on the system: @/.transfer"),
    ],
)
def test_what_is_left_is_reported(cleaned: Cleaned, complaint: str) -> None:
    assert cleaned.complaints == [complaint]
    assert line(1.0, cleaned).endswith(f": {complaint}")
