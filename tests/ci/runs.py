"""Results of a run in a pipeline, on this machine and on the system."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from reframe_firecrest.journal.reader import SessionLog, session_logs
from tests.conftest import GatewayUnderTest
from tests.e2e.outside import outside

PATIENCE = 300.0


def verdicts(results: Path) -> dict[str, str]:
    """Read the result of each test from the JUnit report, as a CI server does."""
    return {
        case.attrib["name"].split()[0]: "failed" if case.find("failure") is not None else "passed"
        for case in ElementTree.parse(results / "junit.xml").iter("testcase")
    }


def left_on(gateway: GatewayUnderTest, namespace: str) -> set[str]:
    """Name the runs that have a directory; none of them may have a job."""
    with outside(gateway) as there:
        assert there.active(namespace) == []
        return there.runs(namespace)


def places_of(secrets: Sequence[str], log: str, published: Path) -> list[str]:
    """Name the places where a secret stands that everybody sees who may look at the pipeline."""
    places = {"the log": log.encode()}
    places |= {str(path): path.read_bytes() for path in published.rglob("*") if path.is_file()}
    return [place for place, data in places.items() if any(secret.encode() in data for secret in secrets)]


def wait_until_it_runs(journals: Path, process: subprocess.Popen[str]) -> SessionLog:
    """Wait until Slurm runs all jobs of the only run."""
    deadline = time.monotonic() + PATIENCE
    while True:
        for session_log in session_logs(journals):
            if session_log.jobs and all(job.state == "RUNNING" for job in session_log.jobs.values()):
                return session_log
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no job has started"
        time.sleep(0.05)


def family(pid: int, top: int) -> list[int]:
    """Return a process, its parent and so on, but for the one at the top and what it starts Node.js with."""
    members = [pid]
    while (parent := _parent(members[-1])) != top and Path(f"/proc/{parent}/exe").resolve().name != "node":
        members.append(parent)
    return members


def kill(members: Sequence[int]) -> None:
    """Kill processes, as a runner does that has lost its patience; parents first."""
    for member in reversed(members):
        os.kill(member, signal.SIGKILL)


def _parent(pid: int) -> int:
    # The name before the closing bracket may have blanks in it.
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
