"""Places on a time axis."""

from __future__ import annotations

import pytest

from reframe_firecrest.commands.report.time_axis import axis_of


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0.0, ["0 s", "0.1 s"]),
        (4.2, ["0 s", "0.5 s", "1 s", "1.5 s", "2 s", "2.5 s", "3 s", "3.5 s", "4 s"]),
        (250.0, ["0 s", "30 s", "1 min", "1:30 min", "2 min", "2:30 min", "3 min", "3:30 min", "4 min"]),
        (9000.0, ["0 s", "20 min", "40 min", "1 h", "1:20 h", "1:40 h", "2 h", "2:20 h"]),
        (30 * 86_400.0, ["0 s", *(f"{days} d" for days in range(3, 31, 3))]),
    ],
)
def test_ticks_are_round_and_not_too_many(seconds: float, labels: list[str]) -> None:
    assert [label for _, label in axis_of(1000.0, 1000.0 + seconds).ticks] == labels


@pytest.mark.parametrize(
    ("seconds", "last"),
    [
        (4.2, [("3 s", False), ("", False), ("4 s", True)]),
        (34.0, [("20 s", False), ("25 s", False), ("30 s", False)]),
        (260.0, [("3 min", False), ("", False), ("4 min", True)]),
        (0.0, [("0 s", False), ("0.1 s", True)]),
    ],
)
def test_a_label_left_of_its_tick_has_room(seconds: float, last: list[tuple[str, bool]]) -> None:
    labels = axis_of(1000.0, 1000.0 + seconds).labels
    assert [(text, end) for _, text, end in labels][-len(last) :] == last


def test_places_are_parts_of_the_whole_and_never_beside_it() -> None:
    axis = axis_of(1000.0, 1200.0)
    assert [axis.place(moment) for moment in (900, 1000, 1050, 1200, 1300)] == [0, 0, 25, 100, 100]
    assert axis.ticks[1] == (10, "20 s")
