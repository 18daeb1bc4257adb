"""Leftovers of killed runs, and their removal by journals or by listings of the system."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from firecrest_sandbox import Sandbox, SandboxConfig
from firecrest_sandbox.fault_injection.faults import FaultKind, FaultRule
from reframe_firecrest.commands.clean import residue
from reframe_firecrest.commands.clean.cleaner import Cleaner
from reframe_firecrest.journal.events import JobMoved
from reframe_firecrest.journal.reader import session_logs
from reframe_firecrest.journal.run_status import RunStatus
from reframe_firecrest.journal.runs import runs_in
from tests.conftest import PROJECT, SANDBOX_API, GatewayUnderTest
from tests.e2e.conftest import SUITE, ReFrame
from tests.e2e.outside import outside
from tests.e2e.test_suites import passed
from tests.session.conftest import eventually

pytestmark = pytest.mark.e2e

CHECKS = [str(SUITE / "killed.py")]
PATIENCE = 150.0

INSTANTS: Mapping[str, Callable[[JobMoved], bool]] = {
    "WhileStaging": lambda job: job.phase == "staging",
    "WhileSubmitting": lambda job: job.phase in ("submitting", "submitted"),
    "WhileRunning": lambda job: job.state == "RUNNING",
    "WhileFetching": lambda job: job.phase == "retrieving",
}
"""When a run of which test is killed."""


Start = Callable[..., ReFrame]


@pytest.fixture
def start(gateway: GatewayUnderTest, tmp_path: Path) -> Iterator[Start]:
    """Start runs of one test each, with directories of their own and journals together."""
    tmp_path.chmod(0o700)
    started: list[ReFrame] = []

    def begin(test: str, **variables: str) -> ReFrame:
        directory = tmp_path / test
        directory.mkdir()
        reframe = ReFrame(directory, gateway)
        started.append(reframe)
        environment = {"FIRECREST_JOURNAL_DIR": str(tmp_path / "journals"), **variables}
        reframe.start(CHECKS, "-n", f"^{test}", environment=environment)
        return reframe

    yield begin
    for reframe in started:
        reframe.close()


def wait_for(reframe: ReFrame, journals: Path, reached: Callable[[JobMoved], bool]) -> str:
    """Wait until the jobs of a run have reached a state; returns the run's name."""
    [process] = reframe.processes
    deadline = time.monotonic() + PATIENCE
    while True:
        for session_log in session_logs(journals):
            mine = session_log.opened.pid == process.pid
            if mine and session_log.jobs and all(reached(job) for job in session_log.jobs.values()):
                return session_log.opened.run
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it did not come to where it is to be killed"
        time.sleep(0.01)


def start_and_kill(start: Start, journals: Path, test: str) -> str:
    """Start a run and kill it when it has come to where it is to be killed; returns its name."""
    reframe = start(test)
    run = wait_for(reframe, journals, INSTANTS[test])
    kill(reframe)
    return run


def kill(reframe: ReFrame) -> None:
    [process] = reframe.processes
    process.send_signal(signal.SIGKILL)
    process.wait()


def command(
    gateway: GatewayUnderTest, journals: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the console script, as from another terminal."""
    return subprocess.run(
        [sys.executable, "-c", "from reframe_firecrest.cli.main import main; main()", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(journals),
            "PYTHONPATH": str(PROJECT),
            **gateway.variables,
            "FIRECREST_JOURNAL_DIR": str(journals),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_nothing_is_left_of_killed_runs_and_the_one_that_continues_does_not_notice(
    gateway: GatewayUnderTest, start: Start, tmp_path: Path
) -> None:
    journals = tmp_path / "journals"
    bystander = start("Bystander")
    going_on = wait_for(bystander, journals, INSTANTS["WhileRunning"])
    with ThreadPoolExecutor() as threads:
        names = threads.map(lambda test: start_and_kill(start, journals, test), INSTANTS)
        killed = dict(zip(INSTANTS, names, strict=True))

    with outside(gateway) as system:
        assert set(killed.values()) <= system.runs()
        assert len(system.active(killed["WhileRunning"])) >= 3
        for test, run in killed.items():
            [session_log] = session_logs(journals, run)
            assert all(INSTANTS[test](job) for job in session_log.jobs.values()), session_log.jobs

        done = command(gateway, journals, "clean", "--all", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert {run["run"] for run in json.loads(done.stdout)["runs"]} == set(killed.values())
        assert system.active(*killed.values()) == []
        assert not set(killed.values()) & system.runs()

        assert going_on in system.runs()
        shown = command(gateway, journals, "status", going_on, "--json")
        assert json.loads(shown.stdout)["standing"] == "goes on"
        system.make_directory(f"{system.directory_of(going_on)}/go")
        outcome = bystander.finish(bystander.processes[0])
        assert passed(outcome) == ["Bystander"], outcome.output
        assert going_on not in system.runs()
    assert Cleaner(journals, gateway.variables).clean_finished().residues == []
    assert {run.standing for run in runs_in(journals)} == {RunStatus.ENDED}


def test_without_its_journal_a_run_is_found_by_the_age_in_its_name(
    gateway: GatewayUnderTest, start: Start, tmp_path: Path
) -> None:
    # On a system that others use too, only this test's runs must be found.
    variables = {"FIRECREST_NAMESPACE": f"reframe-firecrest-{uuid.uuid4().hex[:8]}"}
    run = start_and_kill(partial(start, **variables), tmp_path / "journals", "WhileRunning")
    empty = tmp_path / "empty"
    with outside(gateway) as system:
        for age, expected in ("1h", {run}), ("0m", set()):
            done = command(gateway, empty, "clean", "--remote", "--older-than", age, **variables)
            assert done.returncode == 0, done.stderr
            assert system.runs(variables["FIRECREST_NAMESPACE"]) == expected
            assert bool(system.active(run)) == bool(expected)


@pytest.mark.skipif(SANDBOX_API == "v1", reason="in FirecREST v1, no job waits for a file")
def test_a_transfer_job_that_waits_for_a_killed_run_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residue, "SETTLED", 0.5)
    unanswered = FaultRule(shape="PUT storage", kind=FaultKind.IGNORE, times=1000)
    with Sandbox(SandboxConfig(faults=(unanswered,))) as sandbox:
        gateway = GatewayUnderTest("sandbox", sandbox.environment())
        reframe = ReFrame(tmp_path, gateway)
        # In parts, the input would need no transfer job.
        config = tmp_path / "settings.py"
        option = '"max_jobs": 8, "sched_options": {"firecrest": {"direct_upload_max": 0}}'
        config.write_text((PROJECT / "config/sandbox.py").read_text().replace('"max_jobs": 8', option))
        process = reframe.start(CHECKS, "-n", "^WhileStaging", config=config)
        try:
            with outside(gateway) as system:
                eventually(lambda: sandbox.stats().faults, "upload")
                process.kill()
                process.wait()
                [run] = system.runs()
                assert len(system.active(run)) == 1
                cleaner = Cleaner(tmp_path / ".local/state/reframe-firecrest", gateway.variables)
                assert cleaner.clean_finished().complete
                assert system.active(run) == []
                assert system.runs() == set()
        finally:
            reframe.close()
