"""Events in a journal: one JSON object per line.

Times are seconds since the epoch by the writing process's own clock (`reframe_firecrest.model.clock`), so
only times of the same journal are comparable. No line contains a secret: no tokens, presigned URLs or text
of a script.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from reframe_firecrest.model.case_state import CaseKey, CaseState
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.job import JobHandle


class _Event(BaseModel):
    # Ignore fields that a later version has added.
    model_config = ConfigDict(frozen=True, extra="ignore")

    time: float


class Opened(_Event):
    """Start of a session.

    Attributes:
        run: name of the run.
        url: address of the gateway.
        system: name of the system in FirecREST.
        root: the run's directory on the system.
        stage: ReFrame's local stage prefix.
        host: name of the local machine.
        pid: process id of ReFrame.
        version: version of this package.
        locked: the file is locked while the process lives, and its file system supports locks.
        boot: the kernel's boot id; see `reframe_firecrest.journal.process_identity`.
        machine: id of the machine's installation, which clones of the machine share.
        namespaces: namespaces in which the process id is valid.
        started: start time of the process, in clock ticks since the machine's start.
        epoch: see `reframe_firecrest.model.clock.EPOCH`.
        dead_after: the setting `heartbeat_timeout`, in seconds.
        session: ReFrame's id of its session, which is in ReFrame's report as well.
        tells_creation: this version writes `Prepared` events.
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
    """Creation of the run's directory on the system, the first thing that a session creates.

    Attributes:
        outcome: the request is about to be sent, has succeeded, or has failed without effect.
    """

    event: Literal["prepared"] = "prepared"
    outcome: Literal["asked", "made", "refused"]


class JobMoved(_Event):
    """Change of a job's state; see `reframe_firecrest.model.job.JobState`.

    Attributes:
        number: number of the job in its process.
        name: name of the job.
        directory: local stage directory.
        phase: see `reframe_firecrest.model.job.Phase`.
        job_id: Slurm's id, once the job is submitted.
        state: Slurm's state.
        exit_code: exit code of the job.
        nodes: nodes of the job in Slurm's notation.
        reason: Slurm's reason for keeping it pending.
        elapsed: run time in seconds.
        error: one line, if something other than the job itself failed.
        account: account for transfer jobs; None if neither the settings nor the script name one.
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
    account: str | None = None

    @classmethod
    def of(cls, handle: JobHandle) -> JobMoved:
        """Return the line for a job's current state.

        Fields of the state that are not part of the format, such as `completed`, are left out.
        """
        spec = {
            "number": handle.number,
            "name": handle.spec.name,
            "directory": handle.spec.directory,
            "account": handle.spec.transfer_account,
        }
        return cls.model_validate({"time": clock(), **spec, **asdict(handle.state)})


class CaseMoved(_Event):
    """Change of a test case's state; see `reframe_firecrest.model.case_state.CaseState`.

    Attributes:
        name: display name of the test.
        where: system, partition and environment.
        directory: local stage directory; empty until the test is set up.
        result: ReFrame's result; empty until it is known.
        stage: stage in which the test failed.
    """

    event: Literal["case"] = "case"
    name: str
    where: str
    directory: str = ""
    result: str = ""
    stage: str = ""

    @classmethod
    def of(cls, case: CaseState) -> CaseMoved:
        """Return the line for a test case's current state."""
        return cls(time=clock(), **asdict(case))

    @property
    def key(self) -> CaseKey:
        """Name and place."""
        return self.name, self.where


class Transferred(_Event):
    """Transfer of a batch of files.

    Attributes:
        way: direction of the transfer.
        files: number of files.
        jobs: number of jobs whose files these are.
        size: bytes of the archive that was sent, or of the files that were fetched.
        seconds: duration of the transfer.
    """

    event: Literal["transferred"] = "transferred"
    way: Literal["sent", "fetched"]
    files: int
    jobs: int
    size: int
    seconds: float


class Traffic(_Event):
    """Network traffic of the session so far.

    Attributes:
        requests: number of requests.
        bytes_sent: bytes sent, including HTTP's overhead.
        bytes_received: bytes received, likewise.
        unavailable: seconds for which the gateway has served no request; 0 if it is not a long outage.
    """

    event: Literal["traffic"] = "traffic"
    requests: int
    bytes_sent: int
    bytes_received: int
    unavailable: float = 0.0


class Removed(_Event):
    """Removal of a directory on the system.

    Attributes:
        path: relative to the run's directory; ``.`` is the run's directory itself.
    """

    event: Literal["removed"] = "removed"
    path: str


class Closed(_Event):
    """End of a session, or of a clean-up after it.

    Attributes:
        left: ids of jobs that may still exist on the system.
        killed_at: last sign of life of a session that did not record its end; a clean-up has recorded it.
    """

    event: Literal["closed"] = "closed"
    left: tuple[str, ...] = ()
    killed_at: float | None = None


Event = Annotated[
    Opened | Prepared | JobMoved | CaseMoved | Transferred | Traffic | Removed | Closed,
    Field(discriminator="event"),
]

ANY_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Parser of a journal's lines."""
