"""FirecREST v1's answers about jobs as plain data.

Wrong ones raise pydantic's `ValidationError`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, BaseModel, Field

from reframe_firecrest.gateway.v1.values import Duration, LocalTime, Text


class Submitted(BaseModel):
    """What a submission's task tells.

    Attributes:
        job_id: None where the gateway missed it.
        job_file: the script's path, cut at its first blank.
        log: the path of what the job writes to standard error.
    """

    job_id: Annotated[str, Field(pattern="^[0-9]+$")] | None = Field(default=None, alias="jobid")
    job_file: Text = ""
    log: Text = Field(default="", alias="job_file_err")


class Accounted(BaseModel):
    """A row of Slurm's accounting: a job or a task of an array."""

    job_id: str = Field(alias="jobid")
    name: Text = ""
    partition: Text = ""
    state: str
    nodes: Text = Field(default="", alias="nodelist")
    node_count: int | None = Field(default=None, alias="nodes")
    exit_code: Annotated[str, Field(pattern=r"^\d+:\d+$")] = "0:0"
    start: LocalTime = Field(default=None, alias="start_time")
    end: LocalTime = Field(default=None, alias="termination_time")
    elapsed: Duration = Field(default=None, validation_alias=AliasChoices("elapsed_time", "time"))

    @property
    def is_stub(self) -> bool:
        """Whether the accounting has only just heard of it: its name and its end are not to be believed.

        Source: the recording ``poll_right_after_submit`` of a real gateway.
        """
        return self.name == "allocation" and not self.partition


class Queued(BaseModel):
    """A row of Slurm's queue.

    Two of its times have each other's names: ``start_time`` is the time that the job has run, and ``time``
    when it began (seen on FirecREST v1.16.6).
    """

    job_id: str = Field(alias="jobid")
    name: Text = ""
    state: str
    nodes_or_reason: Text = Field(default="", alias="nodelist")
    node_count: int | None = Field(default=None, alias="nodes")
    elapsed: Duration = Field(default=None, alias="start_time")
    left: Duration = Field(default=None, alias="time_left")
    job_file: Text = ""
    log: Text = Field(default="", alias="job_file_err")


class _Rows(BaseModel):
    rows: list[Accounted]


class _Queue(BaseModel):
    rows: list[Queued]


def submitted_of(data: object) -> Submitted:
    """Turn the data of a submission's task into what it tells."""
    return Submitted.model_validate(data)


def accounted_of(data: object) -> list[Accounted]:
    """Turn the data of an accounting task into rows; it is an empty object where there are none."""
    return _Rows.model_validate({"rows": list(data.values()) if isinstance(data, dict) else data}).rows


def queued_of(data: object) -> list[Queued]:
    """Turn the data of a task that asked the queue into rows; they are numbered."""
    return _Queue.model_validate({"rows": list(data.values()) if isinstance(data, dict) else data}).rows
