"""The job that splits large files, and what its listing shows."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from pathlib import Path

import pytest

from reframe_firecrest.model.errors import HostileArchiveError
from reframe_firecrest.model.remote_file import FileKind, RemoteFile
from reframe_firecrest.staging.split_script import parse_parts, split_script
from tests.session.fakes import _entry

DIGEST = "a" * 64


def entry(name: str, size: int, kind: FileKind = FileKind.FILE, target: str | None = None) -> RemoteFile:
    return RemoteFile(name, kind, size, "", target)


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_the_job_splits_each_file_and_a_listing_shows_the_parts(tmp_path: Path, shell: str) -> None:
    work = tmp_path / "it's a dir"
    work.mkdir()
    contents = [random.Random(seed).randbytes(size) for seed, size in enumerate((250, 100, 300))]
    for number, content in enumerate(contents):
        (tmp_path / f"out {number}").write_bytes(content)
    files = [str(tmp_path / f"out {number}") for number in range(3)]
    script = split_script(str(work), files, 100, ["--account=users"])
    assert "#SBATCH --account=users" in script.splitlines()
    for _ in range(2):
        # The second time is that of a requeue.
        variables = {"PATH": os.environ["PATH"], "SLURM_JOB_ID": "7"}
        subprocess.run([shell, "-c", script], env=variables, check=True, timeout=30)
    listing = [_entry(work / "7", path) for path in (work / "7").iterdir()]
    for number, content in enumerate(contents):
        found = parse_parts(listing, number, 100, 1000)
        joined = b"".join((work / "7" / name).read_bytes() for name, _ in found.parts)
        assert (joined, found.size) == (content, len(content))
        assert found.digest == hashlib.sha256(content).hexdigest()


def test_a_file_that_can_not_be_split_fails_the_job(tmp_path: Path) -> None:
    script = split_script(str(tmp_path), [str(tmp_path / "missing")], 100, [])
    variables = {"PATH": os.environ["PATH"], "SLURM_JOB_ID": "7"}
    done = subprocess.run(["sh", "-c", script], env=variables, capture_output=True, check=False)
    assert done.returncode == 1


def test_only_the_parts_of_one_file_count() -> None:
    listing = [
        entry("1.aaab", 3),
        entry("1.aaaa", 10),
        entry("1.sum", 0, FileKind.LINK, DIGEST),
        entry("11.aaaa", 10),
        entry("1.aaac", 0, FileKind.LINK, "/etc/passwd"),
        entry("1.../x", 10),
    ]
    found = parse_parts(listing, 1, 10, 100)
    assert (list(found.parts), found.digest) == ([("1.aaaa", 10), ("1.aaab", 3)], DIGEST)


@pytest.mark.parametrize(
    "sizes",
    [[], [11], [10, 11], [9, 10], [10, 0], [10, -1], [10] * 11],
    ids=lambda sizes: f"{len(sizes)}-{sum(sizes)}",
)
def test_a_listing_with_other_sizes_is_refused(sizes: list[int]) -> None:
    names = [f"0.aaa{chr(97 + number)}" for number in range(len(sizes))]
    listing = [entry(name, size) for name, size in zip(names, sizes, strict=True)]
    with pytest.raises(HostileArchiveError):
        parse_parts(listing, 0, 10, 100)


@pytest.mark.parametrize("digest", [None, "", "x", DIGEST + "a", "../" + DIGEST])
def test_a_digest_that_is_none_is_ignored(digest: str | None) -> None:
    listing = [entry("0.aaaa", 5), entry("0.sum", 0, FileKind.LINK, digest)]
    assert parse_parts(listing, 0, 10, 100).digest is None
