"""Outages are logged twice: at the beginning and at the end."""

from __future__ import annotations

import logging

import pytest

from reframe_firecrest.gateway.http import operations, outage_log
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.http.outage_log import OutageLog
from reframe_firecrest.model import errors
from reframe_firecrest.model.errors import GatewayError, TransientError
from reframe_firecrest.model.units import format_duration
from tests.gateway.helpers import Api, answer, make_gateway, run

WHERE = "'daint' at http://gateway.test"


class Watched:
    """An outage log with a clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
        self.now = 1000.0
        monkeypatch.setattr("reframe_firecrest.gateway.http.outage_log.time.monotonic", lambda: self.now)
        caplog.set_level(logging.WARNING)
        self._caplog = caplog
        self.outage_log = OutageLog(WHERE, outage=1800.0)

    def fails(self, operation: Operation, at: float) -> None:
        self.now = 1000.0 + at
        self.outage_log.failed(operation, TransientError(f"{operation.name} on {WHERE} failed: refused"))

    def succeeds(self, operation: Operation, at: float) -> None:
        self.now = 1000.0 + at
        self.outage_log.succeeded(operation)

    @property
    def said(self) -> list[str]:
        return [record.getMessage() for record in self._caplog.records]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Watched:
    return Watched(monkeypatch, caplog)


def test_an_outage_is_reported_once_and_so_is_its_end(watched: Watched) -> None:
    for at in (0.0, 1.0, 5.0, 16.0, 36.0, 56.0):
        watched.fails(operations.LIST_JOBS, at)
    watched.succeeds(operations.LIST_JOBS, 96.0)
    watched.succeeds(operations.LIST_JOBS, 97.0)
    assert watched.said == [
        (
            f"listing jobs on {WHERE} failed: refused; this has lasted for {format_duration(16)}; "
            f"retrying for up to {format_duration(1800)}, your jobs go on"
        ),
        f"listing jobs on {WHERE} works again, after {format_duration(96)}",
    ]


def test_what_is_over_soon_is_nobodys_concern(watched: Watched) -> None:
    for at in (0.0, 10.0):
        watched.fails(operations.LIST_JOBS, at)
    watched.succeeds(operations.LIST_JOBS, 14.0)
    watched.fails(operations.LIST_JOBS, 20.0)
    assert watched.said == []


def test_an_accident_long_ago_is_not_the_beginning_of_another(watched: Watched) -> None:
    watched.fails(operations.SUBMIT, 0.0)
    watched.fails(operations.SUBMIT, 600.0)
    assert watched.said == []


def test_as_long_as_nothing_works_one_line_is_enough(watched: Watched) -> None:
    for at in (0.0, 10.0, 20.0, 30.0):
        watched.fails(operations.LIST_JOBS, at)
        watched.fails(operations.UPLOAD, at)
    assert len(watched.said) == 1


def test_what_alone_does_not_work_is_reported_beside_what_did_not_work_before(watched: Watched) -> None:
    for at in (0.0, 20.0):
        watched.fails(operations.LIST_JOBS, at)
    watched.fails(operations.SUBMIT, 21.0)
    watched.succeeds(operations.UPLOAD, 22.0)
    watched.fails(operations.SUBMIT, 40.0)
    assert [line.partition(" on ")[0] for line in watched.said] == ["listing jobs", "submitting a job"]


def test_the_error_shown_is_the_latest(watched: Watched) -> None:
    watched.fails(operations.LIST_JOBS, 0.0)
    watched.now += 20.0
    watched.outage_log.failed(operations.LIST_JOBS, GatewayError("something else"))
    assert watched.said[0].startswith(f"something else; this has lasted for {format_duration(20)}")


def test_a_gateway_reports_its_trouble(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outage_log, "WARN_AFTER", 0.0)
    api = Api({"GET /compute/jobs": [answer(503, "not healthy"), answer(200, {"jobs": []})]})
    assert run(make_gateway(api).jobs(0.0)) == []
    said = [record.getMessage() for record in caplog.records if record.name == outage_log.__name__]
    assert len(said) == 2
    assert f"failed: not healthy; this has lasted for {format_duration(0)}" in said[0]
    assert "works again" in said[1]


def test_a_long_outage_is_known_until_any_request_succeeds(watched: Watched) -> None:
    found = []
    for at in (0.0, 10.0, 20.0, 50.0):
        watched.fails(operations.LIST_JOBS, at)
        found.append(watched.outage_log.unavailable())
    assert found == [0.0, 0.0, 20.0, 50.0]
    watched.succeeds(operations.UPLOAD, 60.0)
    assert watched.outage_log.unavailable() == 0.0


def test_a_token_does_not_end_an_outage(watched: Watched) -> None:
    for at in (0.0, 20.0):
        watched.succeeds(operations.TOKEN, at)
        watched.fails(operations.LIST_JOBS, at)
        watched.fails(operations.UPLOAD, at)
    watched.succeeds(operations.TOKEN, 30.0)
    assert watched.outage_log.unavailable() == 30.0
    assert len(watched.said) == 1


def test_a_full_stop_does_not_stand_within_the_line(watched: Watched) -> None:
    watched.fails(operations.LIST_JOBS, 0.0)
    watched.now += 20.0
    watched.outage_log.failed(operations.LIST_JOBS, GatewayError("no space left."))
    assert watched.said[0].startswith("no space left; this has lasted")


def test_how_long_it_lasts_is_known(watched: Watched) -> None:
    assert watched.outage_log.lasts(operations.LIST_JOBS) == 0.0
    watched.fails(operations.LIST_JOBS, 3.0)
    watched.fails(operations.LIST_JOBS, 10.0)
    assert watched.outage_log.lasts(operations.LIST_JOBS) == 7.0
    watched.succeeds(operations.LIST_JOBS, 11.0)
    assert watched.outage_log.lasts(operations.LIST_JOBS) == 0.0


def test_a_refusal_is_an_answer(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(outage_log, "WARN_AFTER", 0.0)
    with pytest.raises(errors.ForbiddenError):
        run(make_gateway(Api({"GET /compute/jobs": answer(403, "no")})).jobs(0.0))
    assert [record for record in caplog.records if record.name == outage_log.__name__] == []


def test_a_request_that_fails_for_long_while_others_succeed_is_reported(watched: Watched) -> None:
    error = TransientError(f"uploading on {WHERE} failed: refused")
    for at in (0.0, 10.0, 20.0):
        watched.fails(operations.UPLOAD, at)
        assert watched.outage_log.failed_alone(operations.UPLOAD, error, at) == (at == 20.0)
        watched.succeeds(operations.UPLOAD, at)
    [line] = watched.said
    assert line == (
        f"uploading on {WHERE} failed: refused; this has failed for {format_duration(20)}, "
        f"although other requests succeed; retrying for up to {format_duration(1800)}"
    )


def test_a_request_that_fails_like_all_others_is_reported_with_them(watched: Watched) -> None:
    error = TransientError(f"uploading on {WHERE} failed: refused")
    for at in (0.0, 10.0, 20.0):
        watched.fails(operations.UPLOAD, at)
        assert not watched.outage_log.failed_alone(operations.UPLOAD, error, at)
    assert len(watched.said) == 1
