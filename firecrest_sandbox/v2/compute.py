"""The section `compute` of the API: submit, query, attach to and cancel jobs."""

from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Query

from firecrest_sandbox.auth import authenticated
from firecrest_sandbox.errors import JobNotFoundError, NotOverRestError
from firecrest_sandbox.records import Job, JobDescription, JobMetadata, JobsTimeWindow
from firecrest_sandbox.runners.base import JobQuery
from firecrest_sandbox.state import SystemServer
from firecrest_sandbox.v2.models import ERROR_RESPONSES, CamelModel

router = APIRouter(
    prefix="/compute/{system_name}/jobs",
    tags=["compute"],
    dependencies=[Depends(authenticated)],
    responses=ERROR_RESPONSES,
)

Record = TypeVar("Record", Job, JobMetadata)
JobId = Annotated[str, Path(pattern="^[a-zA-Z0-9]+$", description="Job id")]


class Submission(CamelModel):
    """A job to submit."""

    job: JobDescription


class Submitted(CamelModel):
    """The id of the job that was queued."""

    job_id: str | None = None


class Jobs(CamelModel):
    """Jobs and their states."""

    jobs: list[Job] | None = None


class JobsMetadata(CamelModel):
    """Jobs with their scripts and files."""

    jobs: list[JobMetadata] | None = None


class Attachment(CamelModel):
    """A command to run inside a job."""

    command: str = ""


@router.post("", status_code=201)
async def submit(submission: Submission, server: SystemServer) -> Submitted:
    """Submit a job with the text of its script or with a script on the system."""
    receipt = await server.submit(submission.job)
    return Submitted(job_id=receipt.job_id)


@router.get("")
async def list_jobs(
    server: SystemServer,
    *,
    allusers: Annotated[bool, Query()] = False,
    account: Annotated[str | None, Query()] = None,
    name: Annotated[str | None, Query(max_length=235)] = None,
    time_window: Annotated[JobsTimeWindow, Query()] = JobsTimeWindow.LAST_24_HOURS,
) -> Jobs:
    """List the user's jobs."""
    query = JobQuery(time_window=time_window, name=name, account=account, allusers=allusers)
    return Jobs(jobs=await server.runner.jobs(query))


@router.get("/{job_id}")
async def get_job(job_id: JobId, server: SystemServer) -> Jobs:
    """Return one job, or the tasks of one array."""
    return Jobs(jobs=_not_empty(await server.runner.job(job_id)))


@router.get("/{job_id}/metadata")
async def get_metadata(job_id: JobId, server: SystemServer) -> JobsMetadata:
    """Return a job's script and the paths of its files."""
    if server.config.connection == "rest":
        raise NotOverRestError
    return JobsMetadata(jobs=_not_empty(await server.runner.metadata(job_id)))


@router.put("/{job_id}/attach", status_code=204)
async def attach(job_id: JobId, attachment: Attachment, server: SystemServer) -> None:
    """Run a command inside a running job."""
    await server.runner.attach(job_id, attachment.command)


@router.delete("/{job_id}", status_code=204)
async def cancel(job_id: JobId, server: SystemServer) -> None:
    """Cancel a job."""
    await server.runner.cancel(job_id)


def _not_empty(jobs: list[Record]) -> list[Record]:
    if not jobs:
        raise JobNotFoundError
    return jobs
