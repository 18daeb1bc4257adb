"""A job of the embedded runner, and its states."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from firecrest_sandbox.runners.embedded.directives import JobSpec
    from firecrest_sandbox.runners.embedded.placement import Allocation


class State(Enum):
    """States of a job, with Slurm's names."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMEOUT = "TIMEOUT"


class Reason(Enum):
    """Reasons for which a job waits, with Slurm's names."""

    NONE = "None"
    RESOURCES = "Resources"
    PRIORITY = "Priority"
    ARRAY_LIMIT = "JobArrayTaskLimit"
    TOO_MANY_NODES = "PartitionNodeLimit"
    TOO_LARGE = "PartitionConfig"


_NEXT = {
    State.PENDING: {State.RUNNING, State.CANCELLED},
    State.RUNNING: {State.COMPLETED, State.FAILED, State.CANCELLED, State.TIMEOUT},
}


@dataclass(eq=False)
class EmbeddedJob:
    """A job, or one task of an array; times in epoch seconds, 0 if not reached."""

    number: int
    """The id. A task of an array gets a new id when it starts; the last task keeps the array's id."""
    spec: JobSpec
    time_limit: int | None
    partition: str
    account: str
    submitted: float = field(default_factory=time.time)
    array_id: int | None = None
    array_index: int | None = None
    state: State = State.PENDING
    reason: Reason = Reason.NONE
    started: float = 0.0
    ended: float = 0.0
    exit_code: int = 0
    signal: int = 0
    allocation: Allocation | None = None
    spool: Path | None = None
    process: asyncio.subprocess.Process | None = None
    ending: State | None = None
    """The final state of a job whose processes are being terminated."""

    @property
    def display_id(self) -> str:
        """`7`, or `7_2` for a task of an array."""
        return str(self.number) if self.array_id is None else f"{self.array_id}_{self.array_index}"

    @property
    def over(self) -> bool:
        """True once the job has ended."""
        return self.state not in _NEXT

    def move(self, state: State) -> None:
        """Enter the next state, and record the time.

        Raises:
            ValueError: the transition is invalid.
        """
        if state not in _NEXT.get(self.state, ()):
            raise ValueError(f"job {self.display_id} cannot go from {self.state} to {state}")
        self.state = state
        if state is State.RUNNING:
            self.started = time.time()
        else:
            self.ended = time.time()
