"""The service `storage`, internal part: long file operations, each as a job.

The job's state does not depend on the operation: its script succeeds even if `srun` fails (recorded). Only
the job's error file contains the failure.
"""

import shlex
from collections.abc import Sequence

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from firecrest_sandbox.errors import GatewayError
from firecrest_sandbox.runners.embedded.durations import seconds_of
from firecrest_sandbox.state import ServerState
from firecrest_sandbox.v1.access import Inputs, authenticated, inputs_of
from firecrest_sandbox.v1.errors import RefusedError, operation_refused
from firecrest_sandbox.v1.jobs import submission_of
from firecrest_sandbox.v1.operations import COPY_OPTIONS, Utilities, extraction_of
from firecrest_sandbox.v1.storage import STORAGE_MACHINE
from firecrest_sandbox.v1.work import task_response

_DEFAULT_TIME = "02:00:00"
_SCRIPT_NAME = "sbatch-job.sh"

router = APIRouter(prefix="/storage/xfer-internal", tags=["storage"], dependencies=[Depends(authenticated)])


@router.post("/cp")
@router.post("/mv")
@router.post("/rsync")
@router.post("/rm")
@router.post("/compress")
@router.post("/extract")
async def post_operation(request: Request) -> JSONResponse:
    """Submit the job of an operation. The task is that of the submission."""
    server = STORAGE_MACHINE.check(request)
    name = request.url.path.rsplit("/", 1)[-1]
    description = f"Error on {name} operation"
    async with inputs_of(request) as inputs:
        target = inputs.text("targetPath", description)
        source = "" if name == "rm" else inputs.text("sourcePath", description)
        try:
            command = await _command(server, name, source, target, inputs)
        except GatewayError as error:
            # In the real gateway, the job fails instead.
            raise operation_refused(error, description) from None
        directives = _directives(inputs, name)
    task = submission_of(request, server, _SCRIPT_NAME, _script(directives, command).encode())
    return task_response(task, status=201, url=False)


async def _command(server: ServerState, name: str, source: str, target: str, inputs: Inputs) -> Sequence[str]:
    utilities = Utilities(server)
    if name == "rm":
        return ["rm", "-rf", "--", utilities.removable(target)]
    if name == "mv":
        return utilities.moving(source, target, "--force")
    if name == "compress":
        return await utilities.packing(source, target, dereference=inputs.flag("dereference"))
    if name == "extract":
        compression = extraction_of(source, inputs.values.get("type", "auto"), f"Error on {name} operation")
        return utilities.unpacking(source, target, compression)
    copying = await utilities.copying(source, target, *COPY_OPTIONS)
    return copying if name == "cp" else ["rsync", "-av", *copying[-3:]]


def _directives(inputs: Inputs, name: str) -> list[str]:
    job_name = inputs.text("jobName", "Invalid jobName") if inputs.values.get("jobName") else f"{name}-job"
    time = inputs.values.get("time", _DEFAULT_TIME)
    if not _is_time_limit(time):
        raise RefusedError(400, {"error": "Not supported time format"})
    options = {
        "--job-name": job_name,
        "--time": time,
        "--error": "job-%j.err",
        "--output": "job-%j.out",
        "--ntasks": "1",
        "--account": inputs.optional("account", "Invalid account"),
        "--dependency": inputs.optional("stageOutJobId", "Invalid stageOutJobId"),
    }
    after = options["--dependency"]
    if after is not None:
        options["--dependency"] = f"afterok:{after}"
    return [f"#SBATCH {option}={shlex.quote(value)}" for option, value in options.items() if value]


def _is_time_limit(time: str) -> bool:
    try:
        return bool(seconds_of(time))
    except ValueError:
        return False


def _script(directives: Sequence[str], command: Sequence[str]) -> str:
    return "\n".join(
        [
            "#!/bin/bash",
            *directives,
            "echo Trace ID:",
            'echo "$SLURM_JOB_NAME started on $(date)"',
            f"srun -n $SLURM_NTASKS {shlex.join(command)}",
            'echo "$SLURM_JOB_NAME finished on $(date)"',
            "",
        ]
    )
