"""Read ReFrame's report, which ``--report-file`` writes.

Source of the fields: `RunReport.update_run_stats` in ``reframe/frontend/reporting`` of ReFrame 4.10, and a
test's loggable variables and parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from reframe_firecrest.model.errors import ReportError

_UNDEFINED = "<undefined>"
"""ReFrame's text for a variable without a value."""

_FIGURE = 5
"""Entries of a performance figure before its result, which exists since version 4.1 of the format."""


class _Part(BaseModel):
    # Reports also contain a test's variables, and later versions of ReFrame add fields.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Reference(_Part):
    """A performance figure and its reference.

    Attributes:
        value: the value; None if it could not be extracted.
        reference: the reference value; None if there is none.
        lower: largest negative deviation as a fraction of the reference, such as -0.1; None for no limit.
        upper: largest positive deviation as a fraction of the reference; None for no limit.
        unit: unit of the value.
        result: ReFrame's verdict: ``pass``, ``fail``, ``xfail``, ``xpass``, or None for none.
    """

    value: float | None
    reference: float | None = None
    lower: float | None = None
    upper: float | None = None
    unit: str | None = None
    result: str | None = None


class CaseResult(_Part):
    """One test case in one run of a session.

    Attributes:
        display_name: name with its parameters.
        hashcode: hash that selects it: ``-n /HASH``.
        result: ``pass``, ``fail``, ``abort``, ``xfail``, ``xpass``, ``skip``, ``fail_deps``.
        fail_phase: stage of ReFrame's pipeline in which it failed.
        fail_reason: why it failed.
        jobid: id of the job that ran it; the id of its build job is not reported.
        job_submit_time: seconds since the epoch at which ReFrame submitted the job.
        job_completion_time_unix: seconds since the epoch at which the job ended.
        stagedir: its stage directory, which may have been removed.
        time_setup: seconds, like the other times; the total includes waiting.
        perfvalues: performance figures by ``system:partition:name``.
    """

    name: str
    unique_name: str = ""
    display_name: str = ""
    hashcode: str | None = None
    descr: str | None = None
    system: str | None = None
    partition: str | None = None
    environ: str | None = None
    result: str = ""
    fail_phase: str | None = None
    fail_reason: str | None = None
    jobid: str | None = None
    job_nodelist: list[str] | None = None
    job_exitcode: int | None = None
    job_submit_time: float | None = None
    job_completion_time_unix: float | None = None
    stagedir: str | None = None
    job_stdout: str | None = None
    job_stderr: str | None = None
    build_stdout: str | None = None
    build_stderr: str | None = None
    time_setup: float | None = None
    time_compile: float | None = None
    time_run: float | None = None
    time_sanity: float | None = None
    time_performance: float | None = None
    time_total: float | None = None
    perfvalues: Mapping[str, Reference] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_undefined(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if value != _UNDEFINED}
        return data

    @field_validator("perfvalues", mode="before")
    @classmethod
    def _name_entries(cls, data: Any) -> Any:
        return {key: _named(entry) for key, entry in (data or {}).items()}

    @property
    def title(self) -> str:
        """Name with its parameters."""
        return self.display_name or self.name

    @property
    def where(self) -> str:
        """System, partition and environment, as in ReFrame's output."""
        return f"{self.system}:{self.partition}+{self.environ}"

    @property
    def key(self) -> tuple[str, str | None, str | None, str | None]:
        """Identity of the test case in all runs of a session."""
        return (self.unique_name or self.name, self.system, self.partition, self.environ)


def _named(entry: Any) -> Any:
    if not isinstance(entry, list) or len(entry) < _FIGURE:
        return entry
    names = ("value", "reference", "lower", "upper", "unit", "result")
    return dict(zip(names, entry, strict=False))


class Session(_Part):
    """A session of ReFrame.

    Attributes:
        uuid: id of the session.
        hostname: host on which it ran.
        time_start_unix: start in seconds since the epoch.
        time_end_unix: end in seconds since the epoch.
        version: version of ReFrame.
        prefix_stage: stage prefix.
    """

    uuid: str = ""
    hostname: str = ""
    time_start_unix: float
    time_end_unix: float
    version: str = ""
    prefix_stage: str | None = None


class ReframeRun(_Part):
    """A run in the sense of ReFrame: all test cases, or those of a retry."""

    testcases: Sequence[CaseResult]


class ReframeReport(_Part):
    """ReFrame's report of a session.

    Attributes:
        session_info: the session.
        runs: the run of all test cases, and those of ``--max-retries`` or ``--reruns``.
    """

    session_info: Session
    runs: Sequence[ReframeRun]


def read_reframe_report(path: Path) -> ReframeReport:
    """Read a report.

    Raises:
        ReportError: the file can't be read, or is not a report.
    """
    try:
        return ReframeReport.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ReportError(f"{path} can't be read: {error.strerror or error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ReportError(
            f"{path} is not a JSON report of ReFrame ({field + ': ' if field else ''}{first['msg']}); "
            "name the file of --report-file"
        ) from None
