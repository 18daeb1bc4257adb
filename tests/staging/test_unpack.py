from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import stat
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reframe_firecrest.model.errors import HostileArchiveError, StagingError
from reframe_firecrest.staging.local_sync import place_link
from reframe_firecrest.staging.safe_paths import safe_directory
from reframe_firecrest.staging.unpack import Destination, unpack
from tests.staging.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_wanted_files_are_placed_with_content_time_and_executable_bit(world: World) -> None:
    world.member("./t/sub/deep/a.out", b"binary", lambda info: setattr(info, "mode", 0o755))
    assert world.unpack("sub/deep/a.out").placed == {"t/sub/deep/a.out"}
    placed = world.stage / "sub/deep/a.out"
    assert placed.read_bytes() == b"binary"
    assert placed.stat().st_mtime == 1_700_000_000
    assert placed.stat().st_mode & 0o777 == 0o755


def test_what_a_real_find_and_tar_pack_is_taken(world: World, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    (remote / "t").mkdir(parents=True)
    names = ["empty", "caf\udce9", "new\nline", "with space", "x" * 150]
    for name in names:
        (remote / "t" / name).touch()
    command = f"cd {remote}; find . -type f -print0 | tar -czf {world.archive} --null --files-from -"
    subprocess.run(["bash", "-c", command], check=True, timeout=30)
    result = world.unpack(*names, packed=world.archive.read_bytes())
    assert result.placed == {f"t/{name}" for name in names}


def test_a_file_with_two_names_arrives_under_both(world: World, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    (remote / "t").mkdir(parents=True)
    (remote / "t" / "one").write_text("same")
    (remote / "t" / "two").hardlink_to(remote / "t" / "one")
    subprocess.run(["tar", "-C", remote, "-czf", world.archive, "./t/one", "./t/two"], check=True, timeout=30)
    result = world.unpack("one", "two", packed=world.archive.read_bytes())
    assert result.placed == {"t/one", "t/two"}
    assert (world.stage / "two").read_text() == "same"
    assert (world.stage / "two").stat().st_nlink == 1


def test_what_was_not_asked_for_is_not_taken(world: World) -> None:
    world.member("t/asked")
    world.member("t/extra")
    world.member("other/asked")
    assert world.unpack("asked").placed == {"t/asked"}
    assert not (world.stage / "extra").exists()


def test_a_file_of_this_side_is_replaced_as_a_whole(world: World) -> None:
    (world.stage / "out").write_text("much longer than the new one")
    world.member("t/out", b"short")
    world.unpack("out")
    assert (world.stage / "out").read_bytes() == b"short"


class TestHostileNames:
    @pytest.mark.parametrize(
        "name",
        ["/{root}/outside/precious", "../outside/precious", "t/../../outside/precious", "t/sub/../../x"],
    )
    def test_names_that_lead_out_are_not_taken(self, world: World, name: str) -> None:
        world.member(name.format(root=world.root))
        world.member("t/good")
        assert world.unpack("good").placed == {"t/good"}

    @pytest.mark.parametrize("path", ["../outside/precious", "sub/../../outside/precious", "a\0b/c"])
    def test_not_even_if_the_listing_asked_for_them(self, world: World, path: str) -> None:
        world.member("t/x")
        wanted = {"t/x": Destination(str(world.stage), path, 10)}
        world.archive.write_bytes(gzip.compress(world.tar()))
        before = world.outside()
        assert "leads out" in unpack(world.archive, wanted).refused["t/x"]
        assert world.outside() == before

    def test_nor_an_absolute_one(self, world: World) -> None:
        world.member("t/x")
        wanted = {"t/x": Destination(str(world.stage), str(world.root / "outside/precious"), 10)}
        world.archive.write_bytes(gzip.compress(world.tar()))
        assert "t/x" in unpack(world.archive, wanted).refused
        assert (world.root / "outside/precious").read_text() == "mine"


class TestHostileMembers:
    @pytest.mark.parametrize(
        "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
    )
    def test_only_plain_files_are_taken(self, world: World, kind: bytes) -> None:
        def change(info: tarfile.TarInfo) -> None:
            info.type, info.size, info.linkname = kind, 0, "../outside/precious"

        world.member("t/x", b"", change)
        world.member("t/good")
        result = world.unpack("x", "good")
        assert "not a plain file" in result.refused["t/x"]
        assert result.placed == {"t/good"}
        assert not os.path.lexists(world.stage / "x")

    def test_a_link_in_the_archive_does_not_lead_the_next_member_out(self, world: World) -> None:
        def link(info: tarfile.TarInfo) -> None:
            info.type, info.linkname = tarfile.SYMTYPE, str(world.root / "outside")

        world.member("t/d", b"", link)
        world.member("t/d/precious")
        world.unpack("d", "d/precious")
        assert (world.stage / "d" / "precious").read_bytes() == b"new"

    @pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1777, 0o777, 0o000])
    def test_no_mode_gives_others_more_than_reading(self, world: World, mode: int) -> None:
        world.member("t/x", change=lambda info: setattr(info, "mode", mode))
        world.unpack("x")
        placed = stat.S_IMODE((world.stage / "x").stat().st_mode)
        assert placed & ~0o755 == 0
        assert placed & 0o600 == 0o600

    def test_a_file_much_larger_than_it_was_listed_is_not_taken(self, world: World) -> None:
        world.member("t/x", b"\0" * (3 << 20))
        result = world.unpack("x", size=1000)
        assert "was listed with 1000 bytes" in result.refused["t/x"]
        assert not (world.stage / "x").exists()

    def test_a_log_that_grew_since_it_was_listed_is_taken(self, world: World) -> None:
        world.member("t/x", b"\0" * 500_000)
        assert world.unpack("x", size=1000).placed == {"t/x"}

    def test_a_name_that_comes_twice_is_taken_once(self, world: World) -> None:
        world.member("t/x", b"first")
        world.member("t/x", b"second")
        world.unpack("x")
        assert (world.stage / "x").read_bytes() == b"first"

    @pytest.mark.parametrize("mtime", ["1e300", "nan", "-1e300"])
    def test_an_impossible_time_is_refused(self, world: World, mtime: str) -> None:
        world.member("t/x", change=lambda info: setattr(info, "pax_headers", {"mtime": mtime}))
        assert "impossible modification time" in world.unpack("x").refused["t/x"]
        assert not (world.stage / "x").exists()


