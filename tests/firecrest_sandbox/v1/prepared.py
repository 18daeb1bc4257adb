"""A sandbox prepared like the recorded v1 gateway: its files, and jobs in the states of the recorded ones."""

from __future__ import annotations

import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.firecrest_sandbox.v1.conftest import V1

LINES = "".join(f"line {n}\n" for n in range(1, 31)).encode()
UNKNOWN_JOB = "999999"
OK = "#SBATCH -J ok\n#SBATCH -o ok-%j.out\n#SBATCH -e ok-%j.err\nhostname\n"

PURGED = ("poll_active_purged_id", "poll_active_purged_and_live", "poll_active_fast_polling")


def lay_out(top: Path) -> None:
    """Make the recorded directory anew."""
    shutil.rmtree(top, ignore_errors=True)
    for name in ("a/b", "out", "jobs/a=b", "jobs/dir with space", "xout"):
        (top / name).mkdir(parents=True)
    files = {
        "small.txt": LINES,
        "copy.txt": LINES,
        "moved.txt": LINES,
        "cj.txt": LINES,
        "rj.txt": LINES,
        "bin.dat": bytes(range(256)) * 20,
        "empty.txt": b"",
        "hello.txt": b"hello\n",
        "with space.txt": b"a",
        "ünï.txt": b"a",
        "m49.bin": b"y" * 5_242_280,
        "big.bin": b"b" * 6_000_000,
    }
    for name, content in files.items():
        (top / name).write_bytes(content)
    with (top / "sparse.bin").open("wb") as sparse:
        sparse.truncate(200 * 1024**3)
    for name in ("a.tar.gz", "noext", "xa.tar.gz"):
        with tarfile.open(top / name, "w:gz") as archive:
            archive.add(top / "a", "a")
    scripts = {
        "ok.sh": OK,
        "a=b/ok.sh": OK,
        "dir with space/ok.sh": OK,
        "bad.sh": "#SBATCH -p nope\nhostname\n",
        "warn.sh": "hostname\n",
        "warn2.sh": "hostname\n",
    }
    for name, text in scripts.items():
        (top / "jobs" / name).write_text(f"#!/bin/bash\n{text}")
    (top / "jobs" / "noshebang.sh").write_text("hostname\n")


def fill(v1: V1) -> None:
    """Occupy all nodes, so that further jobs wait."""
    v1.submitted("#SBATCH --exclusive -N4\nsleep 60\n", "v1test/jobs/fill.sh")


def running(v1: V1) -> str:
    job_id = v1.submitted("#SBATCH -J slow\nsleep 60\n", "v1test/jobs/slow.sh")
    v1.until(job_id, "RUNNING")
    return job_id


def pending(v1: V1) -> str:
    fill(v1)
    return v1.submitted("#SBATCH -J pend\ntrue\n", "v1test/jobs/pend.sh")


def done(v1: V1) -> str:
    job_id = v1.submitted(OK, "v1test/jobs/ok.sh")
    v1.until(job_id, "COMPLETED")
    return job_id


def array(v1: V1) -> str:
    return v1.submitted("#SBATCH -J arr --array=0-1\nsleep 60\n", "v1test/jobs/arr.sh")


def running_array(v1: V1) -> str:
    job_id = array(v1)
    v1.until(job_id, "RUNNING")
    return job_id


def done_array(v1: V1) -> str:
    job_id = v1.submitted("#SBATCH -J arr --array=0-1\ntrue\n", "v1test/jobs/arr.sh")
    v1.until(job_id, "COMPLETED")
    return job_id


def pending_array(v1: V1) -> str:
    fill(v1)
    return v1.submitted("#SBATCH --array=0-9%2\ntrue\n", "v1test/jobs/apend.sh")


def cancelled(make: Callable[[V1], str]) -> Callable[[V1], str]:
    def prepare(v1: V1) -> str:
        job_id = make(v1)
        v1.ended(v1.delete(f"/compute/jobs/{job_id}"))
        v1.until(job_id, "CANCELLED")
        return job_id

    return prepare


def talkative(v1: V1) -> str:
    job_id = v1.submitted("seq 2000\nsleep 60\n", "v1test/jobs/out.sh")
    output = v1.home / "v1test" / "jobs" / f"slurm-{job_id}.out"
    while not output.exists() or not output.read_text().endswith("2000\n"):
        time.sleep(0.02)
    return job_id


# What the recorded jobs were like when they were asked for.
JOBS: dict[str, Callable[[V1], str]] = {
    "82": done,
    "93": running,
    "94": done,
    "95": pending,
    "96": done_array,
    "97": pending_array,
    "133": running,
    "321": talkative,
}
OTHERWISE: dict[str, dict[str, Callable[[V1], str]]] = {
    "cancel_again": {"93": cancelled(running)},
    "poll_array_running": {"96": running_array},
    "poll_cancelled": {"93": cancelled(running), "95": cancelled(pending), "97": cancelled(pending_array)},
    **{name: {"82": lambda _: UNKNOWN_JOB} for name in PURGED},
    "poll_active": {"": lambda v1: pending(v1) and pending_array(v1)},
    "poll_active_page": {"": lambda v1: pending(v1) and pending_array(v1)},
    "poll_all": {"": done},
    "poll_page": {"": lambda v1: done(v1) and done(v1) and done(v1) and done(v1)},
    "poll_starttime": {"": done},
    "poll_starttime_datetime": {"": done},
    "poll_active_page_too_far": {"": lambda v1: pending(v1) and pending(v1)},
    "submit_sbatch_warning_exit0": {"": done},
}
