"""Liveness of the session that writes a journal.

A session is alive unless it is proven dead: `RULES` is the table from evidence to verdict, and the first rule
that applies decides. No rule compares the clocks of two processes. What no rule decides is unknown, and
counts as alive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from reframe_firecrest.clock import since_boot
from reframe_firecrest.journal import identity
from reframe_firecrest.journal.filetime import age_of, file_system_of, is_held
from reframe_firecrest.journal.identity import Process, ProcessIdentity
from reframe_firecrest.journal.reading import Story

HEARD = 300.0
"""Seconds of silence within which a session counts as alive where nothing else is known: five heartbeats."""


class Standing(str, Enum):
    """How a session stands."""

    GOES_ON = "goes on"
    UNKNOWN = "unknown"
    ENDED = "ended"
    KILLED = "killed"


ALIVE = frozenset({Standing.GOES_ON, Standing.UNKNOWN})
"""A session that stands like that must not be touched."""


@dataclass(frozen=True)
class Evidence:
    """Facts about a session.

    Attributes:
        closed: its journal tells of its end.
        held: a process holds the lock on its journal; None if that is not known.
        process: its process, as seen from here.
        same_kernel: it ran under the kernel that runs here now, perhaps in another container.
        locks: locks worked on its file system when it began, and do so now.
        restarted: its machine has, since its journal was written.
        silence: seconds since its journal was written, by one clock; None if they can't be measured.
        limit: seconds of silence after which it counts as dead.
    """

    closed: bool
    held: bool | None
    process: Process
    same_kernel: bool
    locks: bool
    restarted: bool
    silence: float | None
    limit: float


@dataclass(frozen=True)
class Rule:
    """A row of the table.

    Attributes:
        name: of the evidence.
        applies: whether it is given.
        verdict: what it proves.
    """

    name: str
    applies: Callable[[Evidence], bool]
    verdict: Standing


RULES: Sequence[Rule] = (
    Rule("its journal is closed", lambda seen: seen.closed, Standing.ENDED),
    Rule("its lock is held", lambda seen: seen.held is True, Standing.GOES_ON),
    Rule("its process runs", lambda seen: seen.process is Process.RUNS, Standing.GOES_ON),
    Rule("its process is gone", lambda seen: seen.process is Process.GONE, Standing.KILLED),
    Rule(
        "its lock, which this kernel would show, is free",
        lambda seen: seen.same_kernel and seen.locks and seen.held is False,
        Standing.KILLED,
    ),
    Rule(
        "its machine has restarted since",
        lambda seen: seen.restarted and seen.locks and seen.held is False,
        Standing.KILLED,
    ),
    Rule(
        "its journal has been silent beyond the limit",
        lambda seen: seen.silence is not None and seen.silence > seen.limit,
        Standing.KILLED,
    ),
    Rule(
        "its journal was written just now",
        lambda seen: seen.silence is not None and seen.silence < HEARD,
        Standing.GOES_ON,
    ),
    Rule("nothing proves that it is dead", lambda _: True, Standing.UNKNOWN),
)


def evidence_of(story: Story) -> Evidence:
    """Collect what can be known from here of the session that writes, or wrote, a journal."""
    opened = story.opened
    process = ProcessIdentity(opened.boot, opened.namespaces, opened.pid, opened.started)
    found = file_system_of(story.path.parent)
    silence = silence_of(story)
    return Evidence(
        closed=story.closed is not None,
        held=is_held(story.path),
        process=identity.look_for(process),
        same_kernel=_same_kernel(story),
        locks=opened.locked and found is not None and found.locks,
        restarted=found is not None and found.local and _has_restarted(story, silence),
        silence=silence,
        limit=opened.dead_after,
    )


def decide(seen: Evidence) -> Rule:
    """Return the first rule that applies."""
    return next(rule for rule in RULES if rule.applies(seen))


def standing_of(story: Story) -> Standing:
    """Return how the session stands that writes, or wrote, a journal."""
    if story.closed is not None:
        return Standing.ENDED
    return decide(evidence_of(story)).verdict


def silence_of(story: Story) -> float | None:
    """Return the seconds since a journal was written; None if they can't be measured."""
    return age_of(story.path)


def now_of(story: Story) -> float:
    """Return the time by the clock of a session that goes on."""
    opened = story.opened
    if opened.epoch and _same_kernel(story) and opened.namespaces == identity.namespaces():
        return max(opened.epoch + since_boot(), story.last)
    return story.last + (silence_of(story) or 0.0)


def _same_kernel(story: Story) -> bool:
    return story.opened.boot != "" and story.opened.boot == identity.boot_id()


def _has_restarted(story: Story, silence: float | None) -> bool:
    """Tell whether the machine of a session has restarted since, long enough ago for another sign of life.

    Clones share the machine's id. One that writes over the network to a disk of this machine goes on doing so
    after this machine's restart, so silence since then is required as well.
    """
    opened = story.opened
    if not opened.machine or not opened.boot or opened.machine != identity.machine():
        return False
    up = since_boot()
    return (
        bool(identity.boot_id()) and not _same_kernel(story) and silence is not None and silence > up > HEARD
    )
