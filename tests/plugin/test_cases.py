"""Test cases of a run, as ReFrame's command line runs them."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from reframe.frontend import executors

from reframe_firecrest.model.case_state import CaseState
from reframe_firecrest.plugin import cases as observed
from reframe_firecrest.plugin.cases import PartitionCases


class Recorder:
    def __init__(self) -> None:
        self.seen: list[CaseState] = []

    def note_cases(self, cases: list[CaseState]) -> None:
        self.seen += cases


class Task:
    """The attributes of ReFrame's task that are used."""

    def __init__(self, case: Any) -> None:
        self.testcase = case
        self.check = case.check
        self.result, self.failed_stage = "<unknown>", None
        self.events: list[str] = []

    def _notify_listeners(self, event: str) -> None:
        self.events.append(event)


@pytest.fixture
def cases() -> PartitionCases:
    return PartitionCases()


@pytest.fixture
def task(cases: PartitionCases, monkeypatch: pytest.MonkeyPatch) -> Any:
    class Patched(Task):
        def __init__(self, case: Any) -> None:
            super().__init__(case)

        def _notify_listeners(self, event: str) -> None:
            super()._notify_listeners(event)

    module = ModuleType("executors")
    module.RegressionTask = Patched  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "reframe.frontend.executors", module)
    observed.observe_test_cases()
    partition = SimpleNamespace(fullname="daint:gpu", scheduler=SimpleNamespace(test_cases=cases))
    check = SimpleNamespace(display_name="Sleeper %n=0", stagedir=None)
    return Patched(SimpleNamespace(check=check, partition=partition, environ=SimpleNamespace(name="gnu")))


STARTED = CaseState("Sleeper %n=0", "daint:gpu+gnu")


def test_what_is_patched_exists_in_this_reframe() -> None:
    assert callable(executors.RegressionTask._notify_listeners)
    for name in ("result", "failed_stage", "check", "testcase"):
        assert isinstance(getattr(executors.RegressionTask, name), property)
    for event in observed.RESULT_KNOWN:
        assert hasattr(executors.TaskEventListener, event)


def test_a_test_is_known_before_it_is_set_up(task: Any, cases: PartitionCases) -> None:
    assert [*cases.cases.values()] == [STARTED]


def test_a_result_is_known_at_once(task: Any, cases: PartitionCases) -> None:
    recorder = Recorder()
    cases.report_to(recorder)
    task.check.stagedir = "/stage/t0"
    task._notify_listeners("on_task_setup")
    task._notify_listeners("on_task_run")
    task.result, task.failed_stage = "fail", "sanity"
    task._notify_listeners("on_task_failure")
    assert recorder.seen == [
        STARTED,
        CaseState("Sleeper %n=0", "daint:gpu+gnu", "/stage/t0"),
        CaseState("Sleeper %n=0", "daint:gpu+gnu", "/stage/t0", "fail", "sanity"),
    ]
    assert task.events == ["on_task_setup", "on_task_run", "on_task_failure"]
    assert cases.name_in("/stage/t0") == "Sleeper %n=0"
    assert cases.name_in("/stage/t1") == cases.name_in("") == ""


def test_partitions_of_other_schedulers_are_left_alone(task: Any, cases: PartitionCases) -> None:
    task.testcase.partition.scheduler = object()
    task.result = "pass"
    task._notify_listeners("on_task_success")
    assert [*cases.cases.values()] == [STARTED]
    assert task.events == ["on_task_success"]


def test_another_reframe_continues(task: Any) -> None:
    del task.check.display_name
    task._notify_listeners("on_task_setup")
    assert task.events == ["on_task_setup"]


@pytest.mark.parametrize("attributes", [{}, {"RegressionTask": type("RegressionTask", (), {})}])
def test_a_reframe_without_these_methods_is_left_alone(
    attributes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("executors")
    vars(module).update(attributes)
    monkeypatch.setitem(sys.modules, "reframe.frontend.executors", module)
    observed.observe_test_cases()