class TestLinksThatAJobLeft:
    def test_a_directory_that_is_a_link_out_is_not_followed(self, world: World) -> None:
        (world.stage / "d").symlink_to(world.root / "outside")
        world.member("t/d/precious")
        assert "leads out" in world.unpack("d/precious").refused["t/d/precious"]

    def test_a_file_that_is_a_link_out_is_replaced_and_not_written_through(self, world: World) -> None:
        (world.stage / "x").symlink_to(world.root / "outside" / "precious")
        world.member("t/x")
        assert world.unpack("x").placed == {"t/x"}
        assert not (world.stage / "x").is_symlink()
        assert (world.stage / "x").read_bytes() == b"new"

    def test_a_link_within_the_stage_directory_is_followed(self, world: World) -> None:
        (world.stage / "d").symlink_to("sub")
        world.member("t/d/x")
        assert world.unpack("d/x").placed == {"t/d/x"}
        assert (world.stage / "sub" / "x").exists()


class TestDamage:
    @staticmethod
    def packed(world: World) -> bytes:
        for number in range(4):
            world.member(f"t/{number}", os.urandom(2000) + b"text " * 200)
        return gzip.compress(world.tar())

    def test_a_truncated_archive_is_an_error_and_leaves_nothing(self, world: World) -> None:
        packed = self.packed(world)
        for length in (0, 5, 20, len(packed) // 2, len(packed) - 4):
            with pytest.raises(StagingError, match="damaged"):
                world.unpack("0", "1", "2", "3", packed=packed[:length])
            assert sorted(path.name for path in world.stage.iterdir()) == ["sub"]

    def test_what_is_no_archive_is_an_error(self, world: World) -> None:
        with pytest.raises(StagingError, match="damaged"):
            world.unpack("x", packed=b"<html>Bad Gateway</html>")

    @given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    @settings(max_examples=100, deadline=None)
    def test_with_a_flipped_bit_files_are_whole_or_absent(self, position: float, bit: int) -> None:
        with tempfile.TemporaryDirectory() as directory:
            world = World(Path(directory))
            packed = bytearray(self.packed(world))
            packed[int(position * len(packed))] ^= 1 << bit
            right = {info.name.removeprefix("t/"): content for info, content in world.members}
            with contextlib.suppress(StagingError):
                world.unpack(*right, size=10_000, packed=bytes(packed))
            for path in world.stage.iterdir():
                assert path.name == "sub" or path.read_bytes() == right[path.name]

    @given(
        st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6)
    )
    @settings(max_examples=150, deadline=None)
    def test_an_archive_made_wrong_on_purpose_raises_nothing_else(
        self, changes: list[tuple[float, int]]
    ) -> None:
        with tempfile.TemporaryDirectory() as directory:
            world = World(Path(directory))
            long = "d" * 120
            world.member(f"t/{long}", b"1")
            world.member("t/x", b"2" * 600)
            tar = bytearray(world.tar())
            for position, value in changes:
                tar[int(position * 4096)] = value
            with contextlib.suppress(StagingError):
                world.unpack(long, "x", size=600, packed=gzip.compress(bytes(tar)))

    def test_headers_without_end_are_an_error_and_not_a_crash(self, world: World) -> None:
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2
        block = info.tobuf(tarfile.GNU_FORMAT) + b"x\0".ljust(512, b"\0")
        with pytest.raises(StagingError, match="damaged"):
            world.unpack("x", packed=gzip.compress(block * 5000))


