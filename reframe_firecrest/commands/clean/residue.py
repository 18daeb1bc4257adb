"""Remains of runs on a system, and which of them may be removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import AnyHttpUrl, TypeAdapter, ValidationError

from reframe_firecrest.journal.reader import SessionLog
from reframe_firecrest.journal.run_status import RunStatus, run_status_of, silence_of
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.errors import RunError
from reframe_firecrest.model.job import Phase
from reframe_firecrest.model.run_names import start_time_of
from reframe_firecrest.session.remote_cleanup import ENTIRE_RUN
from reframe_firecrest.settings import Settings, read_settings
from reframe_firecrest.settings.lookup import Place
from reframe_firecrest.settings.model import ENVIRONMENT

SETTLED = 10.0
"""Seconds after the end of a client within which a gateway has carried out its last requests: it allows 5 s
for a file operation and 10 s for a Slurm command."""

RECENT = 600.0
"""Seconds of silence after which a session was not killed just now: it writes a line to its journal every
minute."""

_OVER = {Phase.RETRIEVING.value, Phase.DONE.value}
_URL = TypeAdapter(AnyHttpUrl)


@dataclass
class RemoteResidue:
    """Remains of one run on a system, and the result of their removal.

    Attributes:
        run: name of the run.
        root: directory of the run on the system.
        settings: connection to the system.
        known: ids of jobs that were submitted and whose end is not known.
        settled: time, by `clock`, when the run's last requests have been carried out; None if long ago.
        finished: the journal reports that nothing is left, so only a late job can be.
        session_log: the journal; None if it is missing.
        cancelled: ids of jobs that were cancelled, or would be in a dry run.
        left: ids of jobs that may still be queued or running, with the reason.
        jobs_unknown: it could not be determined whether its jobs are running.
        removed: the directory was removed, or would be in a dry run.
        reached: the system has answered.
        problems: failures, one line each.
    """

    run: str
    root: str
    settings: Settings
    known: frozenset[str] = frozenset()
    settled: float | None = None
    finished: bool = False
    session_log: SessionLog | None = None
    cancelled: set[str] = field(default_factory=set)
    left: dict[str, str] = field(default_factory=dict)
    jobs_unknown: bool = False
    removed: bool = False
    reached: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def is_void(self) -> bool:
        """Report whether there was nothing to clean up and nothing failed that matters."""
        return self.finished and not (self.cancelled or self.left or self.problems)

    @property
    def names(self) -> set[str]:
        """Names of the run's jobs that are known from its journal."""
        return {job.name for job in self.session_log.jobs.values()} if self.session_log else set()

    @property
    def account(self) -> str | None:
        """First account for transfer jobs that is known from the run's journal."""
        jobs = self.session_log.jobs.values() if self.session_log else ()
        return next((job.account for job in jobs if job.account), None)

    def add_problem(self, problem: str) -> None:
        """Note a failure, once."""
        if problem not in self.problems:
            self.problems.append(problem)

    def add_doubt(self, problem: str) -> None:
        """Note a failed question, unless the run has left nothing anyway."""
        if not self.finished:
            self.add_problem(problem)


def is_clean(session_log: SessionLog) -> bool:
    """Report whether a session has ended and left nothing on its system."""
    return (
        session_log.closed is not None and not session_log.closed.left and ENTIRE_RUN in session_log.removed
    )


def is_elsewhere(session_log: SessionLog, environment: Mapping[str, str]) -> bool:
    """Report whether the environment names another gateway: its credentials are not for the session's."""
    url = environment.get(ENVIRONMENT["url"])
    if not url:
        return False
    try:
        return str(_URL.validate_python(url)).rstrip("/") != session_log.opened.url.rstrip("/")
    except ValidationError:
        # `read_settings` reports it.
        return False


def residue_of(session_log: SessionLog, environment: Mapping[str, str]) -> RemoteResidue:
    """Return what a session that is over may have left.

    Args:
        session_log: its journal.
        environment: the environment variables, for settings that are not in a journal.

    Raises:
        SettingsError: a setting is missing or wrong.
        RunError: the run's directory in the journal must not be removed.
    """
    opened = session_log.opened
    namespace = environment.get(ENVIRONMENT["namespace"]) or Settings.model_fields["namespace"].default
    known = {"url": opened.url, "system": opened.system}
    if not environment.get(ENVIRONMENT["basedir"]):
        known["basedir"] = opened.root.removesuffix(f"/{namespace}/{opened.run}")
    settings = read_settings([Place(f"the journal {session_log.path}", known)], environment)
    if start_time_of(opened.run) is None or opened.root != root_of(settings, opened.run):
        raise RunError(
            f"{opened.root} was not removed: it is not in {root_of(settings, '<run>')}; "
            f"set {ENVIRONMENT['basedir']} and {ENVIRONMENT['namespace']} as they were for the run and retry"
        )
    return RemoteResidue(
        opened.run,
        opened.root,
        settings,
        known=_unfinished_jobs(session_log),
        settled=None if is_clean(session_log) else _settled(session_log),
        finished=is_clean(session_log),
        session_log=session_log,
    )


def root_of(settings: Settings, run: str) -> str:
    """Return a run's directory on the system."""
    return f"{settings.basedir}/{settings.namespace}/{run}"


def _settled(session_log: SessionLog) -> float | None:
    silence = silence_of(session_log)
    # A second Ctrl-C, too, ends a session in the middle of its requests.
    if run_status_of(session_log) is not RunStatus.ENDED:
        return clock() + SETTLED if silence is None or silence < RECENT else None
    silence = silence or 0.0
    return clock() + SETTLED - silence if silence < SETTLED else None


def _unfinished_jobs(session_log: SessionLog) -> frozenset[str]:
    if session_log.closed is not None:
        return frozenset(session_log.closed.left)
    return frozenset(job.job_id for job in session_log.jobs.values() if job.job_id and job.phase not in _OVER)
