"""FirecREST v1's answers about jobs as plain data.

Invalid answers raise pydantic's `ValidationError`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, Field

from reframe_firecrest.gateway.field_types import (
    LONGEST_PATH,
    Answer,
    Count,
    JobId,
    JobName,
    JobState,
    NodeSet,
    line,
    valid,
)
from reframe_firecrest.gateway.v1.field_types import Duration, LocalTime, Text

_Path = Annotated[Text, AfterValidator(lambda text: line(text, most=LONGEST_PATH))]
_Nodes = Annotated[Text, AfterValidator(lambda text: line(text, most=1 << 20))]


class Submitted(Answer):
    """Result of a submission's task.

    Attributes:
        job_id: None if the gateway failed to read it.
        job_file: the script's path, truncated at its first blank.
        log: path of the job's standard error.
    """

    job_id: Annotated[str, Field(pattern="^[0-9]{1,18}$")] | None = Field(default=None, alias="jobid")
    job_file: _Path = ""
    log: _Path = Field(default="", alias="job_file_err")


class Accounted(Answer):
    """A row of Slurm's accounting: a job or a task of an array."""

    job_id: JobId = Field(alias="jobid")
    name: JobName = ""
    partition: Text = ""
    state: JobState
    nodes: NodeSet = Field(default="", alias="nodelist")
    node_count: Count | None = Field(default=None, alias="nodes")
    exit_code: Annotated[str, Field(pattern="^[0-9]{1,9}:[0-9]{1,9}$")] = "0:0"
    start: LocalTime = Field(default=None, alias="start_time")
    end: LocalTime = Field(default=None, alias="termination_time")
    elapsed: Duration = Field(default=None, validation_alias=AliasChoices("elapsed_time", "time"))

    @property
    def is_stub(self) -> bool:
        """True while the accounting has only begun to record the job; its name and end are not valid then.

        Source: the recording ``poll_right_after_submit`` of a real gateway.
        """
        return self.name == "allocation" and not self.partition


class Queued(Answer):
    """A row of Slurm's queue.

    Two of its times are swapped: ``start_time`` is the job's run time, and ``time`` is when it began
    (observed with FirecREST v1.16.6).
    """

    job_id: JobId = Field(alias="jobid")
    name: JobName = ""
    state: JobState
    nodes_or_reason: _Nodes = Field(default="", alias="nodelist")
    node_count: Count | None = Field(default=None, alias="nodes")
    elapsed: Duration = Field(default=None, alias="start_time")
    left: Duration = Field(default=None, alias="time_left")
    job_file: _Path = ""
    log: _Path = Field(default="", alias="job_file_err")


class _Rows(Answer):
    rows: list[Any]


def parse_submitted(data: object) -> Submitted:
    """Parse the data of a submission's task."""
    return Submitted.model_validate(data)


def parse_accounted(data: object) -> list[Accounted]:
    """Parse the data of an accounting task; it is an empty object if there are no rows."""
    return valid(Accounted, _rows_of(data), "job")


def parse_queued(data: object) -> list[Queued]:
    """Parse the data of a queue task; its rows are numbered."""
    return valid(Queued, _rows_of(data), "job")


def _rows_of(data: object) -> list[Any]:
    return _Rows.model_validate({"rows": list(data.values()) if isinstance(data, dict) else data}).rows
