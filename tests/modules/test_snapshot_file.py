"""The file of snapshots: what is written is read again, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reframe_firecrest.model.errors import ModulesError
from reframe_firecrest.modules import snapshot_file
from reframe_firecrest.modules.snapshot_file import merge, read_snapshots, size_of, write_snapshots
from tests.modules.samples import GNU, OTHER, PLAIN, SNAPSHOTS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = snapshot_file.snapshot_file(tmp_path / "new", "daint")
    write_snapshots(path, "daint", SNAPSHOTS)
    return path


def test_what_is_written_is_read_again(file: Path) -> None:
    assert sorted(read_snapshots(file), key=lambda each: each.key) == [GNU, PLAIN, OTHER]
    assert file.name == "daint.modules.json"
    assert size_of(file) == file.stat().st_size
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_a_file_that_does_not_exist_has_no_snapshots(tmp_path: Path) -> None:
    assert read_snapshots(tmp_path / "gone") == []
    assert size_of(tmp_path / "gone") == 0


def change(file: Path, *keys: Any, value: object) -> None:
    data = json.loads(file.read_text())
    place = data
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    file.write_text(json.dumps(data))


FIRST = ("snapshots", 0)


@pytest.mark.parametrize(
    ("keys", "value", "reason"),
    [
        (("format",), 2, "its format is not 1"),
        (("snapshots",), {"a": 1}, "indices must be integers"),
        ((*FIRST, "taken"), "2026-11-28T13:00:00", "time zone"),
        ((*FIRST, "taken"), "yesterday", "isoformat"),
        ((*FIRST, "modules_system"), "tmod2", "unknown modules system"),
        ((*FIRST, "version"), "8;rm", "no valid version"),
        ((*FIRST, "before", "available"), ["gcc; rm -rf ~"], "no valid module"),
        ((*FIRST, "before", "available"), ["$(id)"], "no valid module"),
        ((*FIRST, "before", "available"), ["-rf"], "no valid module"),
        ((*FIRST, "before", "loaded"), "gcc", "not a list"),
        ((*FIRST, "before", "loaded"), [1], "not a text"),
        ((*FIRST, "before", "modulepath"), ["relative"], "no valid directory"),
        ((*FIRST, "before", "modulepath"), ["/a\nb"], "no valid directory"),
        ((*FIRST, "before"), {}, "'modulepath' is missing"),
        ((*FIRST, "loads"), [{"module": "`id`", "loaded": []}], "no valid module"),
        ((*FIRST, "conflicts"), {"gcc": ["a b"]}, "no valid module"),
        ((*FIRST, "conflicts"), [], "no attribute"),
    ],
)
def test_a_file_that_is_not_valid_is_refused_in_one_line(
    keys: tuple[Any, ...], value: object, reason: str, file: Path
) -> None:
    change(file, *keys, value=value)
    with pytest.raises(ModulesError) as caught:
        read_snapshots(file)
    message = str(caught.value)
    assert message.startswith(f"{file} is not a valid snapshot of modules: ")
    assert reason in message
    assert message.endswith("; remove it, and take a new snapshot")
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\0"])
def test_what_is_not_json_is_refused(text: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(ModulesError, match="it is not JSON"):
        read_snapshots(file)


def test_a_large_file_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_file, "MAX_SIZE", 100)
    with pytest.raises(ModulesError, match="is larger than"):
        read_snapshots(file)


def test_a_directory_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModulesError, match="can't be read"):
        read_snapshots(tmp_path)


def test_new_snapshots_replace_old_ones_and_what_is_not_defined_any_more_goes() -> None:
    new = replace(GNU, version="9")
    defined = [GNU.key, PLAIN.key]
    assert merge(SNAPSHOTS, [new], defined) == [new, PLAIN]
