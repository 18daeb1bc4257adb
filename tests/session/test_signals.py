"""Requests to end, each in a process of its own: handlers are the process's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

COUNTED = """
import signal
from reframe_firecrest.session.signals import count_interrupts, no_time_is_left
{before}
count_interrupts()
for _ in range({times}):
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        pass
print(no_time_is_left())
"""

TERMINATED = """
import signal
from reframe_firecrest.session.signals import exit_was_requested, no_time_is_left
for number in {ignored}:
    signal.signal(number, signal.SIG_IGN)
print(no_time_is_left())
try:
    signal.raise_signal(signal.SIGINT)
    print("ignored")
except KeyboardInterrupt:
    print("heard")
"""


def said(program: str) -> Iterator[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return iter(done.stdout.split())


@pytest.mark.parametrize(("times", "expected"), [(0, "False"), (1, "False"), (2, "True")])
def test_a_second_ctrl_c_leaves_no_time(times: int, expected: str) -> None:
    assert list(said(COUNTED.format(before="", times=times))) == [expected]


def test_a_handler_of_others_is_left_alone() -> None:
    before = "signal.signal(signal.SIGINT, lambda *_: print('theirs'))"
    assert list(said(COUNTED.format(before=before, times=2))) == ["theirs", "theirs", "False"]


def test_after_reframes_handler_ctrl_c_is_heard_again() -> None:
    program = TERMINATED.format(ignored="(signal.SIGTERM, signal.SIGINT)")
    assert list(said(program)) == ["False", "heard"]


def test_a_process_that_was_started_without_ctrl_c_stays_so() -> None:
    program = TERMINATED.format(ignored="(signal.SIGINT,)")
    assert list(said(program)) == ["False", "ignored"]
