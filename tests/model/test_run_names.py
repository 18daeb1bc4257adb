"""Names of runs."""

from __future__ import annotations

import re
import socket
import time

import pytest

from reframe_firecrest.model.run_names import new_name, start_time_of


def test_a_name_reports_when_the_run_began() -> None:
    before = int(time.time())
    begun = start_time_of(new_name())
    assert begun is not None
    assert before <= begun <= time.time()


def test_no_two_are_alike() -> None:
    assert new_name() != new_name()


def test_it_reports_the_same_in_all_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        assert start_time_of("19700101-000010-host-0a1b2c") == 10.0
        assert abs((start_time_of(new_name()) or 0) - time.time()) < 60
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("host", ["nid_01.cluster.test", "é", "", "x" * 60])
def test_any_host_will_do(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    assert start_time_of(new_name()) is not None
    assert re.fullmatch(r"[A-Za-z0-9-]+", new_name())


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "results",
        "20260101-000000",
        "20261301-000000-host-0a1b2c",
        "20260101-000000-host-0a1b2c/..",
        "20260101-000000-host-0a1b2c\n",
        "x20260101-000000-host-0a1b2c",
        "20260101-000000-ho st-0a1b2c",
    ],
)
def test_nothing_else_is_a_name(name: str) -> None:
    assert start_time_of(name) is None
