"""Paths of snapshots, and their age."""

from __future__ import annotations

from pathlib import Path

import pytest

from reframe_firecrest.model.errors import SettingsError
from reframe_firecrest.modules.location import (
    DEFAULT_MAX_AGE,
    DIRECTORY,
    MAX_AGE,
    VARIABLES,
    max_age,
    snapshot_directory,
)
from reframe_firecrest.settings.model import ENVIRONMENT, Settings


def test_the_settings_have_the_same_names_and_defaults() -> None:
    assert {key: ENVIRONMENT[key] for key in (DIRECTORY, MAX_AGE)} == VARIABLES
    assert Settings.model_fields[DIRECTORY].default is None
    assert Settings.model_fields[MAX_AGE].default == DEFAULT_MAX_AGE


def test_the_directory_is_as_set_or_that_of_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    file = Path("config/mine.py")
    variables = {VARIABLES[DIRECTORY]: "~/modules"}
    assert snapshot_directory([None, {}], {}, None) == tmp_path
    assert snapshot_directory([None, {}], {VARIABLES[DIRECTORY]: ""}, file) == tmp_path / "config"
    assert snapshot_directory([], variables, file) == Path("/home/me/modules")
    assert snapshot_directory([{}, {DIRECTORY: "here"}], variables, file) == tmp_path / "here"


def test_the_age_is_a_number_of_seconds() -> None:
    assert max_age([None], {}) == DEFAULT_MAX_AGE
    assert max_age([{MAX_AGE: 60}, {MAX_AGE: 1}], {VARIABLES[MAX_AGE]: "5"}) == 60
    assert max_age([], {VARIABLES[MAX_AGE]: "5"}) == 5
    with pytest.raises(SettingsError, match="'modules_max_age' is wrong: 'old' is not a number of seconds"):
        max_age([{MAX_AGE: "old"}], {})
