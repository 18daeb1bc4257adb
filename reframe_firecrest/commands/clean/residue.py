"""What a run may have left on a system, as far as that is known here, and whether it may be touched."""

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
"""Seconds within which a gateway has carried out all that a client had asked for when it ended: it gives a
file operation 5 s and a Slurm command 10 s."""

RECENT = 600.0
"""Seconds since its last line after which a session was not killed just now: it wrote one a minute."""

_OVER = {Phase.RETRIEVING.value, Phase.DONE.value}
_URL = TypeAdapter(AnyHttpUrl)


@dataclass
class RemoteResidue:
    """What a run may have left on a system, and what became of it.

    Attributes:
        run: the run's name.
        root: its directory there.
        settings: how the system is reached.
        known: ids of jobs that have been submitted and of which the end is not known.
        settled: when the last requests of the run have been carried out, by `clock`; None if long ago.
        finished: its journal tells that nothing is left; only a job that came late can be.
        session_log: what its journal tells; None without one.
        cancelled: ids of jobs that went on until now.
        left: ids of jobs that may still be there, with the reason.
        unclear: whether jobs of it go on could not be told.
        removed: the directory is gone.
        reached: the system answers.
        problems: what failed, one line each.
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
    unclear: bool = False
    removed: bool = False
    reached: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def is_void(self) -> bool:
        """Whether nothing was to do, and nothing failed that matters."""
        return self.finished and not (self.cancelled or self.left or self.problems)

    def doubt(self, problem: str) -> None:
        """Note what could not be found out; of a run of which nothing is left that does not matter."""
        if not self.finished:
            self.complain(problem)

    @property
    def names(self) -> set[str]:
        """The names of its jobs, as far as its journal tells."""
        return {job.name for job in self.session_log.jobs.values()} if self.session_log else set()

    def complain(self, problem: str) -> None:
        """Note what failed."""
        if problem not in self.problems:
            self.problems.append(problem)


def is_clean(session_log: SessionLog) -> bool:
    """Tell whether a session has ended and left nothing on its system."""
    return (
        session_log.closed is not None and not session_log.closed.left and ENTIRE_RUN in session_log.removed
    )


def is_elsewhere(session_log: SessionLog, environment: Mapping[str, str]) -> bool:
    """Tell whether the environment names another gateway, whose credentials are none of this one's."""
    given = environment.get(ENVIRONMENT["url"])
    if not given:
        return False
    try:
        return str(_URL.validate_python(given)).rstrip("/") != session_log.opened.url.rstrip("/")
    except ValidationError:
        # It is told when the settings are read.
        return False


def residue_of(session_log: SessionLog, environment: Mapping[str, str]) -> RemoteResidue:
    """Return what a session that is over may have left.

    Args:
        session_log: what its journal tells.
        environment: the environment variables, which hold what is not in a journal.

    Raises:
        SettingsError: something is missing or wrong.
        RunError: what the journal names as the run's directory must not be removed.
    """
    opened = session_log.opened
    namespace = environment.get(ENVIRONMENT["namespace"]) or Settings.model_fields["namespace"].default
    known = {"url": opened.url, "system": opened.system}
    if not environment.get(ENVIRONMENT["basedir"]):
        known["basedir"] = opened.root.removesuffix(f"/{namespace}/{opened.run}")
    settings = read_settings([Place(f"the journal {session_log.path}", known)], environment)
    if start_time_of(opened.run) is None or opened.root != root_of(settings, opened.run):
        raise RunError(
            f"{opened.root} does not lie where the settings say that runs do, in "
            f"{root_of(settings, '<run>')}, so it stays; see {ENVIRONMENT['basedir']} and "
            f"{ENVIRONMENT['namespace']}"
        )
    return RemoteResidue(
        opened.run,
        opened.root,
        settings,
        known=_may_go_on(session_log),
        settled=None if is_clean(session_log) else _settled(session_log),
        finished=is_clean(session_log),
        session_log=session_log,
    )


def root_of(settings: Settings, run: str) -> str:
    """Return a run's directory on the system."""
    return f"{settings.basedir}/{settings.namespace}/{run}"


def _settled(session_log: SessionLog) -> float | None:
    silence = silence_of(session_log)
    # A second Ctrl-C ends a session in the middle of its requests, too.
    if run_status_of(session_log) is not RunStatus.ENDED:
        return clock() + SETTLED if silence is None or silence < RECENT else None
    silence = silence or 0.0
    return clock() + SETTLED - silence if silence < SETTLED else None


def _may_go_on(session_log: SessionLog) -> frozenset[str]:
    if session_log.closed is not None:
        return frozenset(session_log.closed.left)
    return frozenset(job.job_id for job in session_log.jobs.values() if job.job_id and job.phase not in _OVER)
