"""Liveness of the session that writes a journal.

A session is alive unless it is proven dead: `RULES` is the table from evidence to verdict, and the first rule
that applies decides. No rule compares the clocks of two processes. What no rule decides is unknown, and
counts as alive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from reframe_firecrest.journal import process_identity
from reframe_firecrest.journal.file_time import age_of, file_system_of, is_held
from reframe_firecrest.journal.process_identity import Process, ProcessIdentity
from reframe_firecrest.journal.reader import SessionLog
from reframe_firecrest.model.clock import since_boot

HEARD = 300.0
"""Seconds of silence within which a session counts as alive where nothing else is known: five heartbeats."""


class RunStatus(str, Enum):
    """How a session stands."""

    GOES_ON = "goes on"
    UNKNOWN = "unknown"
    ENDED = "ended"
    KILLED = "killed"


ALIVE = frozenset({RunStatus.GOES_ON, RunStatus.UNKNOWN})
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
    verdict: RunStatus


RULES: Sequence[Rule] = (
    Rule("its journal is closed", lambda seen: seen.closed, RunStatus.ENDED),
    Rule("its lock is held", lambda seen: seen.held is True, RunStatus.GOES_ON),
    Rule("its process runs", lambda seen: seen.process is Process.RUNS, RunStatus.GOES_ON),
    Rule("its process is gone", lambda seen: seen.process is Process.GONE, RunStatus.KILLED),
    Rule(
        "its lock, which this kernel would show, is free",
        lambda seen: seen.same_kernel and seen.locks and seen.held is False,
        RunStatus.KILLED,
    ),
    Rule(
        "its machine has restarted since",
        lambda seen: seen.restarted and seen.locks and seen.held is False,
        RunStatus.KILLED,
    ),
    Rule(
        "its journal has been silent beyond the limit",
        lambda seen: seen.silence is not None and seen.silence > seen.limit,
        RunStatus.KILLED,
    ),
    Rule(
        "its journal was written just now",
        lambda seen: seen.silence is not None and seen.silence < HEARD,
        RunStatus.GOES_ON,
    ),
    Rule("nothing proves that it is dead", lambda _: True, RunStatus.UNKNOWN),
)


def evidence_of(session_log: SessionLog) -> Evidence:
    """Collect what can be known from here of the session that writes, or wrote, a journal."""
    opened = session_log.opened
    process = ProcessIdentity(opened.boot, opened.namespaces, opened.pid, opened.started)
    found = file_system_of(session_log.path.parent)
    silence = silence_of(session_log)
    return Evidence(
        closed=session_log.closed is not None,
        held=is_held(session_log.path),
        process=process_identity.look_for(process),
        same_kernel=_same_kernel(session_log),
        locks=opened.locked and found is not None and found.locks,
        restarted=found is not None and found.local and _has_restarted(session_log, silence),
        silence=silence,
        limit=opened.dead_after,
    )


def decide(seen: Evidence) -> Rule:
    """Return the first rule that applies."""
    return next(rule for rule in RULES if rule.applies(seen))


def run_status_of(session_log: SessionLog) -> RunStatus:
    """Return how the session stands that writes, or wrote, a journal."""
    if session_log.closed is not None:
        return RunStatus.ENDED
    return decide(evidence_of(session_log)).verdict


def silence_of(session_log: SessionLog) -> float | None:
    """Return the seconds since a journal was written; None if they can't be measured."""
    return age_of(session_log.path)


def now_of(session_log: SessionLog) -> float:
    """Return the time by the clock of a session that goes on."""
    opened = session_log.opened
    if opened.epoch and _same_kernel(session_log) and opened.namespaces == process_identity.namespaces():
        return max(opened.epoch + since_boot(), session_log.last)
    return session_log.last + (silence_of(session_log) or 0.0)


def _same_kernel(session_log: SessionLog) -> bool:
    return session_log.opened.boot != "" and session_log.opened.boot == process_identity.boot_id()


def _has_restarted(session_log: SessionLog, silence: float | None) -> bool:
    """Tell whether the machine of a session has restarted since, long enough ago for another sign of life.

    Clones share the machine's id. One that writes over the network to a disk of this machine goes on doing so
    after this machine's restart, so silence since then is required as well.
    """
    opened = session_log.opened
    if not opened.machine or not opened.boot or opened.machine != process_identity.machine():
        return False
    up = since_boot()
    return (
        bool(process_identity.boot_id())
        and not _same_kernel(session_log)
        and silence is not None
        and silence > up > HEARD
    )
