"""ReFrame's calls of the scheduler, with a fake session."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import reframe.core.config as rfm_config
import reframe.core.runtime as rt
from reframe.core.backends import getlauncher, getscheduler
from reframe.core.exceptions import ConfigError, ForceExitError, JobBlockedError, JobError
from reframe.core.schedulers import Job
from reframe.utility import jsonext

import reframe_firecrest  # noqa: F401 - registers the backends
from reframe_firecrest.model.case_state import CaseState
from reframe_firecrest.model.job import JobHandle, JobSpec, JobState, Phase
from reframe_firecrest.model.run_names import run_name
from reframe_firecrest.plugin import reframe_log
from reframe_firecrest.plugin.job import FirecrestJob
from reframe_firecrest.plugin.progress_display import ProgressDisplay
from reframe_firecrest.plugin.scheduler import FirecrestScheduler
from tests.conftest import PROJECT


class FakeSession:
    """Take jobs over and leave them to the test."""

    def __init__(self) -> None:
        self.handles: list[JobHandle] = []
        self.cancelled: list[JobHandle] = []
        self.cases: list[CaseState] = []
        self.scheduler_version: tuple[int, ...] | None = None

    def note_cases(self, cases: list[CaseState]) -> None:
        self.cases += cases

    def submit(self, spec: JobSpec) -> JobHandle:
        self.handles.append(JobHandle(spec))
        return self.handles[-1]

    def unavailable(self) -> float:
        return 0.0

    def remote_directory(self, local: str) -> str:
        return f"/scratch{local}"

    def add_sources(self, directories: Iterable[str], private: Iterable[str]) -> None:
        self.sources, self.private = set(directories), set(private)

    def cancel(self, handles: Iterable[JobHandle]) -> None:
        for handle in handles:
            handle.cancel()
            self.cancelled.append(handle)


def advance(handle: JobHandle, *phases: Phase, **news: Any) -> None:
    for phase in phases[:-1]:
        assert handle.advance(phase)
    assert handle.advance(phases[-1], **news)


TO_SLURM = (Phase.STAGING, Phase.SUBMITTING, Phase.SUBMITTED)


@pytest.fixture(scope="module", autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give ReFrame its configuration; one serves the whole process."""
    config = rfm_config.load_config("<builtin>", str(PROJECT / "config/sandbox.py"))
    config.select_subconfig("sandbox")
    config.add_sticky_option("systems/prefix", str(tmp_path_factory.mktemp("rfm")))
    before = rt._runtime_context
    rt._runtime_context = None
    rt.init_runtime(config)
    yield
    rt._runtime_context = before


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSession]:
    fake = FakeSession()
    monkeypatch.setattr("reframe_firecrest.plugin.remote_session.get_session", lambda *_arguments: fake)
    for name, value in {
        "FIRECREST_URL": "http://127.0.0.1:9",
        "AUTH_TOKEN_URL": "http://127.0.0.1:9/token",
        "FIRECREST_CLIENT_ID": "me",
        "FIRECREST_CLIENT_SECRET": "hidden",
        "FIRECREST_SYSTEM": "fake",
        "FIRECREST_BASEDIR": "/scratch/me",
        "FIRECREST_ACCOUNT": "a1",
    }.items():
        monkeypatch.setenv(name, value)
    yield fake
    reframe_log.release_logs()


@pytest.fixture
def scheduler(session: FakeSession) -> FirecrestScheduler:
    made: FirecrestScheduler = getscheduler("firecrest-scheduler")(part_name="compute")
    return made


@pytest.fixture
def make_job(scheduler: FirecrestScheduler, tmp_path: Path) -> Any:
    def make(**options: Any) -> FirecrestJob:
        job: FirecrestJob = Job.create(
            scheduler,
            getlauncher("firecrest-srun")(),
            name="rfm_test",
            workdir=str(tmp_path),
            script_filename="rfm_job.sh",
            **options,
        )
        job.time_limit = "10m"
        return job

    return make


