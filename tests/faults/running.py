"""A run of ReFrame through its own sandbox, and the outcome."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx

from firecrest_sandbox import Sandbox, SandboxConfig
from tests.conftest import SANDBOX_API, GatewayUnderTest
from tests.e2e.conftest import SUITE, ReFrame
from tests.faults.cases import SLOW_SYSTEM, TIMEOUT, Case

SETTINGS = Path(__file__).with_name("settings.py")
CHECKS = SUITE / "disturbed.py"
PATIENCE = 240.0
"""Seconds after which a run is killed."""
ENDING = 3.0
"""Seconds that cancelled jobs may take to end after ReFrame has."""
LATE = 20.0
"""Seconds after ReFrame's end by which all that a case delays has been carried out."""
LEDGER = "ledger"
"""File in which jobs note that their test's commands are executed."""
PAUSE = f"{LEDGER}.pause"
"""File with the seconds for which jobs sleep then, if they do."""
SMALL = 65_536
TRANSFERS: Literal["s3", "none"] = "none" if os.environ.get("FAULTS_TRANSFERS") == "none" else "s3"
"""The site's method for large files: with ``none``, outputs travel in parts too."""
_TOKEN = re.compile(r"(?<=\.reframe-firecrest-)[0-9a-f]{32}(?=\.)")

_RUN = re.compile(rb"\b[0-9]{8}-[0-9]{6}-[\w.-]+-[0-9a-f]{6}\b")
"""Name of a run, which job scripts hold as a comment."""

_COMPARED = ("short_name", "result", "fail_phase", "fail_reason", "job_exitcode", "num_tasks", "perfvalues")
_ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")


@dataclass
class Outcome:
    """Results and leftovers of a run.

    Attributes:
        code: ReFrame's exit code; None if it had to be killed.
        tests: by test, what the report says of it.
        jobs: name and state of ReFrame's jobs that executed a test's commands, and how many of them.
        idle: ReFrame's jobs that executed none: what was queued twice, or cancelled before it began.
        unfinished: jobs of all kinds that were still there at the end.
        files: local output files and what is in them, as checksums.
        remote: paths that were left below the run's directory on the system.
        requests: how many there were of each shape.
        limited: requests that were refused for the rate limit.
        faults: how many failures there were, by what the sandbox calls them.
        seconds: of wall time.
        output: what ReFrame printed.
    """

    code: int | None
    tests: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, int] = field(default_factory=dict)
    idle: int = 0
    unfinished: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    remote: list[str] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    limited: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    output: str = ""


def run_case(case: Case) -> Outcome:
    """Run the small suite with a case's failures."""
    rules = (*(fault.rule for fault in case.faults), *(SLOW_SYSTEM if case.slow else ()))
    config = SandboxConfig(
        max_ops_file_size=SMALL,
        output_limit=2 * SMALL,
        max_part_size=SMALL,
        kill_wait=0.5,
        faults=rules,
        transfers=TRANSFERS,
    )
    # The patience for an answer may only be short where none comes: a loaded machine is slow by itself.
    environment = {"FAULTS_TIMEOUT": str(TIMEOUT)} if case.unanswered else {}
    options = ["--flex-alloc-nodes=all"]
    return run(config, CHECKS, environment, PATIENCE, options=options, pause=case.pause)


