"""The lines of a journal: one JSON object each.

Times are seconds since the epoch, by the writing process's own clock, which no step of the system's clock
changes; only times of one journal may be compared. There is no secret in any line: neither tokens nor
presigned URLs, nor any text of a script.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.job import JobHandle


class _Event(BaseModel):
    # What a later version adds is no obstacle to reading.
    model_config = ConfigDict(frozen=True, extra="ignore")

    time: float


class Opened(_Event):
    """A session has begun.

    Attributes:
        run: the run's name.
        url: the gateway.
        system: the system's name there.
        root: the run's directory on the system.
        stage: ReFrame's stage prefix here.
        host: this machine.
        pid: the process.
        version: of this package.
        locked: the file is locked while the process lives, and locks work there.
        boot: the kernel's boot id; see `reframe_firecrest.journal.process_identity`.
        machine: an id of the machine's installation, which clones share.
        namespaces: in which the process id has a meaning.
        started: when the process started, in clock ticks since the machine's start.
        epoch: of the clock of `time`: see `reframe_firecrest.model.clock.EPOCH`.
        dead_after: seconds of silence after which the session counts as dead where nothing else is known.
        session: ReFrame's id of its session, which is in its report too.
        tells_creation: lines of the kind `Prepared` are written.
    """

    event: Literal["opened"] = "opened"
    run: str
    url: str
    system: str
    root: str
    stage: str
    host: str
    pid: int
    version: str
    locked: bool = False
    boot: str = ""
    machine: str = ""
    namespaces: str = ""
    started: int = 0
    epoch: float = 0.0
    dead_after: float = 86_400.0
    session: str = ""
    tells_creation: bool = False


class Prepared(_Event):
    """The run's directory on the system: the first thing that a session creates.

    Attributes:
        outcome: the gateway is about to be asked for it, has made it, or has certainly not made it.
    """

    event: Literal["prepared"] = "prepared"
    outcome: Literal["asked", "made", "refused"]


class JobMoved(_Event):
    """Something about a job has changed.

    Attributes:
        number: the job's identity in its run.
        name: the job's.
        directory: its stage directory here.
        phase: see `reframe_firecrest.model.job.Phase`.
        job_id: Slurm's id, once there is one.
        state: Slurm's state.
        exit_code: the job's.
        nodes: its nodes in Slurm's notation.
        reason: why Slurm keeps it pending.
        elapsed: seconds for which it has run.
        error: one line, if something other than the job itself failed.
    """

    event: Literal["job"] = "job"
    number: int
    name: str
    directory: str
    phase: str
    job_id: str | None = None
    state: str | None = None
    exit_code: int | None = None
    nodes: str = ""
    reason: str | None = None
    elapsed: float = 0.0
    error: str | None = None

    @classmethod
    def of(cls, handle: JobHandle) -> JobMoved:
        """Return the line for a job's current state.

        Fields of the state that are not part of the format, such as `completed`, are left out.
        """
        spec = {"number": handle.number, "name": handle.spec.name, "directory": handle.spec.directory}
        return cls.model_validate({"time": clock(), **spec, **asdict(handle.state)})


class Transferred(_Event):
    """A batch of files has been sent or fetched.

    Attributes:
        way: there or back.
        files: how many.
        jobs: of how many jobs.
        size: bytes of the files as they travelled.
        seconds: how long it took.
    """

    event: Literal["transferred"] = "transferred"
    way: Literal["sent", "fetched"]
    files: int
    jobs: int
    size: int
    seconds: float


class Traffic(_Event):
    """What went over the wire so far."""

    event: Literal["traffic"] = "traffic"
    requests: int
    bytes_sent: int
    bytes_received: int


class Removed(_Event):
    """A directory has been removed on the system.

    Attributes:
        path: relative to the run's directory; ``.`` for that itself.
    """

    event: Literal["removed"] = "removed"
    path: str


class Closed(_Event):
    """The session has ended by itself.

    Attributes:
        left: ids of jobs that may still be there.
    """

    event: Literal["closed"] = "closed"
    left: tuple[str, ...] = ()


Event = Annotated[
    Opened | Prepared | JobMoved | Transferred | Traffic | Removed | Closed, Field(discriminator="event")
]

ANY_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads any line of a journal."""
