from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from reframe_firecrest.model.errors import StagingError
from reframe_firecrest.staging.manifest import Entry, scan
from reframe_firecrest.staging.pack import BACKDATE, ArchivePart, SentStat, pack


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    path = tmp_path / "stage"
    path.mkdir()
    return path


def send(tmp_path: Path, *loads: ArchivePart) -> tuple[Path, list[dict[str, SentStat]]]:
    """Pack, and unpack with the tar that a gateway calls; return where, and what pack says it sent."""
    archive, target = tmp_path / "a.tgz", tmp_path / "remote"
    sent = pack(loads, archive)
    target.mkdir()
    done = subprocess.run(["tar", "-xzf", archive, "-C", target], capture_output=True, timeout=30, check=True)
    assert done.stdout == b""
    return target, sent


def load(stage: Path, prefix: str = "t", replaced: Mapping[str, bytes] | None = None) -> ArchivePart:
    return ArchivePart(prefix, scan(str(stage)), replaced or {})


def test_a_stage_directory_arrives_as_it_is(tmp_path: Path, stage: Path) -> None:
    (stage / ".hidden").write_text("h")
    (stage / "empty").touch()
    (stage / "empty_directory").mkdir()
    (stage / "run.sh").write_text("#!/bin/sh\n")
    (stage / "run.sh").chmod(0o755)
    (stage / "private").write_text("p")
    (stage / "private").chmod(0o600)
    (stage / "dangling").symlink_to("made/by/the/job")
    target, _ = send(tmp_path, load(stage))
    remote = target / "t"
    assert (remote / ".hidden").read_text() == "h"
    assert (remote / "empty").read_bytes() == b""
    assert (remote / "empty_directory").is_dir()
    assert os.access(remote / "run.sh", os.X_OK)
    assert (remote / "private").stat().st_mode & 0o777 == 0o600
    assert str((remote / "dangling").readlink()) == "made/by/the/job"


def test_links_arrive_as_what_they_point_to(tmp_path: Path, stage: Path) -> None:
    (tmp_path / "data").write_text("big")
    (stage / "link").symlink_to(tmp_path / "data")
    target, _ = send(tmp_path, load(stage))
    assert not (target / "t" / "link").is_symlink()
    assert (target / "t" / "link").read_text() == "big"


@pytest.mark.parametrize("name", [b"caf\xe9", "ünïcode".encode(), b"new\nline", b"-rf", b"a" * 200])
def test_names_of_any_kind_arrive(tmp_path: Path, stage: Path, name: bytes) -> None:
    Path(os.fsdecode(bytes(stage) + b"/" + name)).write_text("x")
    target, _ = send(tmp_path, load(stage))
    assert [os.fsencode(found.name) for found in (target / "t").iterdir()] == [name]


def test_many_stage_directories_travel_in_one_archive(tmp_path: Path, stage: Path) -> None:
    (stage / "a").write_text("1")
    empty = tmp_path / "empty"
    empty.mkdir()
    target, sent = send(tmp_path, load(stage, "daint/gpu/one"), load(empty, "daint/gpu/two"))
    assert (target / "daint/gpu/one/a").read_text() == "1"
    assert (target / "daint/gpu/two").is_dir()
    assert [sorted(files) for files in sent] == [["a"], []]


def test_the_job_can_write_into_what_was_read_only_here(tmp_path: Path, stage: Path) -> None:
    (stage / "d").mkdir()
    (stage / "d" / "x").write_text("1")
    (stage / "d" / "x").chmod(0o444)
    (stage / "d").chmod(0o555)
    try:
        target, _ = send(tmp_path, load(stage))
    finally:
        (stage / "d").chmod(0o755)
    assert (target / "t/d").stat().st_mode & 0o700 == 0o700
    assert (target / "t/d/x").stat().st_mode & 0o600 == 0o600


def test_a_translated_script_travels_instead_of_the_local_one(tmp_path: Path, stage: Path) -> None:
    (stage / "job.sh").write_text("cd /local")
    (stage / "job.sh").chmod(0o755)
    target, sent = send(tmp_path, load(stage, replaced={"job.sh": b"cd /remote/path"}))
    assert (target / "t/job.sh").read_bytes() == b"cd /remote/path"
    assert os.access(target / "t/job.sh", os.X_OK)
    assert sent[0]["job.sh"].size == len(b"cd /remote/path")


