"""The report that a job makes at its end: made by a real shell, and read as hostile."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest

from reframe_firecrest.model.errors import DamagedArchiveError
from reframe_firecrest.model.remote_file import FileKind, RemoteFile
from reframe_firecrest.staging.job_report import LARGEST_FILE, read_listing
from reframe_firecrest.staging.unpack import Destination, unpack
from tests.staging.test_prologue import SHELLS, TOKEN, Job

ONE_NODE = {"SLURM_JOB_NUM_NODES": "1"}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    made = Job(tmp_path)
    # Slurm starts each script in a session without other processes of the user.
    made.shell = "setsid --wait bash"
    return made


def report_of(job: Job) -> Path:
    return job.claims / f"{TOKEN}.tgz"


def entries_of(job: Job) -> dict[str, RemoteFile]:
    return {entry.path: entry for entry in read_listing(report_of(job), TOKEN)}


def packed(report: Path) -> set[str]:
    with tarfile.open(report) as tar:
        return {name.removeprefix("./") for name in tar.getnames()} - {f"{TOKEN}.list"}


@pytest.mark.parametrize("shell", SHELLS)
def test_it_lists_everything_and_has_what_changed(job: Job, shell: str, tmp_path: Path) -> None:
    job.shell = f"setsid --wait {shell}"
    job.send("input", "in")
    job.send("sub/changed", "old")
    job.run("echo new > sub/changed; echo 'a b' > \"it's\"; : > empty; ln -s input link; mkdir -m 700 d")
    assert not report_of(job).exists()
    job.run('echo new > sub/changed; chmod 640 "it\'s"', slurm=ONE_NODE)
    found = entries_of(job)
    assert {"input", "sub", "sub/changed", "it's", "empty", "link", "d"} <= found.keys()
    assert (found["d"].kind, found["d"].permissions) == (FileKind.DIRECTORY, "rwx------")
    assert (found["link"].kind, found["link"].target) == (FileKind.LINK, "input")
    assert (found["it's"].size, found["it's"].permissions) == (4, "rw-r-----")
    assert len(found["input"].mtime) == len("2026-11-28T12:00:00")
    assert job.markers(claims=False).started
    assert {"it's", "empty", "sub/changed"} <= packed(report_of(job))
    assert "input" not in packed(report_of(job))
    out = tmp_path / "out"
    out.mkdir()
    unpack(report_of(job), {"sub/changed": Destination(str(out), "sub/changed", 4)})
    assert (out / "sub/changed").read_text() == "new\n"


def test_large_files_stay_out_of_it(job: Job) -> None:
    job.run(
        f"head -c {LARGEST_FILE + 1} /dev/zero > large; head -c {LARGEST_FILE} /dev/zero > s", slurm=ONE_NODE
    )
    assert entries_of(job)["large"].size == LARGEST_FILE + 1
    assert packed(report_of(job)) >= {"s"}
    assert "large" not in packed(report_of(job))


@pytest.mark.parametrize(
    ("body", "slurm"),
    [
        ("echo > new", {"SLURM_JOB_NUM_NODES": "2"}),
        ("echo > new", {**ONE_NODE, "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "1"}),
        ("sleep 1 > /dev/null 2>&1 &", ONE_NODE),
        ("exec > >(sleep 1; cat > log)", ONE_NODE),
        ("nohup sleep 1 > /dev/null 2>&1 & disown", ONE_NODE),
        ('cd /; rm -r "$OLDPWD"', ONE_NODE),
        ("trap - EXIT", ONE_NODE),
        ("i=0; while [ $i -lt 2000 ]; do : > file-with-a-rather-long-name-$i; i=$((i+1)); done", ONE_NODE),
    ],
    ids=["nodes", "array", "background", "substitution", "disowned", "no directory", "no trap", "many files"],
)
def test_it_is_not_made_where_it_could_miss_something(job: Job, body: str, slurm: dict[str, str]) -> None:
    job.run(body, slurm=slurm)
    assert not report_of(job).exists()
    assert not list(job.claims.glob("*.list"))


TOOLS = (
    "bash",
    "setsid",
    "ln",
    "readlink",
    "sleep",
    "rm",
    "find",
    "timeout",
    "wc",
    "tar",
    "gzip",
    "mv",
    "pgrep",
)


@pytest.mark.parametrize("missing", ["pgrep", "tar", "gzip", "head", "none"])
def test_a_node_without_a_command_makes_none(job: Job, missing: str) -> None:
    tools = job.claims.parent / "tools"
    tools.mkdir()
    for name in (*TOOLS, "head"):
        if name != missing:
            (tools / name).symlink_to(str(shutil.which(name)))
    job.run("echo > new", slurm={**ONE_NODE, "PATH": str(tools)})
    assert job.errors == ""
    assert report_of(job).exists() is (missing == "none")
    assert {path.suffix for path in job.claims.iterdir()} <= {"", ".tgz"}


def test_a_job_that_is_requeued_does_not_leave_the_report_of_its_first_run(job: Job) -> None:
    job.run("echo first > result", slurm=ONE_NODE)
    assert report_of(job).exists()
    job.run("echo second > result; exec true", slurm={**ONE_NODE, "SLURM_RESTART_COUNT": "1"})
    assert not report_of(job).exists()


@pytest.mark.parametrize(
    "listing",
    [
        b"f\0-rw-r--r--\x0012\x002026-11-28T12:00:00.0\0me\0\0name",
        b"f\0-rw-r--r--\x0012\x002026-11-28T12:00:00.0\0me\0name\0",
        b"f\0-rw-r--r--\x00-1\x002026-11-28T12:00:00.0\0me\0\0name\0",
        b"f\0-rw-r--r--\x0012\x00yesterday\0me\0\0name\0",
        b"f\0-rw-r--r--\x0012\x002026-11-28T12:00:00.0\0\x1b[2J\0\0name\0",
        b"f\0?\x0012\x002026-11-28T12:00:00.0\0me\0\0name\0",
        b"f\0-rw-r--r--\x0012\x002026-11-28T12:00:00.0\0me\0\0\0",
        None,
    ],
    ids=["cut", "too few", "negative", "no time", "control", "no mode", "no name", "none"],
)
def test_a_damaged_listing_is_refused(tmp_path: Path, listing: bytes | None) -> None:
    report = tmp_path / "report.tgz"
    with tarfile.open(report, "w:gz") as tar:
        if listing is not None:
            member = tarfile.TarInfo(f"{TOKEN}.list")
            member.size = len(listing)
            tar.addfile(member, io.BytesIO(listing))
    with pytest.raises(DamagedArchiveError, match="report"):
        read_listing(report, TOKEN)
    assert list(tmp_path.iterdir()) == [report]
