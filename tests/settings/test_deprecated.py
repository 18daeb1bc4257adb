"""Former names of settings and variables keep working, with one warning."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest

from reframe_firecrest.settings import Place, Settings, deprecated, read_settings
from reframe_firecrest.settings.deprecated import RENAMED, RENAMED_VARIABLES
from reframe_firecrest.settings.model import ENVIRONMENT as VARIABLES
from tests.settings.test_settings import ENVIRONMENT, places


@pytest.fixture(autouse=True)
def _nothing_warned_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deprecated, "_warned", set())


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, "reframe_firecrest.settings")
    return caplog


@pytest.mark.parametrize("old", sorted(RENAMED))
def test_a_former_name_sets_the_current_setting(old: str, warnings: pytest.LogCaptureFixture) -> None:
    settings = read_settings(places(system={old: 1200 if old == "dead_after" else 20}), ENVIRONMENT)
    assert getattr(settings, RENAMED[old]) in (20.0, 1200.0)
    assert warnings.messages == [f"setting {old!r} is now {RENAMED[old]!r}"]


@pytest.mark.parametrize("old", sorted(RENAMED_VARIABLES))
def test_a_former_variable_sets_the_current_setting(old: str, warnings: pytest.LogCaptureFixture) -> None:
    settings = read_settings(places(), {**ENVIRONMENT, old: "1200"})
    assert settings.heartbeat_timeout == 1200.0
    assert warnings.messages == [f"environment variable {old!r} is now {RENAMED_VARIABLES[old]!r}"]


def test_current_names_exist_and_former_ones_do_not() -> None:
    assert set(RENAMED.values()) <= set(Settings.model_fields)
    assert not set(RENAMED) & set(Settings.model_fields)
    assert set(RENAMED_VARIABLES.values()) <= set(VARIABLES.values())
    assert not set(RENAMED_VARIABLES) & set(VARIABLES.values())


def test_each_former_name_is_warned_about_once_in_a_process(warnings: pytest.LogCaptureFixture) -> None:
    for _partition in range(3):
        read_settings(places({"outage": 20}, {"outage": 30, "poll_min": 1}), ENVIRONMENT)
    assert warnings.messages == [
        "setting 'outage' is now 'retry_timeout'",
        "setting 'poll_min' is now 'poll_interval_min'",
    ]


def test_current_names_are_not_warned_about(warnings: pytest.LogCaptureFixture) -> None:
    environment = {**ENVIRONMENT, "FIRECREST_DEAD_AFTER": "", "FIRECREST_HEARTBEAT_TIMEOUT": "1200"}
    settings = read_settings(places({"retry_timeout": 20}), environment)
    assert (settings.retry_timeout, settings.heartbeat_timeout) == (20.0, 1200.0)
    assert warnings.messages == []


def test_of_both_names_in_one_place_the_current_one_wins(warnings: pytest.LogCaptureFixture) -> None:
    settings = read_settings(places({"outage": 20, "retry_timeout": 30}), ENVIRONMENT)
    assert settings.retry_timeout == 30.0
    assert warnings.messages == ["setting 'outage' is now 'retry_timeout', which is set too and is used"]


def test_a_current_name_without_a_value_does_not_hide_the_former_one() -> None:
    settings = read_settings(places({"outage": 20, "retry_timeout": None}), ENVIRONMENT)
    assert settings.retry_timeout == 20.0


@pytest.mark.parametrize(
    ("partition", "system"),
    [({"outage": 20}, {"retry_timeout": 30}), ({"retry_timeout": 20}, {"outage": 30})],
)
def test_the_more_specific_place_wins_whichever_name_it_uses(
    partition: Mapping[str, float], system: Mapping[str, float]
) -> None:
    assert read_settings(places(partition, system), ENVIRONMENT).retry_timeout == 20.0


def test_a_setting_without_a_place_in_the_configuration_is_not_renamed_away() -> None:
    place = Place("the journal x", {"system": "eiger"})
    assert read_settings([place], ENVIRONMENT).system == "eiger"
