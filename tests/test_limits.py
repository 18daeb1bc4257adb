"""Limits of retrieved files: settings, and their override by a test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reframe_firecrest.model.errors import SettingsError
from reframe_firecrest.model.selection import Selection
from reframe_firecrest.plugin.job_spec import _selection
from reframe_firecrest.settings import Place, Settings, read_settings
from tests.settings.test_settings import ENVIRONMENT


def settings(**keys: Any) -> Settings:
    return read_settings([Place("partition 'gpu'", keys)], ENVIRONMENT)


def selection(of_partition: dict[str, Any], **of_test: Any) -> Selection:
    unsaid = dict.fromkeys(("retrieve", "exclude", "max_file_size", "max_total_size", "max_files"))
    return _selection(SimpleNamespace(**{**unsaid, **of_test}), settings(**of_partition))  # type: ignore[arg-type]  # all that is read of a job


def test_they_are_there_even_if_nothing_is_said() -> None:
    assert selection({}) == Selection(max_total_size=100 * 10**9, max_files=100_000)


def test_a_partition_sets_them_and_a_test_its_own() -> None:
    partition = {"max_file_size": "1MB", "max_total_size": "2kB", "max_files": 3}
    assert selection(partition) == Selection(max_file_size=10**6, max_total_size=2000, max_files=3)
    own = selection(partition, max_file_size=5, max_total_size=0, max_files=7)
    assert own == Selection(max_file_size=5, max_total_size=0, max_files=7)


def test_partitions_that_differ_in_them_share_a_session() -> None:
    assert settings(max_files=3, max_total_size=5).session_key == settings().session_key


@pytest.mark.parametrize(
    ("key", "value"),
    [("max_files", -1), ("max_files", "many"), ("max_total_size", -1), ("max_file_size", "-1MB")],
)
def test_one_that_is_wrong_is_reported_in_one_line(key: str, value: object) -> None:
    with pytest.raises(SettingsError, match=rf"^'{key}' \(partition 'gpu'\) is wrong: .*$"):
        settings(**{key: value})