def test_submit_hands_over_plain_data_and_gives_an_id(
    make_job: Any, session: FakeSession, tmp_path: Path
) -> None:
    job = make_job()
    job.submit()
    spec = session.handles[0].spec
    outputs = ("rfm_job.out", "rfm_job.err")
    assert spec == JobSpec(
        "rfm_test", str(tmp_path), "rfm_job.sh", outputs, "a1", spec.selection, transfer_account="a1"
    )
    assert job.jobid is not None
    assert job.remotedir == f"/scratch{tmp_path}"
    assert job.submit_time is not None
    assert not job.finished()


def test_a_job_stays_itself_when_slurm_names_it(make_job: Any, session: FakeSession) -> None:
    job, other = make_job(), make_job()
    job.submit()
    other.submit()
    known = {job, other}
    advance(session.handles[0], *TO_SLURM, job_id="42", state="PENDING")
    job.scheduler.poll(job, other)
    assert job.jobid == "42"
    assert job.state == "PENDING"
    assert job in known
    assert job != other


def test_a_job_is_finished_when_its_outputs_are_local_not_before(make_job: Any, session: FakeSession) -> None:
    job = make_job()
    job.submit()
    [handle] = session.handles
    advance(handle, *TO_SLURM, job_id="42")
    handle.learn(JobState(state="COMPLETED", exit_code=0, nodes="nid[001-003]", completed=1000.0))
    job.scheduler.poll(job)
    assert not job.finished()
    advance(handle, Phase.RETRIEVING)
    assert not job.finished()
    assert job.state == "COMPLETING"
    advance(handle, Phase.DONE)
    assert job.finished()
    assert (job.state, job.exitcode) == ("COMPLETED", 0)
    # The download must not count as run time.
    assert job.completion_time == 1000.0
    assert job.nodelist == ["nid001", "nid002", "nid003"]


def test_the_start_is_slurms_and_until_then_the_submission(make_job: Any, session: FakeSession) -> None:
    job = make_job()
    assert job.start_time is None
    job.submit()
    [handle] = session.handles
    advance(handle, *TO_SLURM, job_id="42", state="PENDING")
    job.scheduler.poll(job)
    assert job.start_time == job.submit_time
    handle.learn(JobState(state="RUNNING", started=700.0))
    job.scheduler.poll(job)
    assert job.start_time == 700.0


def test_nodes_that_are_known_late_are_listed(make_job: Any, session: FakeSession) -> None:
    job = make_job()
    job.submit()
    [handle] = session.handles
    advance(handle, *TO_SLURM, job_id="42")
    handle.learn(JobState(state="RUNNING", exit_code=None, nodes="nid001"))
    job.scheduler.poll(job)
    assert job.nodelist == ["nid001"]
    handle.learn(JobState(state="RUNNING", exit_code=None, nodes="nid001,nid002"))
    job.scheduler.poll(job)
    assert job.nodelist == ["nid001", "nid002"]


def test_what_went_wrong_is_raised_for_that_job_once_and_never_by_poll(
    make_job: Any, session: FakeSession
) -> None:
    job, other = make_job(), make_job()
    job.submit()
    other.submit()
    session.handles[0].advance(Phase.FAILED, state="FAILED", error="no such thing")
    job.scheduler.poll(job, other, None)
    with pytest.raises(JobError, match="no such thing"):
        job.finished()
    # ReFrame waits for every job of a failed test.
    job.wait()
    assert not other.finished()


def test_wait_returns_when_the_job_ends_and_at_once_when_it_has(make_job: Any, session: FakeSession) -> None:
    job = make_job()
    job.submit()
    [handle] = session.handles

    def live() -> None:
        advance(handle, *TO_SLURM, job_id="42")
        advance(handle, Phase.RETRIEVING, Phase.DONE)

    threading.Timer(0.1, live).start()
    job.wait()
    assert handle.ended.is_set()
    job.wait()


def test_the_outputs_of_an_array_are_merged(make_job: Any, session: FakeSession, tmp_path: Path) -> None:
    job = make_job(sched_options=["--array=0-1"])
    job.scheduler.emit_preamble(job)
    job.submit()
    for number in range(2):
        (tmp_path / f"rfm_job.out_{number}").write_text(f"task {number}\n")
    advance(session.handles[0], *TO_SLURM, Phase.RETRIEVING, Phase.DONE)
    job.wait()
    assert sorted((tmp_path / "rfm_job.out").read_text().split("\n"))[-2:] == ["task 0", "task 1"]


