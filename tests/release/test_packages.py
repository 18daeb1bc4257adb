"""Contents and installation of a release."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.release.packages import ReleaseError, installations, run, untracked


def test_a_file_that_is_not_tracked_is_found(tmp_path: Path) -> None:
    for name in ("PKG-INFO", "README.md", "notes/secret.txt"):
        (tmp_path / "p-1" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p-1" / name).write_text("")
    with tarfile.open(tmp_path / "p-1.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "p-1", "p-1")
    assert untracked(tmp_path / "p-1.tar.gz", {"README.md"}) == ["notes/secret.txt"]


def test_every_form_of_installation_is_tried(tmp_path: Path) -> None:
    run("git", "init", "--quiet", tmp_path / "clone")
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    run("git", "-C", tmp_path / "clone", *identity, "commit", "--quiet", "--allow-empty", "--message", "x")
    wheel, source = tmp_path / "p.whl", tmp_path / "p.tar.gz"
    forms = installations(wheel, source, tmp_path / "clone", published=False)
    assert [form.form for form in forms] == ["p.whl", "p.tar.gz", "by name", "from a git URL"]
    assert forms[2].arguments[0] == "--find-links"
    assert f"git+file://{tmp_path}/clone@" in forms[3].arguments[0]
    [_, _, named] = installations(wheel, source, None, published=True)
    assert "--find-links" not in named.arguments


def test_a_command_that_fails_is_named_with_its_output() -> None:
    with pytest.raises(ReleaseError, match=r"sh -c echo why; exit 3: exit code 3\nwhy"):
        run("sh", "-c", "echo why; exit 3")
