"""What a run may have left on a system, as far as that is known here, and whether it may be touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import AnyHttpUrl, TypeAdapter, ValidationError

from reframe_firecrest.clock import clock
from reframe_firecrest.errors import RunError
from reframe_firecrest.journal.liveness import Standing, silence_of, standing_of
from reframe_firecrest.journal.reading import Story
from reframe_firecrest.runs import begun_at
from reframe_firecrest.session.phases import Phase
from reframe_firecrest.session.removal import WHOLE
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
class Leftover:
    """What a run may have left on a system, and what became of it.

    Attributes:
        run: the run's name.
        root: its directory there.
        settings: how the system is reached.
        known: ids of jobs that have been submitted and of which the end is not known.
        settled: when the last requests of the run have been carried out, by `clock`; None if long ago.
        finished: its journal tells that nothing is left; only a job that came late can be.
        story: what its journal tells; None without one.
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
    story: Story | None = None
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
        return {job.name for job in self.story.jobs.values()} if self.story else set()

    def complain(self, problem: str) -> None:
        """Note what failed."""
        if problem not in self.problems:
            self.problems.append(problem)


def nothing_is_left(story: Story) -> bool:
    """Tell whether a session has ended and left nothing on its system."""
    return story.closed is not None and not story.closed.left and WHOLE in story.removed


def is_elsewhere(story: Story, environment: Mapping[str, str]) -> bool:
    """Tell whether the environment names another gateway, whose credentials are none of this one's."""
    given = environment.get(ENVIRONMENT["url"])
    if not given:
        return False
    try:
        return str(_URL.validate_python(given)).rstrip("/") != story.opened.url.rstrip("/")
    except ValidationError:
        # It is told when the settings are read.
        return False


def leftover_of(story: Story, environment: Mapping[str, str]) -> Leftover:
    """Return what a session that is over may have left.

    Args:
        story: what its journal tells.
        environment: the environment variables, which hold what is not in a journal.

    Raises:
        SettingsError: something is missing or wrong.
        RunError: what the journal names as the run's directory must not be removed.
    """
    opened = story.opened
    namespace = environment.get(ENVIRONMENT["namespace"]) or Settings.model_fields["namespace"].default
    known = {"url": opened.url, "system": opened.system}
    if not environment.get(ENVIRONMENT["basedir"]):
        known["basedir"] = opened.root.removesuffix(f"/{namespace}/{opened.run}")
    settings = read_settings([Place(f"the journal {story.path}", known)], environment)
    if begun_at(opened.run) is None or opened.root != root_of(settings, opened.run):
        raise RunError(
            f"{opened.root} does not lie where the settings say that runs do, in "
            f"{root_of(settings, '<run>')}, so it stays; see {ENVIRONMENT['basedir']} and "
            f"{ENVIRONMENT['namespace']}"
        )
    return Leftover(
        opened.run,
        opened.root,
        settings,
        known=_may_go_on(story),
        settled=None if nothing_is_left(story) else _settled(story),
        finished=nothing_is_left(story),
        story=story,
    )


def root_of(settings: Settings, run: str) -> str:
    """Return a run's directory on the system."""
    return f"{settings.basedir}/{settings.namespace}/{run}"


def _settled(story: Story) -> float | None:
    silence = silence_of(story)
    # A second Ctrl-C ends a session in the middle of its requests, too.
    if standing_of(story) is not Standing.ENDED:
        return clock() + SETTLED if silence is None or silence < RECENT else None
    silence = silence or 0.0
    return clock() + SETTLED - silence if silence < SETTLED else None


def _may_go_on(story: Story) -> frozenset[str]:
    if story.closed is not None:
        return frozenset(story.closed.left)
    return frozenset(job.job_id for job in story.jobs.values() if job.job_id and job.phase not in _OVER)