def test_a_directory_in_the_way_of_a_file_is_one_clear_error(world: World) -> None:
    world.member("t/sub")
    with pytest.raises(StagingError, match="is a directory here and a file on the remote side"):
        world.unpack("sub")


def test_a_stage_directory_that_cannot_be_written_is_one_clear_error(world: World) -> None:
    (world.stage / "file").touch()
    world.member("t/file/x")
    with pytest.raises(StagingError, match="stage/file"):
        world.unpack("file/x")


class TestDirectories:
    def test_they_are_made_with_their_parents(self, world: World) -> None:
        assert safe_directory(str(world.stage), "a/b/c").is_dir()

    @pytest.mark.parametrize("path", ["..", "a/../../b", "/tmp"])
    def test_none_is_made_outside(self, world: World, path: str) -> None:
        with pytest.raises(HostileArchiveError, match="leads out"):
            safe_directory(str(world.stage), path)

    def test_none_is_made_behind_a_link_out(self, world: World) -> None:
        (world.stage / "d").symlink_to("../outside")
        with pytest.raises(HostileArchiveError, match="leads out"):
            safe_directory(str(world.stage), "d/new")
        assert not (world.root / "outside" / "new").exists()


class TestLinks:
    def test_a_link_within_is_made_as_the_job_made_it(self, world: World) -> None:
        (world.stage / "out.1").write_text("x")
        assert place_link(str(world.stage), "sub/latest", "../out.1")
        assert str((world.stage / "sub/latest").readlink()) == "../out.1"
        assert (world.stage / "sub/latest").read_text() == "x"

    @pytest.mark.parametrize(
        "target",
        ["/etc/passwd", "../outside/precious", "sub/../../outside", "..", "sub/../x", "nul\0"],
    )
    def test_links_that_lead_out_or_could_be_made_to_are_left_out(self, world: World, target: str) -> None:
        assert not place_link(str(world.stage), "link", target)
        assert not os.path.lexists(world.stage / "link")

    def test_a_link_by_way_of_another_that_leads_out_is_left_out(self, world: World) -> None:
        (world.stage / "d").symlink_to("../outside")
        assert not place_link(str(world.stage), "link", "d/precious")

    def test_a_link_that_points_elsewhere_now_is_made_anew(self, world: World) -> None:
        place_link(str(world.stage), "link", "one")
        assert place_link(str(world.stage), "link", "two")
        assert str((world.stage / "link").readlink()) == "two"

    def test_a_file_that_became_a_link_there_becomes_one_here_and_a_directory_does_not(
        self, world: World
    ) -> None:
        (world.stage / "result").write_text("sent")
        assert place_link(str(world.stage), "result", "sub")
        assert (world.stage / "result").is_symlink()
        (world.stage / "full").mkdir()
        assert not place_link(str(world.stage), "full", "sub")

    def test_no_link_is_placed_outside(self, world: World) -> None:
        with pytest.raises(HostileArchiveError):
            place_link(str(world.stage), "../outside/link", "precious")


def test_a_suspect_of_the_same_content_stays_as_it_is(world: World, tmp_path: Path) -> None:
    source = tmp_path / "readonly"
    source.write_text("same")
    (world.stage / "link").symlink_to(source)
    (world.stage / "changed").write_text("old!")
    (world.stage / "script").write_text("local path")
    world.member("./t/link", b"same")
    world.member("./t/changed", b"new!")
    world.member("./t/script", b"remote path")
    stage = str(world.stage)
    sent = hashlib.sha256(b"remote path").hexdigest()
    wanted = {
        "t/link": Destination(stage, "link", 4, suspect=True),
        "t/changed": Destination(stage, "changed", 4, suspect=True),
        "t/script": Destination(stage, "script", 11, suspect=True, sent=sent),
    }
    world.archive.write_bytes(gzip.compress(world.tar()))
    assert world.take(wanted).placed == wanted.keys()
    assert (world.stage / "link").is_symlink()
    assert (world.stage / "changed").read_text() == "new!"
    assert (world.stage / "script").read_text() == "local path"
