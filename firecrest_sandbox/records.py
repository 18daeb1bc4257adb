"""Jobs, nodes, partitions, reservations and accounts in the API's format."""

from enum import Enum

from pydantic import AliasChoices, Field

from firecrest_sandbox.v2.models import CamelModel


class JobsTimeWindow(str, Enum):
    """Age up to which a job list contains finished jobs."""

    LAST_HOUR = "1h"
    LAST_8_HOURS = "8h"
    LAST_24_HOURS = "24h"
    LAST_3_DAYS = "3d"
    LAST_7_DAYS = "7d"

    @property
    def seconds(self) -> int:
        """The window in seconds."""
        amount, unit = int(self.value[:-1]), self.value[-1]
        return amount * {"h": 3600, "d": 86400}[unit]


class JobStatus(CamelModel):
    """State of a job or step in Slurm's notation, e.g. `CANCELLED by 1001`."""

    state: str
    state_reason: str | None = None
    exit_code: int | None = None
    interrupt_signal: int | None = None


class JobTime(CamelModel):
    """Times of a job or step: start and end in epoch seconds, the rest in seconds."""

    elapsed: int | None = None
    start: int | None = None
    end: int | None = None
    suspended: int | None = None
    limit: int | None = None


class JobTask(CamelModel):
    """A step: the batch script (`6.batch`) or one `srun` of it (`6.0`)."""

    id: str
    name: str
    status: JobStatus
    time: JobTime


class Job(CamelModel):
    """A job, or one task of a job array."""

    job_id: str
    name: str
    status: JobStatus
    tasks: list[JobTask] | None = None
    time: JobTime
    account: str | None = None
    allocation_nodes: int
    cluster: str
    group: str | None = None
    nodes: str
    partition: str
    kill_request_user: str | None = None
    user: str | None
    working_directory: str
    priority: int | None = None


class JobMetadata(CamelModel):
    """A job's script and the paths of its input and output."""

    job_id: str
    script: str | None = None
    standard_input: str | None = None
    standard_output: str | None = None
    standard_error: str | None = None


class JobDescription(CamelModel):
    """A job as a client submits it."""

    name: str | None = None
    account: str | None = None
    reservation: str | None = None
    partition: str | None = None
    working_directory: str = Field(validation_alias=AliasChoices("workingDirectory", "working_directory"))
    standard_input: str | None = None
    standard_output: str | None = None
    standard_error: str | None = None
    env: dict[str, str] | list[str] = Field(default_factory=lambda: {"F7T_version": "v2.0.0"})
    constraints: str | None = None
    script: str = ""
    script_path: str = ""

    def exported(self) -> str:
        """Return the value of `sbatch --export` that the real gateway builds.

        It joins variables with commas and does not quote them, so that sbatch truncates a value at its first
        comma (measured on the recorded gateway).
        """
        pairs = (
            self.env
            if isinstance(self.env, list)
            else [f"{name}={value}" for name, value in self.env.items()]
        )
        return ",".join(["ALL", *pairs])

    def variables(self) -> dict[str, str]:
        """Return the variables of the request."""
        if isinstance(self.env, dict):
            return dict(self.env)
        return {name: value for name, _, value in (pair.partition("=") for pair in self.env)}


class NodeState(str, Enum):
    """States of a node in the API."""

    IDLE = "IDLE"
    ALLOCATED = "ALLOCATED"
    MIXED = "MIXED"
    DOWN = "DOWN"
    DRAIN = "DRAIN"
    OFFLINE = "OFFLINE"
    RESERVED = "RESERVED"
    COMPLETING = "COMPLETING"
    BUSY = "BUSY"
    POWERING_DOWN = "POWERING_DOWN"
    POWERING_UP = "POWERING_UP"
    UNKNOWN = "UNKNOWN"


class Node(CamelModel):
    """A compute node; memory in MB."""

    sockets: int | None = None
    cores: int | None = None
    threads: int | None = None
    cpus: int
    cpu_load: float | None = None
    free_memory: int | None = None
    features: str | list[str] | None = None
    name: str
    address: str | None = None
    hostname: str | None = None
    state: list[NodeState]
    partitions: list[str] | None = None
    weight: int | None = None
    alloc_memory: int | None = None
    alloc_cpus: int | None = None
    idle_cpus: int | None = None


class Partition(CamelModel):
    """A partition; `partition` is its state (the API's own misnomer)."""

    name: str
    cpus: int | None = None
    total_nodes: int | None = None
    partition: str | list[str]


class Reservation(CamelModel):
    """A reservation; times in epoch seconds."""

    name: str
    node_list: str
    end_time: int
    start_time: int
    features: str | None = None
    state: str | None = None


class Account(CamelModel):
    """An account that the user may charge."""

    name: str
    default: bool
