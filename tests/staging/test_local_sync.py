"""Changes that archives do not contain: hard links and deletions."""

from __future__ import annotations

from pathlib import Path

import pytest

from reframe_firecrest.staging.local_sync import relative_target, remove_deleted


@pytest.mark.parametrize(
    ("path", "target", "expected"),
    [
        ("latest", "/scratch/run/t/out.1", "out.1"),
        ("deep/er/latest", "/scratch/run/t/out.1", "../../out.1"),
        ("latest", "/scratch/run/tt/out.1", "/scratch/run/tt/out.1"),
        ("latest", "out.1", "out.1"),
    ],
)
def test_a_link_to_its_own_stage_directory_reads_the_same_here(path: str, target: str, expected: str) -> None:
    assert relative_target(path, target, "/scratch/run/t") == expected


def test_what_is_gone_there_goes_here_with_directories_that_are_empty_then(tmp_path: Path) -> None:
    for name in ("tree/a", "tree/deep/b", "half/gone", "half/kept", "file"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    remove_deleted(str(tmp_path), ["tree", "tree/a", "tree/deep", "tree/deep/b", "half", "half/gone", "file"])
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["half", "half/kept"]


def test_nothing_beyond_a_link_is_removed(tmp_path: Path) -> None:
    precious = tmp_path / "outside/precious"
    precious.parent.mkdir()
    precious.write_text("x")
    stage = tmp_path / "stage"
    stage.mkdir()
    (stage / "data").symlink_to(precious.parent)
    remove_deleted(str(stage), ["data/precious"])
    assert precious.exists()
    remove_deleted(str(stage), ["data"])
    assert precious.exists()
    assert not (stage / "data").is_symlink()