@pytest.mark.parametrize(
    ("options", "tasks", "numbered"),
    [
        ({"sched_options": ["--array=0-3:2"]}, {0, 2}, True),
        ({"sched_options": ["-a 1-2%1"]}, {1, 2}, True),
        ({"sched_options": ["#SBATCH --array=4"]}, {4}, False),
        ({"sched_access": ["--array=1-2"]}, {1, 2}, False),
        ({"sched_access": ["--array=1-2"], "sched_options": ["--array=5"]}, {5}, True),
        ({}, set(), False),
    ],
)
def test_the_script_as_it_is_written_defines_the_tasks(  # noqa: PLR0917 - fixtures and parameters
    make_job: Any,
    session: FakeSession,
    tmp_path: Path,
    options: dict[str, Any],
    tasks: set[int],
    numbered: bool,
) -> None:
    job = make_job(**options)
    lines = ["#!/bin/bash", *job.scheduler.emit_preamble(job), "hostname"]
    (tmp_path / "rfm_job.sh").write_text("\n".join(lines))
    job.submit()
    [handle] = session.handles
    assert handle.spec.shape.tasks == tasks
    assert handle.spec.numbered is numbered


def test_an_array_that_slurm_would_refuse_is_refused_with_its_script(
    make_job: Any, session: FakeSession, tmp_path: Path
) -> None:
    job = make_job()
    (tmp_path / "rfm_job.sh").write_text("#!/bin/bash\n#SBATCH --array=5-3\n")
    with pytest.raises(JobError, match=r"option --array in .*rfm_job.sh: not a list of array indices: '5-3'"):
        job.submit()
    assert not session.handles


def test_cancel_returns_at_once_and_wait_after_it_too(make_job: Any, session: FakeSession) -> None:
    job = make_job()
    job.submit()
    advance(session.handles[0], *TO_SLURM, job_id="42")
    job.cancel()
    assert session.cancelled == session.handles
    job.wait()
    assert job.finished()
    assert job.state == "CANCELLED"


def test_a_job_that_waits_too_long_is_cancelled_and_reports_it(make_job: Any, session: FakeSession) -> None:
    job = make_job()
    job.max_pending_time = 1
    job.submit()
    session.handles[0].submitted = time.time() - 5
    advance(session.handles[0], *TO_SLURM, job_id="42", state="PENDING")
    job.scheduler.poll(job)
    with pytest.raises(JobError, match="maximum pending time exceeded"):
        job.finished()
    assert session.cancelled == session.handles


@pytest.mark.parametrize("step", [3600.0, -86_400.0])
def test_a_step_of_the_systems_clock_does_not_end_the_wait_of_a_pending_job(
    step: float, make_job: Any, session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    job.max_pending_time = 600
    job.submit()
    advance(session.handles[0], *TO_SLURM, job_id="42", state="PENDING")
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + step)
    job.scheduler.poll(job)
    assert not job.finished()
    assert not session.cancelled


def test_a_job_that_is_blocked_for_a_moment_waits(make_job: Any, session: FakeSession) -> None:
    job = make_job()
    job.submit()
    reason = "ReqNodeNotAvail, UnavailableNodes:nid00[1-3]"
    advance(session.handles[0], *TO_SLURM, job_id="42", state="PENDING", reason=reason)
    job.scheduler._cancel_reasons = ["ReqNodeNotAvail"]
    job.scheduler.poll(job)
    assert not job.finished()
    assert not session.cancelled


