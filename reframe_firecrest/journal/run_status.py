"""Liveness of the session that writes a journal.

A session is considered alive unless it is proven dead. `RULES` maps evidence to a verdict; the first rule
that applies decides. No rule compares the clocks of two processes. If no other rule applies, the verdict is
unknown, which is treated as alive.
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
"""Seconds since the last sign of life within which a session is considered alive: five heartbeats."""


class RunStatus(str, Enum):
    """Status of a session or a run."""

    GOES_ON = "goes on"
    UNKNOWN = "unknown"
    ENDED = "ended"
    KILLED = "killed"


ALIVE = frozenset({RunStatus.GOES_ON, RunStatus.UNKNOWN})
"""Statuses in which a session's jobs and files must not be touched."""


@dataclass(frozen=True)
class Evidence:
    """Facts about a session.

    Attributes:
        closed: its journal records its end.
        held: a process holds the lock on its journal; None if unknown.
        process: state of its process.
        same_kernel: it ran under the kernel that is running now, possibly in another container.
        locks: its file system supported locks when the session started, and supports them now.
        restarted: its machine has restarted since the journal was last written.
        silence: seconds since its journal was last written, by one clock; None if they can't be measured.
        limit: seconds of silence after which it is considered dead.
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
    """Row of the table.

    Attributes:
        name: name of the evidence.
        applies: returns whether the evidence is given.
        verdict: status that it proves.
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
    """Collect the evidence about the session of a journal that is visible from this process."""
    opened = session_log.opened
    process = ProcessIdentity(opened.boot, opened.namespaces, opened.pid, opened.started)
    file_system = file_system_of(session_log.path.parent)
    silence = silence_of(session_log)
    return Evidence(
        closed=session_log.closed is not None,
        held=is_held(session_log.path),
        process=process_identity.look_for(process),
        same_kernel=_same_kernel(session_log),
        locks=opened.locked and file_system is not None and file_system.locks,
        restarted=file_system is not None and file_system.local and _has_restarted(session_log, silence),
        silence=silence,
        limit=opened.dead_after,
    )


def decide(seen: Evidence) -> Rule:
    """Return the first rule that applies."""
    return next(rule for rule in RULES if rule.applies(seen))


def run_status_of(session_log: SessionLog) -> RunStatus:
    """Return the status of a journal's session."""
    if session_log.closed is not None:
        return RunStatus.ENDED
    return decide(evidence_of(session_log)).verdict


def silence_of(session_log: SessionLog) -> float | None:
    """Return the seconds since a journal was written; None if they can't be measured."""
    return age_of(session_log.path)


def now_of(session_log: SessionLog) -> float:
    """Return the current time by the clock of a running session."""
    opened = session_log.opened
    if opened.epoch and _same_kernel(session_log) and opened.namespaces == process_identity.namespaces():
        return max(opened.epoch + since_boot(), session_log.last)
    return session_log.last + (silence_of(session_log) or 0.0)


def _same_kernel(session_log: SessionLog) -> bool:
    return session_log.opened.boot != "" and session_log.opened.boot == process_identity.boot_id()


def _has_restarted(session_log: SessionLog, silence: float | None) -> bool:
    """Return whether a session's machine has restarted, long enough ago for a missed heartbeat.

    Cloned machines share the machine's id. A clone that writes to a disk of this machine over the network
    continues after this machine's restart, so silence since the restart is required as well.
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
