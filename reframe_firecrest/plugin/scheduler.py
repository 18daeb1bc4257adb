"""The scheduler that ReFrame calls. Only methods about nodes wait for the network.

Private names of ReFrame that are used, as of 4.10:

- ``_get_default_partition``, ``_get_actual_partition``, ``_get_reservation_nodes`` and
  ``_get_nodes_by_name`` are overridden, because they run ``scontrol`` and ``srun`` locally.
- ``_multi_clusters``, ``_resubmit_on_errors``, ``_cancel_reasons`` and ``_config_prefix`` are options of the
  `slurm` backend; ``_sched_access_in_submit`` is switched off.
- ``_merge_files`` joins the outputs of an array. ``_SlurmNode`` parses the description of a node.
- Attributes of jobs are set, because jobs have no setters: ``_jobid``, ``_submit_time``, ``_nodespec``,
  ``_start_time``, ``_state``, ``_exitcode``, ``_completion_time``, ``_exception`` and ``_is_cancelling``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from reframe.core.exceptions import (
    ConfigError,
    ForceExitError,
    JobBlockedError,
    JobError,
    JobSchedulerError,
)
from reframe.core.schedulers.slurm import SlurmJobScheduler, _SlurmNode

from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.errors import FirecrestError
from reframe_firecrest.model.job import JobHandle, JobState, Phase
from reframe_firecrest.model.local_paths import started_in
from reframe_firecrest.model.run_names import PROVISIONAL, run_name
from reframe_firecrest.model.slurm_states import PENDING
from reframe_firecrest.model.suggestion import did_you_mean
from reframe_firecrest.model.system import Cluster, NodeInfo
from reframe_firecrest.plugin import deferred_imports
from reframe_firecrest.plugin.cases import PartitionCases
from reframe_firecrest.plugin.job import FirecrestJob
from reframe_firecrest.plugin.job_comment import with_comment
from reframe_firecrest.plugin.launcher import FirecrestSrun
from reframe_firecrest.plugin.nodes import default_partition, describe, select
from reframe_firecrest.plugin.reframe_log import capture_logs, flush_logs
from reframe_firecrest.plugin.reported_name import reported_name
from reframe_firecrest.session.signals import exit_was_requested
from reframe_firecrest.staging import read_guard

if TYPE_CHECKING:
    from reframe_firecrest.plugin.remote_session import RemoteSession

WAIT_STEP = 1.0
"""Seconds between the checks of `wait`, which log messages and enforce limits."""

BLOCKED_TIMEOUT = 60.0
"""Seconds for which a reason must have blocked a job before it is cancelled: after a restart of Slurm's
controller, no node is available for a moment."""


class FirecrestScheduler(SlurmJobScheduler):
    """Runs jobs on a Slurm system that is reached through FirecREST."""

    def __init__(self) -> None:
        super().__init__()
        if self._multi_clusters:
            raise ConfigError(
                "'slurm_multi_cluster_mode' does not work with firecrest-scheduler: FirecREST knows one "
                "cluster per system; define a system for each"
            )
        # FirecREST's submission takes no options, so they have to be in the script.
        self._sched_access_in_submit = False
        self._opened: RemoteSession | None = None
        self._handles: dict[FirecrestJob, JobHandle] = {}
        self._blocked: dict[FirecrestJob, float] = {}
        self.test_cases = PartitionCases()
        self.reported_name = reported_name(str(self._config_prefix))
        # A restored session may read placeholders of an earlier process.
        read_guard.arm()
        # When the settings are read, ReFrame has changed to a stage directory.
        started_in()

    def open_session(self) -> RemoteSession:
        """Read the settings and start the session on first use; listing tests needs neither.

        Raises:
            ConfigError: a setting is missing or wrong.
        """
        if self._opened is None:
            capture_logs()
            self._opened = deferred_imports.remote_session().open(str(self._config_prefix), self.test_cases)
        return self._opened

    @property
    def scheduler_version(self) -> tuple[int, ...] | None:
        """Slurm's version on the system; None while it is unknown."""
        return self._opened.session.scheduler_version if self._opened else None

    def make_job(self, *args: Any, **kwargs: Any) -> FirecrestJob:
        """Create a job descriptor."""
        return FirecrestJob(*args, **kwargs)

    def submit(self, job: FirecrestJob) -> None:
        """Submit a job to the session."""
        remote = self.open_session()
        self._handles[job] = handle = remote.submit(
            job, assumed_cpus=self._assumed_cpus(job), resubmit_on=self._resubmit_on_errors or ()
        )
        job._jobid = f"{PROVISIONAL}{handle.number}"
        job._submit_time = handle.submitted

    def _assumed_cpus(self, job: FirecrestJob) -> int | None:
        """Return the value of ``--cpus-per-task`` that was written before Slurm's version was known."""
        if self.scheduler_version is None and isinstance(job.launcher, FirecrestSrun):
            cpus: int | None = job.num_cpus_per_task
            return cpus
        return None

    def emit_preamble(self, job: FirecrestJob) -> list[str]:
        """Return the job script's directives, with a comment that names the run and the test."""
        preamble: list[str] = super().emit_preamble(job)
        return with_comment(preamble, run_name(), self.test_cases.name_in(job.workdir))

    # --- state of jobs ------------------------------------------------------------------------------

    def poll(self, *jobs: FirecrestJob | None) -> None:
        """Update jobs from the session; never waits.

        Raises:
            ConfigError: a setting is missing or wrong. ReFrame polls once before the first test starts and
                ends the run with this message.
            ForceExitError: ReFrame has lost a signal to end. No other error is raised, because it would
                end the run without a report.
        """
        if exit_was_requested():
            raise ForceExitError("a signal to end was lost")
        self._update(*jobs)

    def _update(self, *jobs: FirecrestJob | None) -> None:
        remote = self.open_session()
        flush_logs()
        remote.show_progress()
        waiting = [job for job in jobs if job is not None]
        for job in waiting:
            self._refresh(job)
        self._cancel_hopeless(waiting)

    def _refresh(self, job: FirecrestJob) -> JobState | None:
        handle = self._handles.get(job)
        if handle is None:
            return None
        state = handle.state
        if state.job_id is not None:
            job._jobid = state.job_id
        job._nodespec = state.nodes
        job._start_time = state.started
        # ReFrame must not see a final state of Slurm before the outputs are local.
        if state.phase in (Phase.SUBMITTED, Phase.RETRIEVING):
            job._state = "COMPLETING" if state.phase is Phase.RETRIEVING else state.state
        elif handle.ended.is_set():
            job._state = state.state
            job._exitcode = state.exit_code
            if job._completion_time is None:
                job._completion_time = state.completed
            if state.error is not None and job._exception is None and not job.is_cancelling:
                self._handles.pop(job)
                job._exception = JobError(state.error, jobid=state.job_id)
        return state

    def finished(self, job: FirecrestJob) -> bool:
        """Return true if a job has ended and its outputs are local."""
        handle = self._handles.get(job)
        if handle is None:
            return True
        self._refresh(job)
        return handle.ended.is_set()

    def wait(self, job: FirecrestJob) -> None:
        """Wait until a job has ended; returns at once if it has."""
        handle = self._handles.get(job)
        while handle is not None and not handle.ended.wait(WAIT_STEP):
            self.poll(job)
        self._update(job)
        if handle is not None and job.is_array and handle.state.phase is Phase.DONE:
            self._merge_files(job)

    # --- cancelling ---------------------------------------------------------------------------------

    def cancel_many(self, jobs: Iterable[FirecrestJob]) -> None:
        """Cancel jobs; returns at once."""
        cancelled = [job for job in jobs if job in self._handles]
        for job in cancelled:
            job._is_cancelling = True
        if cancelled:
            self.open_session().session.cancel([self._handles[job] for job in cancelled])

    def _cancel_hopeless(self, jobs: Sequence[FirecrestJob]) -> None:
        """Cancel jobs that have been pending for too long, or are blocked for a configured reason."""
        now = clock()
        for job in jobs:
            handle = self._handles.get(job)
            if handle is None or handle.ended.is_set() or job.is_cancelling:
                continue
            state = handle.state
            pending = state.phase is Phase.SUBMITTED and any(
                state in PENDING for state in (state.state or "PENDING").split(",")
            )
            if not pending:
                continue
            # Details may follow the reason: "ReqNodeNotAvail, UnavailableNodes:nid00[1-3]".
            reason = (state.reason or "").partition(",")[0].strip()
            if self._blocked_for(job, reason) > BLOCKED_TIMEOUT:
                self.cancel_many([job])
                job._exception = JobBlockedError(
                    f"job cancelled because it was blocked due to reason: {state.reason}", jobid=job.jobid
                )
            elif job.max_pending_time and now - handle.submitted >= job.max_pending_time:
                self.cancel_many([job])
                job._exception = JobError("maximum pending time exceeded", jobid=job.jobid)

    def _blocked_for(self, job: FirecrestJob, reason: str) -> float:
        """Return the seconds for which a job has been blocked for one of the configured reasons."""
        if reason not in (self._cancel_reasons or []):
            self._blocked.pop(job, None)
            return 0.0
        return time.monotonic() - self._blocked.setdefault(job, time.monotonic())

    # --- nodes --------------------------------------------------------------------------------------

    def _cluster(self) -> Cluster:
        try:
            return self.open_session().session.cluster()
        except FirecrestError as error:
            raise JobSchedulerError(str(error)) from None

    def allnodes(self) -> set[Any]:
        """Return the system's nodes."""
        return _slurm_nodes(self._cluster().nodes)

    def _get_default_partition(self) -> str | None:
        configured = self.open_session().settings.default_partition
        partition = default_partition(self._cluster().partitions, configured)
        if partition is None:
            self.log(
                "no partition set, so nodes of all partitions count; to use one, set 'default_partition'"
            )
        return partition

    def _get_actual_partition(self, options: Sequence[str]) -> str | None:  # noqa: ARG002 - ReFrame's
        # ReFrame would run srun, which is not installed locally.
        return None

    def _get_reservation_nodes(self, resv: str) -> set[Any]:
        cluster = self._cluster()
        for reservation in cluster.reservations:
            if reservation.name == resv:
                return self._named(cluster, reservation.nodes)
        known = sorted(entry.name for entry in cluster.reservations)
        raise JobSchedulerError(
            f"there is no reservation {resv!r}{did_you_mean(resv, known)} on the system; it has: "
            f"{', '.join(known) or 'none'}"
        )

    def _get_nodes_by_name(self, nodespec: str) -> set[Any]:
        return self._named(self._cluster(), nodespec)

    def _named(self, cluster: Cluster, nodespec: str) -> set[Any]:
        try:
            return _slurm_nodes(select(cluster.nodes, nodespec))
        except ValueError as error:
            raise JobSchedulerError(str(error)) from None


def _slurm_nodes(nodes: Iterable[NodeInfo]) -> set[Any]:
    return {_SlurmNode(describe(node)) for node in nodes}
