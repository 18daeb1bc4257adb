"""Patch of ReFrame: report the tests of a run and their results as they become known.

Patched: ``__init__`` and ``_notify_listeners`` of ``RegressionTask`` in ``reframe.frontend.executors``, as of
ReFrame 4.10.4; other versions without them are left alone. Read: the task's ``check``, ``testcase``,
``result`` and ``failed_stage``.

Reason: a scheduler sees jobs, neither tests nor their results, and ReFrame's list of listeners belongs to the
execution policy, which a plugin can't reach.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from reframe_firecrest.model.case_state import CaseKey, CaseState

RESULT_KNOWN = frozenset(
    {
        "on_task_success",
        "on_task_failure",
        "on_task_xfailure",
        "on_task_xsuccess",
        "on_task_skip",
        "on_task_abort",
    }
)
"""Calls after which a test has a result."""


class CaseRecorder(Protocol):
    """Recorder of the states of test cases; a session is one."""

    def note_cases(self, cases: list[CaseState]) -> None:
        """Record the states of test cases."""


class PartitionCases:
    """Test cases of one partition. Used on ReFrame's thread only."""

    def __init__(self) -> None:
        self._cases: dict[CaseKey, CaseState] = {}
        self._names: dict[str, str] = {}
        self._recorders: list[CaseRecorder] = []

    @property
    def cases(self) -> Mapping[CaseKey, CaseState]:
        """All test cases by their names and places."""
        return self._cases

    def note(self, case: CaseState) -> None:
        """Note the state of a test case, unless it is known already."""
        if self._cases.get(case.key) == case:
            return
        self._cases[case.key] = case
        self._names[case.directory] = case.name
        for recorder in self._recorders:
            recorder.note_cases([case])

    def report_to(self, recorder: CaseRecorder) -> None:
        """Report all test cases to a recorder, and every change from now on."""
        self._recorders.append(recorder)
        recorder.note_cases([*self._cases.values()])

    def name_in(self, directory: str) -> str:
        """Return the name of the test in a stage directory; empty if it is unknown."""
        return self._names.get(directory, "") if directory else ""


def observe_test_cases() -> None:
    """Report test cases to the schedulers of their partitions from now on."""
    # Only ReFrame's command line imports it.
    executors = sys.modules.get("reframe.frontend.executors")
    task = getattr(executors, "RegressionTask", None)
    if task is not None and hasattr(task, "_notify_listeners"):
        task.__init__ = _noting_new(task.__init__)
        task._notify_listeners = _noting_event(task._notify_listeners)


def _noting_new(initialise: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(initialise)
    def initialise_and_note(self: Any, *args: Any, **kwargs: Any) -> None:
        initialise(self, *args, **kwargs)
        _note(self, "")

    return initialise_and_note


def _noting_event(notify: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    @functools.wraps(notify)
    def note_and_notify(self: Any, event: str) -> None:
        # ReFrame's own listeners may end the run.
        _note(self, event)
        notify(self, event)

    return note_and_notify


def _note(task: Any, event: str) -> None:
    # Another version of ReFrame may lack an attribute; the run must continue.
    with suppress(AttributeError, TypeError):
        partition = task.testcase.partition
        cases = getattr(partition.scheduler, "test_cases", None)
        if isinstance(cases, PartitionCases):
            cases.note(_state_of(task, result_known=event in RESULT_KNOWN))


def _state_of(task: Any, *, result_known: bool) -> CaseState:
    partition = task.testcase.partition
    return CaseState(
        name=task.check.display_name,
        where=f"{partition.fullname}+{task.testcase.environ.name}",
        directory=task.check.stagedir or "",
        result=task.result if result_known else "",
        stage=(task.failed_stage or "") if result_known else "",
    )
