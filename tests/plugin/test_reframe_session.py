"""ReFrame's id of its session, as its report has it."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from reframe.frontend import reporting

from reframe_firecrest.plugin import reframe_session


def test_the_id_is_that_of_the_report_that_reframe_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reframe_session, "_ids", [])
    monkeypatch.setattr(reporting.RunReport, "__init__", reporting.RunReport.__init__)
    assert reframe_session.session_id() == ""
    reframe_session.remember_sessions()
    report = reporting.RunReport()
    assert reframe_session.session_id() == report["session_info"]["uuid"] != ""


@pytest.mark.parametrize("attributes", [{}, {"RunReport": type("RunReport", (), {})}])
def test_another_reframe_has_no_session(
    attributes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("reporting")
    vars(module).update(attributes)
    monkeypatch.setitem(sys.modules, "reframe.frontend.reporting", module)
    monkeypatch.setattr(reframe_session, "_ids", [])
    reframe_session.remember_sessions()
    for report in attributes.values():
        report()  # type: ignore[operator]
    assert reframe_session.session_id() == ""
