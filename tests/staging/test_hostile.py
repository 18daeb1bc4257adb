"""Whatever the remote side sends, nothing changes outside the stage directory."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import stat
import tarfile
import tempfile
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.model.errors import FirecrestError, HostileArchiveError, StagingError
from reframe_firecrest.staging import unpack as unpacking
from reframe_firecrest.staging.local_sync import place_link, remove_deleted
from reframe_firecrest.staging.manifest import scan
from reframe_firecrest.staging.placeholder import create_placeholder
from reframe_firecrest.staging.read_guard import forget
from reframe_firecrest.staging.safe_paths import safe_directory
from reframe_firecrest.staging.unpack import GROWTH, Destination
from tests.fuzzing import examples
from tests.staging.world import World, entries

UNKNOWN = b"V"
KINDS = (
    tarfile.REGTYPE,
    tarfile.AREGTYPE,
    tarfile.CONTTYPE,
    tarfile.GNUTYPE_SPARSE,
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.FIFOTYPE,
    tarfile.DIRTYPE,
    UNKNOWN,
)

PLAIN_PARTS = ["a", "b", "sub", "file", "..", ".", "", "stage", "outside", "precious"]
# Links that a job has left in the stage directory; see `hostile_world`.
LINK_PARTS = ["in", "out", "up", "loop"]
ODD_PARTS = ["new\nline", "quo'te\"", "caf\udce9", "\x1b[31m", "n" * 255, "n" * 300, "*", "-rf", "$(id)"]
# "@" stands for the directory in which all this happens.
PATHS = st.builds(
    lambda start, parts: start + "/".join(parts),
    st.sampled_from(["", "", "", "", "/", "//", "./", "../", "@/", "/@/"]),
    st.lists(st.sampled_from([*PLAIN_PARTS, *LINK_PARTS, *ODD_PARTS]), min_size=1, max_size=4),
)
NAMES = st.one_of(PATHS, st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20))
LYING_HEADERS = ["path", "linkpath", "size", "mtime", "mode", "uid", "hdrcharset"]
SPARSE_HEADERS = [f"GNU.sparse.{name}" for name in ("major", "minor", "map", "size", "realsize", "name")]
PAX = st.dictionaries(
    st.sampled_from([*LYING_HEADERS, *SPARSE_HEADERS]),
    st.one_of(PATHS, st.sampled_from(["0", "1", "-1", "nan", "1e400", "9" * 30, "0,1,5,7", "BINARY"])),
    max_size=3,
)
GARBLE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=3)


@dataclass(frozen=True)
class Member:
    """Contents of one header of an archive."""

    path: str
    kind: bytes
    content: bytes
    link: str
    mode: int
    mtime: int
    pax: Mapping[str, str]

    @property
    def is_as_it_says(self) -> bool:
        return not self.pax and self.kind != tarfile.GNUTYPE_SPARSE

    def header(self, root: Path) -> tarfile.TarInfo:
        info = tarfile.TarInfo(self.path.replace("@", str(root)))
        info.type, info.mode, info.mtime = self.kind, self.mode, self.mtime
        info.size = len(self.content) if info.isreg() or self.kind == UNKNOWN else 0
        info.linkname = self.link.replace("@", str(root))
        info.pax_headers = {key: value.replace("@", str(root)) for key, value in self.pax.items()}
        return info


MEMBERS = st.builds(
    Member,
    path=PATHS,
    kind=st.sampled_from(KINDS),
    content=st.binary(max_size=700),
    link=PATHS,
    mode=st.integers(0, 0o7777),
    mtime=st.sampled_from([0, -1, 1_700_000_000, 2**33, 2**62]),
    pax=st.one_of(st.just({}), PAX),
)


@contextmanager
def hostile_world() -> Iterator[World]:
    """Make a stage directory in which a job has left links out, and links in circles."""
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        (world.stage / "file").write_text("mine too")
        for name, target in {
            "in": "sub",
            "out": "../outside",
            "up": "..",
            "loop": "loop",
            "sub/precious": "../../outside/precious",
        }.items():
            (world.stage / name).symlink_to(target)
        yield world


def pack(world: World, members: Sequence[Member], garble: Sequence[tuple[float, int]]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            info = member.header(world.root)
            # Some headers Python does not write; changed bytes make up for it.
            with contextlib.suppress(ValueError, OverflowError):
                tar.addfile(info, io.BytesIO(member.content) if info.size else None)
    packed = bytearray(plain.getvalue())
    for position, value in garble:
        packed[int(position * len(packed))] = value
    return bytes(packed)


def contents(world: World) -> dict[str, tuple[int, bytes]]:
    """Return the plain files in a stage directory, with their modes; links are not followed."""
    return {
        str(path.relative_to(world.stage)): (path.lstat().st_mode, path.read_bytes())
        for path in entries(world.stage)
        if stat.S_ISREG(path.lstat().st_mode)
    }


class TestArchives:
    @given(
        members=st.lists(MEMBERS, min_size=1, max_size=5),
        listed=st.lists(NAMES, max_size=3),
        size=st.integers(0, 10**6),
        garble=st.one_of(st.just([]), GARBLE),
    )
    @examples(120)
    def test_do_no_harm(
        self, members: list[Member], listed: list[str], size: int, garble: list[tuple[float, int]]
    ) -> None:
        with hostile_world() as world:
            world.archive.write_bytes(gzip.compress(pack(world, members, garble), 1))
            names = [member.path.replace("@", str(world.root)).removeprefix("./") for member in members]
            # A listing that lies asks for what the archive has, but under another name.
            paths = [path.replace("@", str(world.root)) for path in listed] or names
            wanted = {
                name: Destination(str(world.stage), paths[number % len(paths)], size)
                for number, name in enumerate(names)
            }
            before = contents(world)
            with contextlib.suppress(StagingError):
                world.take(wanted)
            kinds = {stat.S_IFMT(path.lstat().st_mode) for path in entries(world.stage)}
            assert kinds <= {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}
            offered = [member.content for member in members]
            for name, (mode, content) in contents(world).items():
                if before.get(name) != (mode, content):
                    assert stat.S_IMODE(mode) & ~0o755 == 0
                    assert stat.S_IMODE(mode) & 0o600 == 0o600
                    assert len(content) <= 2 * size + GROWTH
                    lying = garble or not all(member.is_as_it_says for member in members)
                    assert lying or content in offered

    @given(
        length=st.floats(0, 1, exclude_max=True),
        flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), max_size=3),
        garbage=st.binary(max_size=30),
    )
    @examples(80)
    def test_leave_files_whole_or_absent_when_they_are_damaged(
        self, length: float, flips: list[tuple[float, int]], garbage: bytes
    ) -> None:
        with tempfile.TemporaryDirectory() as directory:
            world = World(Path(directory))
            right = {str(number): os.urandom(3000) + b"text " * 500 for number in range(4)}
            for name, content in right.items():
                world.member(f"t/{name}", content)
            whole = gzip.compress(world.tar())
            packed = bytearray(whole[: int(length * len(whole))] if not flips else whole)
            for position, bit in flips:
                packed[int(position * len(packed))] ^= 1 << bit
            with contextlib.suppress(StagingError):
                world.unpack(*right, size=10_000, packed=bytes(packed) + garbage)
            for path in world.stage.iterdir():
                assert path.name == "sub" or path.read_bytes() == right[path.name]


class TestWhatAnArchiveMayCost:
    def test_an_expansion_without_end_is_refused_before_anything_is_placed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(unpacking, "UNASKED_BYTES", 1 << 20)
        world = World(tmp_path)
        world.member("t/good")
        world.member("t/bomb", bytes(3 << 20))
        with pytest.raises(HostileArchiveError, match="far more than was listed: 10 bytes"):
            world.unpack("good")
        assert not (world.stage / "good").exists()

    def test_so_are_more_members_than_requested(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(unpacking, "UNASKED_MEMBERS", 50)
        world = World(tmp_path)
        for number in range(60):
            world.member(f"t/{number}", b"")
        with pytest.raises(HostileArchiveError, match="more than 52 members; 1 were asked for"):
            world.unpack("0")

    @pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
    def test_a_header_of_many_megabytes_is_not_held_in_memory(self, tmp_path: Path, kind: bytes) -> None:
        info = tarfile.TarInfo("header")
        info.type, info.size = kind, 64 << 20
        packed = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(info.size), 1)
        tracemalloc.start()
        try:
            with pytest.raises(HostileArchiveError, match="headers of more than 1048576 bytes"):
                World(tmp_path).unpack("x", packed=packed)
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()

    def test_the_map_of_a_sparse_file_neither(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 18}
        content = b"%d\n" % (1 << 30) + b"0\n" * (4 << 20)
        world.member("t/x", content, lambda info: setattr(info, "pax_headers", sparse))
        with pytest.raises(HostileArchiveError, match="headers of more than"):
            world.unpack("x")

    def test_the_holes_of_an_unwanted_sparse_file_are_not_read(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 18}
        world.member("t/holes", b"0\n".ljust(512, b"\0"), lambda info: setattr(info, "pax_headers", sparse))
        world.member("t/good")
        assert world.unpack("good").placed == {"t/good"}
        assert "was listed with 10 bytes" in world.unpack("good", "holes").refused["t/holes"]

    def test_what_was_not_asked_for_may_be_large(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        world.member("t/large", bytes(5 << 20))
        world.member("t/larger", bytes(9 << 20))
        world.member("t/good")
        result = world.unpack("good", "larger")
        assert result.placed == {"t/good"}
        assert list(result.refused) == ["t/larger"]

    def test_a_second_name_does_not_multiply_a_large_file(self, tmp_path: Path) -> None:
        def link(info: tarfile.TarInfo) -> None:
            info.type, info.linkname = tarfile.LNKTYPE, "t/large"

        world = World(tmp_path)
        large = 3 * GROWTH
        world.member("t/large", bytes(large))
        world.member("t/small", b"", link)
        world.archive.write_bytes(gzip.compress(world.tar(), 1))
        stage = str(world.stage)
        result = world.take(
            {"t/large": Destination(stage, "large", large), "t/small": Destination(stage, "small", 9)}
        )
        assert result.placed == {"t/large"}
        assert "was listed with 9 bytes" in result.refused["t/small"]


def test_a_hard_link_to_what_was_a_stand_in_is_taken(tmp_path: Path) -> None:
    def link(info: tarfile.TarInfo) -> None:
        info.type, info.linkname = tarfile.LNKTYPE, "t/first"

    world = World(tmp_path)
    create_placeholder(str(world.stage), "first", 3, "left by the build")
    world.member("t/first")
    world.member("t/second", b"", link)
    assert world.unpack("first", "second").placed == {"t/first", "t/second"}
    assert (world.stage / "first").read_bytes() == b"new"


class TestListings:
    """Entries of a listing without an archive: directories, links, placeholders, removed files."""

    @given(
        steps=st.lists(
            st.tuples(st.sampled_from(["directory", "link", "stand-in", "gone"]), NAMES, PATHS), max_size=8
        ),
        size=st.one_of(st.integers(-1, 10**6), st.sampled_from([2**62, 2**63, 10**30])),
    )
    @examples(120)
    def test_do_no_harm(self, steps: list[tuple[str, str, str]], size: int) -> None:
        with hostile_world() as world:
            stage = str(world.stage)
            before = world.outside()
            for what, raw, raw_target in steps:
                path, target = (text.replace("@", str(world.root)) for text in (raw, raw_target))
                # FileExistsError is expected of a directory where a file is.
                with contextlib.suppress(FirecrestError, FileExistsError):
                    if what == "directory":
                        safe_directory(stage, path)
                    elif what == "link":
                        place_link(stage, path, target)
                    elif what == "stand-in":
                        create_placeholder(stage, path, size, "a reason")
                    else:
                        remove_deleted(stage, [path])
                world.check(before)
            for path_made in entries(world.stage):
                if stat.S_ISREG(path_made.lstat().st_mode):
                    forget(path_made)
            self.nothing_new_leads_out(world)
            # What was made does not keep the directory from being sent again.
            for name in ("in", "out", "up"):
                link = world.stage / name
                # A job that has removed one may have made a directory in its place.
                if link.is_symlink():
                    link.unlink()
            scan(stage)

    @staticmethod
    def nothing_new_leads_out(world: World) -> None:
        real = os.path.realpath(world.stage)
        mine = {"in", "out", "up", "loop", "sub/precious"}
        for path in entries(world.stage):
            name = str(path.relative_to(world.stage))
            if path.is_symlink() and name not in mine:
                target = str(path.readlink())
                # By way of the links out that the job had left, any link leads out.
                if not {"out", "up", "precious"} & set(PurePosixPath(target).parts):
                    assert os.path.realpath(path).startswith(real), f"{name} -> {target}"


@pytest.mark.parametrize("path", ["//{root}/new", "/{root}/new", "../new", "a/../../new"])
def test_no_spelling_of_a_path_leads_out(tmp_path: Path, path: str) -> None:
    world = World(tmp_path)
    named = path.format(root=str(world.root).lstrip("/"))
    before = world.outside()
    stage = str(world.stage)
    with pytest.raises(HostileArchiveError, match="leads out"):
        safe_directory(stage, named)
    with pytest.raises(HostileArchiveError):
        create_placeholder(stage, f"{named}/file", 1, "a reason")
    with pytest.raises(HostileArchiveError):
        place_link(stage, f"{named}/link", "x")
    remove_deleted(stage, [f"//{world.root}/outside/precious", f"{world.root}/outside/precious"])
    world.check(before)


@pytest.mark.parametrize(
    ("path", "size"), [("x", 10**30), ("x", 2**63 - 1), ("x", -1), ("n" * 300, 1), ("sub", 1), ("a\0b", 1)]
)
def test_a_stand_in_that_cannot_be_is_refused_in_one_line(tmp_path: Path, path: str, size: int) -> None:
    world = World(tmp_path)
    with pytest.raises(HostileArchiveError) as refused:
        create_placeholder(str(world.stage), path, size, "a reason")
    assert path[:200].replace("\0", "\\x00") in str(refused.value)
    assert [entry.name for entry in world.stage.iterdir()] == ["sub"]


@pytest.mark.parametrize("target", ["", "t" * 300, "t/" * 3000, "\ud800"])
def test_a_link_that_cannot_be_leaves_what_was_in_its_place(tmp_path: Path, target: str) -> None:
    world = World(tmp_path)
    (world.stage / "file").write_text("sent")
    place_link(str(world.stage), "file", target)
    assert (world.stage / "file").is_symlink() or (world.stage / "file").read_text() == "sent"
    assert not place_link(str(world.stage), "", "sub")


def test_a_stage_directory_that_is_full_or_closed_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    world = World(tmp_path)
    stage = str(world.stage)
    monkeypatch.setattr(Path, "mkdir", full)
    monkeypatch.setattr(Path, "symlink_to", full)
    monkeypatch.setattr(Path, "rmdir", full)
    for attempt in (
        lambda: safe_directory(stage, "new"),
        lambda: place_link(stage, "link", "sub"),
        lambda: remove_deleted(stage, ["sub"]),
        lambda: create_placeholder(stage, "new/file", 1, "a reason"),
    ):
        with pytest.raises(StagingError, match="No space left"):
            attempt()


def test_a_stand_in_is_not_read_by_way_of_a_link_either(tmp_path: Path) -> None:
    create_placeholder(str(tmp_path), "image.1", 5, "too\nlarge")
    assert place_link(str(tmp_path), "latest", "image.1")
    with pytest.raises(PermissionError, match=r"left on the system: too\\nlarge"):
        (tmp_path / "latest").read_bytes()
    (tmp_path / "real").write_text("here")
    assert place_link(str(tmp_path), "image.1", "real")
    assert (tmp_path / "latest").read_text() == "here"