def test_a_blocked_job_is_cancelled_for_the_reasons_that_are_configured(
    make_job: Any, session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, waiting = make_job(), make_job()
    monkeypatch.setattr("reframe_firecrest.plugin.scheduler.BLOCKED_TIMEOUT", 0.0)
    job.submit()
    waiting.submit()
    job.scheduler._cancel_reasons = ["ReqNodeNotAvail"]
    reason = "ReqNodeNotAvail, UnavailableNodes:nid00[1-3]"
    advance(session.handles[0], *TO_SLURM, job_id="42", state="PENDING", reason=reason)
    advance(session.handles[1], *TO_SLURM, job_id="43", state="PENDING", reason="Priority")
    for _ in range(2):
        job.scheduler.poll(job, waiting)
    with pytest.raises(JobBlockedError, match="UnavailableNodes"):
        job.finished()
    assert not waiting.finished()


def test_access_options_stand_in_the_script(
    make_job: Any, scheduler: FirecrestScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(sched_access=["--account=a1", "-C mc"])
    assert {"#SBATCH --account=a1", "#SBATCH -C mc"} <= set(scheduler.emit_preamble(job))


def test_a_missing_setting_ends_the_run_before_the_first_test(
    scheduler: FirecrestScheduler, make_job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIRECREST_SYSTEM")
    with pytest.raises(ConfigError, match="export FIRECREST_SYSTEM"):
        scheduler.poll()
    with pytest.raises(ConfigError, match="export FIRECREST_SYSTEM"):
        make_job().submit()


def test_listing_tests_needs_neither_settings_nor_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIRECREST_URL", raising=False)
    scheduler = getscheduler("firecrest-scheduler")(part_name="compute")
    assert scheduler.registered_name == "slurm"
    assert not scheduler.is_local


def test_several_clusters_are_refused_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    get_option = FirecrestScheduler.get_option

    def clusters(self: FirecrestScheduler, name: str) -> Any:
        return ["a", "b"] if name == "slurm_multi_cluster_mode" else get_option(self, name)

    monkeypatch.setattr(FirecrestScheduler, "get_option", clusters)
    with pytest.raises(ConfigError, match="slurm_multi_cluster_mode"):
        getscheduler("firecrest-scheduler")(part_name="compute")


def test_a_job_can_be_written_to_the_report(make_job: Any, session: FakeSession) -> None:
    job = make_job()
    job.submit()
    assert '"_number"' in jsonext.dumps(job)


def test_the_launcher_learns_slurms_version_from_the_session(make_job: Any, session: FakeSession) -> None:
    job = make_job()
    job.num_cpus_per_task = 4
    job.scheduler.poll()
    assert job.launcher.run_command(job) == "srun --cpus-per-task=4"
    job.submit()
    assert session.handles[0].spec.cpus_per_task == 4
    session.scheduler_version = (21, 8, 5)
    assert job.launcher.run_command(job) == "srun"
    session.scheduler_version = (22, 5, 8)
    assert job.launcher.run_command(job) == "srun --cpus-per-task=4"


def test_a_request_to_end_that_logging_swallowed_is_heard(make_job: Any, session: FakeSession) -> None:
    job = make_job()
    job.submit()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        # So does ReFrame's handler, before it raises.
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        with pytest.raises(ForceExitError):
            job.scheduler.poll(job)
        # What ReFrame does then must not be hindered.
        job.cancel()
        job.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert session.cancelled == session.handles


def test_tests_that_are_known_before_the_session_are_reported_to_it(
    scheduler: FirecrestScheduler, session: FakeSession
) -> None:
    before, after = CaseState("A", "sandbox:compute+builtin"), CaseState("B", "sandbox:compute+builtin")
    scheduler.test_cases.note(before)
    scheduler.poll()
    scheduler.test_cases.note(after)
    assert session.cases == [before, after]


def test_a_job_is_commented_with_the_name_of_its_test(
    make_job: Any, scheduler: FirecrestScheduler, tmp_path: Path
) -> None:
    scheduler.test_cases.note(CaseState("Sleeper %n=0", "sandbox:compute+builtin", str(tmp_path)))
    first, *_rest = scheduler.emit_preamble(make_job())
    assert first == f'#SBATCH --comment="reframe {run_name()} Sleeper %n=0"'


@pytest.mark.parametrize(("setting", "shown"), [("true", True), ("false", False)])
def test_progress_is_shown_unless_a_setting_forbids_it(
    setting: str, shown: bool, scheduler: FirecrestScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[ProgressDisplay] = []
    monkeypatch.setattr(ProgressDisplay, "start", lambda shown: started.append(shown))  # noqa: PLW0108 - a method
    monkeypatch.setenv("FIRECREST_PROGRESS", setting)
    scheduler.poll()
    assert bool(started) is shown
