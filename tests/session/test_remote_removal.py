"""Removal of directory trees in which jobs have left directories without permissions."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reframe_firecrest.model.errors import ForbiddenError
from reframe_firecrest.model.remote_file import FileKind, RemoteFile
from reframe_firecrest.session import remote_removal
from reframe_firecrest.session.remote_removal import remove_tree
from tests.session.fakes import FakeGateway


def lacks_permissions(path: Path) -> bool:
    return path.lstat().st_mode & 0o700 != 0o700


class StrictGateway(FakeGateway):
    """A gateway that heeds the permissions of directories, also where the tests run as root.

    Attributes:
        changed: paths whose mode was changed.
        foreign: names of directories that belong to another user.
    """

    def __init__(self) -> None:
        super().__init__()
        self.changed: list[str] = []
        self.foreign: set[str] = set()

    async def change_mode(self, path: str, mode: str) -> None:
        if self.foreign.intersection(path.split("/")):
            raise ForbiddenError(f"chmod: changing permissions of '{path}': Operation not permitted")
        self.changed.append(path)
        await super().change_mode(path, mode)

    async def remove(self, path: str) -> None:
        self._check(Path(path), "cannot remove")
        await super().remove(path)

    async def list_tree(self, path: str) -> list[RemoteFile]:
        self._check(Path(path), "cannot open directory")
        return await super().list_tree(path)

    async def list_directory(self, path: str) -> list[RemoteFile]:
        if lacks_permissions(Path(path)):
            raise ForbiddenError(f"cannot open directory '{path}': Permission denied", status=403)
        return await super().list_directory(path)

    def _check(self, top: Path, what: str) -> None:
        for path in (top, *sorted(top.rglob("*"))):
            if path.is_dir() and not path.is_symlink() and lacks_permissions(path):
                raise ForbiddenError(f"rm: {what} '{path}': Permission denied", status=403)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A stage directory with a readable directory and a file."""
    top = tmp_path / "run" / "stage"
    (top / "open").mkdir(parents=True)
    (top / "open" / "file").write_text("x")
    yield top
    for path in (tmp_path, *sorted(tmp_path.rglob("*"))):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)


def make_directory(path: Path, mode: int) -> Path:
    path.mkdir(parents=True)
    (path / "file").write_text("x")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o500, 0o555, 0o300])
def test_a_directory_without_permissions_does_not_prevent_the_removal(mode: int, tree: Path) -> None:
    closed = make_directory(tree / "closed", mode)
    gateway = StrictGateway()
    asyncio.run(remove_tree(gateway, str(tree)))
    assert not tree.exists()
    assert gateway.changed == [str(closed)]


def test_directories_without_permissions_within_such_directories_are_found(tree: Path) -> None:
    make_directory(tree / "a" / "b" / "c", 0o000)
    (tree / "a" / "b").chmod(0o000)
    tree.chmod(0o000)
    asyncio.run(remove_tree(StrictGateway(), str(tree)))
    assert not tree.exists()
    assert tree.parent.exists()


def test_a_tree_that_can_be_removed_takes_one_request(tree: Path) -> None:
    gateway = FakeGateway()
    asyncio.run(remove_tree(gateway, str(tree)))
    assert gateway.calls == {"remove": 1}


def test_no_link_is_followed_and_nothing_outside_is_changed(tree: Path, tmp_path: Path) -> None:
    outside = make_directory(tmp_path / "outside", 0o500)
    sibling = make_directory(tree.parent / "sibling", 0o500)
    (tree / "link").symlink_to(outside)
    closed = make_directory(tree / "closed", 0o700)
    (closed / "link").symlink_to(outside)
    closed.chmod(0o000)
    gateway = StrictGateway()
    asyncio.run(remove_tree(gateway, str(tree)))
    assert gateway.changed == [str(closed)]
    assert all(lacks_permissions(path) for path in (outside, sibling))


@pytest.mark.parametrize("name", ["back\\slash", ".."])
def test_a_name_that_a_listing_shows_ambiguously_is_left_alone(name: str) -> None:
    entry = RemoteFile(f"a/{name}", FileKind.DIRECTORY, 0, "", permissions="---------")
    assert not remote_removal._lacks_permissions(entry)


def test_the_directory_of_another_user_is_reported_with_the_commands_to_remove_it(tree: Path) -> None:
    make_directory(tree / "closed", 0o000)
    gateway = StrictGateway()
    gateway.foreign.add("closed")
    with pytest.raises(ForbiddenError, match="Permission denied") as caught:
        asyncio.run(remove_tree(gateway, str(tree)))
    assert str(caught.value).endswith(f"remove it on the system: chmod -R u+rwX {tree} && rm -r {tree}")
    assert gateway.changed == []
    shutil.rmtree(tree)


def test_a_proxy_that_refuses_the_removal_is_not_taken_for_a_permission_of_a_directory(tree: Path) -> None:
    gateway = FakeGateway()
    gateway.failures["remove"] = [ForbiddenError("blocked", own=False)]
    with pytest.raises(ForbiddenError, match="blocked"):
        asyncio.run(remove_tree(gateway, str(tree)))
    assert gateway.calls == {"remove": 1}


def test_the_number_of_changed_directories_is_limited(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_removal, "MAX_DIRECTORIES", 3)
    for number in range(5):
        make_directory(tree / f"closed{number}", 0o500)
    gateway = StrictGateway()
    with pytest.raises(ForbiddenError):
        asyncio.run(remove_tree(gateway, str(tree)))
    assert len(gateway.changed) == 3
