"""Reads ReFrame's report, which ``--report-file`` names.

Its fields are those of `RunReport.update_run_stats` in ``reframe/frontend/reporting`` of ReFrame 4.10 and, of
a test's own, its loggable variables and parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from reframe_firecrest.model.errors import ReportError

_UNDEFINED = "<undefined>"
"""What ReFrame writes for a variable that has no value."""

_FIGURE = 5
"""Entries of a performance figure before its result, which ReFrame writes since its data version 4.1."""


class _Part(BaseModel):
    # A test's variables stand beside the fields, and later versions of ReFrame add some.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Reference(_Part):
    """A performance figure, and what was expected of it.

    Attributes:
        value: None if it could not be extracted.
        reference: the reference value; None if there is none.
        lower: by how much it may be less, as a part of the reference: -0.1 are ten percent; None for no
            limit.
        upper: by how much it may be more.
        unit: of the value.
        result: ReFrame's verdict: ``pass``, ``fail``, ``xfail``, ``xpass``, or None for none.
    """

    value: float | None
    reference: float | None = None
    lower: float | None = None
    upper: float | None = None
    unit: str | None = None
    result: str | None = None


class CaseResult(_Part):
    """One test case in one of the runs of a session.

    Attributes:
        display_name: with its parameters.
        hashcode: selects it: ``-n /HASH``.
        result: ``pass``, ``fail``, ``abort``, ``xfail``, ``xpass``, ``skip``, ``fail_deps``.
        fail_phase: the stage of ReFrame's pipeline in which it failed.
        fail_reason: why.
        jobid: of its run; its build has one of its own that is not told.
        job_submit_time: seconds since the epoch at which ReFrame handed the job over.
        job_completion_time_unix: seconds since the epoch at which it ended.
        stagedir: its directory here, which may be gone.
        time_setup: seconds; likewise the others, of which the total includes all waiting.
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
        """Its name with its parameters."""
        return self.display_name or self.name

    @property
    def where(self) -> str:
        """System, partition and environment, as in ReFrame's own output."""
        return f"{self.system}:{self.partition}+{self.environ}"

    @property
    def key(self) -> tuple[str, str | None, str | None, str | None]:
        """What makes it the same test case in each of the runs of a session."""
        return (self.unique_name or self.name, self.system, self.partition, self.environ)


def _named(entry: Any) -> Any:
    if not isinstance(entry, list) or len(entry) < _FIGURE:
        return entry
    names = ("value", "reference", "lower", "upper", "unit", "result")
    return dict(zip(names, entry, strict=False))


class Session(_Part):
    """A session of ReFrame.

    Attributes:
        uuid: ReFrame's id of it.
        hostname: where it ran.
        time_start_unix: seconds since the epoch.
        time_end_unix: the same.
        version: ReFrame's.
        prefix_stage: below it are the stage directories.
    """

    uuid: str = ""
    hostname: str = ""
    time_start_unix: float
    time_end_unix: float
    version: str = ""
    prefix_stage: str | None = None


class ReframeRun(_Part):
    """What ReFrame calls a run: all test cases, or those that are tried again."""

    testcases: Sequence[CaseResult]


class ReframeReport(_Part):
    """ReFrame's report of a session.

    Attributes:
        session_info: the session.
        runs: the first one of all test cases, and those that ``--max-retries`` or ``--reruns`` made.
    """

    session_info: Session
    runs: Sequence[ReframeRun]


def read_reframe_report(path: Path) -> ReframeReport:
    """Read a report.

    Raises:
        ReportError: it can't be read, or is none.
    """
    try:
        return ReframeReport.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ReportError(f"{path} can't be read: {error.strerror or error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ReportError(
            f"{path} is no JSON report of ReFrame's ({where + ': ' if where else ''}{first['msg']}); "
            "name the file of --report-file"
        ) from None