def test_files_are_dated_back_alike_so_that_make_sees_the_same_order(tmp_path: Path, stage: Path) -> None:
    now = int(time.time())
    for name, age in (("old", 5), ("new", 0)):
        (stage / name).touch()
        os.utime(stage / name, (now - age, now - age))
    target, sent = send(tmp_path, load(stage))
    for name, age in (("old", 5), ("new", 0)):
        assert (target / "t" / name).stat().st_mtime == now - age - BACKDATE
        assert sent[0][name].mtime == now - age - BACKDATE


def test_the_size_that_is_reported_before_packing_is_no_less_than_what_is_sent(
    tmp_path: Path, stage: Path
) -> None:
    for number in range(20):
        (stage / f"random{number}").write_bytes(os.urandom(3000))
    job = load(stage, replaced={"random0": os.urandom(9000)})
    send(tmp_path, job)
    assert job.size >= (tmp_path / "a.tgz").stat().st_size


def test_a_file_that_has_shrunk_meanwhile_is_named(tmp_path: Path, stage: Path) -> None:
    (stage / "log").write_text("123456")
    entries = scan(str(stage))
    (stage / "log").write_text("1")
    with pytest.raises(StagingError, match=r"stage/log can't be read"):
        pack([ArchivePart("t", entries)], tmp_path / "a.tgz")


def test_a_file_that_grows_meanwhile_travels_as_it_was(tmp_path: Path, stage: Path) -> None:
    (stage / "log").write_text("123")
    entries: dict[str, Entry] = scan(str(stage))
    (stage / "log").write_text("123456")
    target, _ = send(tmp_path, ArchivePart("t", entries))
    assert (target / "t/log").read_text() == "123"


def test_a_file_that_is_gone_is_named(tmp_path: Path, stage: Path) -> None:
    (stage / "log").touch()
    entries = scan(str(stage))
    (stage / "log").unlink()
    with pytest.raises(StagingError, match=r"stage/log can't be read: No such file"):
        pack([ArchivePart("t", entries)], tmp_path / "a.tgz")


def test_nothing_of_this_machine_is_reported(tmp_path: Path, stage: Path) -> None:
    (stage / "a").touch()
    pack([load(stage)], tmp_path / "a.tgz")
    with tarfile.open(tmp_path / "a.tgz") as tar:
        for member in tar:
            assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
            assert not member.name.startswith("/")


def packed(tmp_path: Path, stage: Path) -> bytes:
    archive = tmp_path / "level.tgz"
    pack([load(stage)], archive)
    return archive.read_bytes()


def test_what_does_not_compress_is_not_compressed(tmp_path: Path, stage: Path) -> None:
    noise = os.urandom(1_000_000)
    (stage / "noise").write_bytes(noise)
    assert noise[:1000] in packed(tmp_path, stage)


def test_among_many_entries_only_their_names_are_worth_compressing(tmp_path: Path, stage: Path) -> None:
    (stage / "noise").write_bytes(os.urandom(100_000))
    for number in range(100):
        (stage / f"small-{number}").touch()
    assert len(packed(tmp_path, stage)) < 110_000


def test_what_compresses_is_compressed(tmp_path: Path, stage: Path) -> None:
    (stage / "text").write_bytes(b"a line of text\n" * 100_000)
    assert len(packed(tmp_path, stage)) < 20_000


def test_a_file_on_whose_content_others_rely_must_not_change(tmp_path: Path, stage: Path) -> None:
    (stage / "data").write_bytes(b"1" * 5000)
    entries = scan(str(stage))
    digest = hashlib.sha256(b"1" * 5000).hexdigest()
    target, _ = send(tmp_path, ArchivePart("t", entries, digests={"data": digest}))
    assert (target / "t" / "data").stat().st_mode & 0o777 == 0o400
    (stage / "data").write_bytes(b"2" * 5000)
    with pytest.raises(StagingError, match="was changed while it was being sent"):
        pack([ArchivePart("t", entries, digests={"data": digest})], tmp_path / "b.tgz")