def run(
    config: SandboxConfig,
    checks: Path,
    environment: Mapping[str, str],
    patience: float,
    *,
    options: Sequence[str] = (),
    pause: float = 0.0,
) -> Outcome:
    """Run a suite through a new sandbox.

    Args:
        config: the sandbox's.
        checks: the suite's file.
        environment: more variables for ReFrame.
        patience: seconds after which it is killed.
        options: more options for ReFrame.
        pause: seconds that each job sleeps, where the suite lets it.
    """
    directory = Path(tempfile.mkdtemp(prefix="reframe-firecrest-faults-"))
    if pause:
        (directory / PAUSE).write_text(f"{pause:g}\n")
    try:
        with Sandbox(config) as sandbox:
            # It speaks both versions, so that what it did can be asked for in the same way after all runs.
            version = {"FIRECREST_API_VERSION": SANDBOX_API.removeprefix("v")}
            reframe = ReFrame(directory, GatewayUnderTest("sandbox", {**sandbox.environment(), **version}))
            begun = time.monotonic()
            process = reframe.start(
                [str(checks)],
                *options,
                config=SETTINGS,
                environment={
                    **environment,
                    "TMPDIR": str(directory),
                    "FAULTS_LEDGER": str(directory / LEDGER),
                },
            )
            try:
                left = reframe.finish(process, patience)
                outcome = Outcome(left.code, tests_of(left.report), output=left.output)
            except subprocess.TimeoutExpired:
                outcome = Outcome(None)
            finally:
                reframe.close()
            outcome.seconds = time.monotonic() - begun
            _ask(sandbox, outcome, directory / LEDGER)
            outcome.files = dict(checksums(directory))
            outcome.remote = sorted(_remote(Path(sandbox.environment()["FIRECREST_BASEDIR"])))
        return outcome
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def tests_of(report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Pick from a report what must be the same in all runs."""
    return {
        case["display_name"]: {
            **{key: case[key] for key in _COMPARED},
            "nodes": len(case["job_nodelist"]),
            "reported its end": case["job_completion_time"] is not None,
        }
        for run in report.get("runs", [])
        for case in run["testcases"]
    }


def jobs_of(outcome: Outcome, test: Mapping[str, Any]) -> int:
    """Count the jobs of one of the tests that do not build, by the name that ReFrame gives them."""
    return sum(count for job, count in outcome.jobs.items() if job.split()[0] == f"rfm_{test['short_name']}")


def _ask(sandbox: Sandbox, outcome: Outcome, ledger: Path) -> None:
    """Ask the sandbox what it did, undisturbed."""
    stats = sandbox.stats()
    outcome.requests, outcome.limited, outcome.faults = stats.by_shape, stats.rate_limited, stats.faults
    sandbox.faults.clear()
    _await_late_requests(sandbox)
    deadline = time.monotonic() + ENDING
    while True:
        jobs = _jobs(sandbox)
        active = [job for job in jobs if not job["status"]["state"].startswith(_ENDED)]
        if not active or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    outcome.unfinished = sorted(f"{job['name']} {job['status']['state']}" for job in active)
    notes = ledger.read_text().splitlines() if ledger.exists() else []
    states = {str(job["jobId"]): f"{job['name']} {job['status']['state']}" for job in jobs}
    outcome.jobs, outcome.idle = executed(states, notes), idle(states, notes)


def _await_late_requests(sandbox: Sandbox) -> None:
    """Wait until the sandbox has carried out what it carries out late; a job of it may come only then."""
    deadline = time.monotonic() + LATE
    while sandbox.stats().in_flight and time.monotonic() < deadline:
        time.sleep(0.1)


def executed(states: Mapping[str, str], notes: Iterable[str]) -> dict[str, int]:
    """Count ReFrame's jobs that executed a test's commands, by name and state.

    A job that was submitted twice counts twice only if both executed them: one that exits before
    it touches anything, or is cancelled while it waits, does no harm. One that runs again after a requeue
    counts twice as well.

    Args:
        states: names and states of all jobs, by id.
        notes: job ids, one for each time that a test's commands began.
    """
    return dict(Counter(states.get(note, f"{note} unknown") for note in notes))


def idle(states: Mapping[str, str], notes: Iterable[str]) -> int:
    """Count ReFrame's jobs that never executed a test's commands.

    Args:
        states: names and states of all jobs, by id.
        notes: job ids, one for each time that a test's commands began.
    """
    return sum(states[job_id].startswith("rfm_") for job_id in states.keys() - set(notes))


def _jobs(sandbox: Sandbox) -> list[dict[str, Any]]:
    config = sandbox.config
    with httpx.Client(trust_env=False, timeout=30.0) as http:
        credentials = {
            "grant_type": "client_credentials",
            "client_id": config.client_id,
            "client_secret": config.client_secret.get_secret_value(),
        }
        token = http.post(sandbox.token_url, data=credentials).raise_for_status().json()["access_token"]
        url = f"{sandbox.url}/compute/{config.system}/jobs"
        headers = {"Authorization": f"Bearer {token}"}
        answer = http.get(url, params={"time_window": "7d"}, headers=headers)
        return list(answer.raise_for_status().json()["jobs"])


def checksums(directory: Path, *names: str) -> Iterable[tuple[str, str]]:
    """Name what lies in ReFrame's directories; our own path counts as the same in all runs.

    Args:
        directory: ReFrame's prefix.
        names: more texts that differ from run to run.
    """
    for top in ("output", "stage"):
        for path in sorted(Path(directory, top).rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                for name in (str(directory), *names):
                    content = content.replace(name.encode(), b"@")
                content = _RUN.sub(b"@", content)
                yield str(path.relative_to(directory)), hashlib.sha256(content).hexdigest()


def _remote(home: Path) -> Iterable[str]:
    for run_directory in home.glob("reframe-firecrest/*"):
        for path in run_directory.rglob("*"):
            yield without_token(str(path.relative_to(run_directory)))


def without_token(path: str) -> str:
    """Return a remote path as it is in every run: the names of markers hold a submission's random token."""
    return _TOKEN.sub("@", path)
