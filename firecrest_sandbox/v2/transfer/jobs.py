"""Submission of transfer jobs."""

import uuid

from firecrest_sandbox.errors import GatewayError
from firecrest_sandbox.records import JobDescription
from firecrest_sandbox.state import ServerState
from firecrest_sandbox.v2.systems import transfer_directives
from firecrest_sandbox.v2.transfer.models import TransferJob, TransferJobLogs


def header(server: ServerState, account: str | None) -> str:
    """Return the first lines of a transfer job's script.

    The account has no effect unless the site's directives contain it, as with the real gateway.

    Raises:
        GatewayError: 400; the directives contain an account and none was given.
    """
    directives = "\n".join(transfer_directives(server.config))
    if server.config.require_account:
        if account is None:
            raise GatewayError(400, "Account parameter is required on this system.")
        directives = directives.format(account=account)
    return f"#!/bin/bash\n{directives}\n"


async def queue(server: ServerState, name: str, script: str) -> TransferJob:
    """Submit a transfer job and return its id and its log files."""
    unique = uuid.uuid4()
    logs = TransferJobLogs(
        output_log=f"{server.home}/.f7t_file_handling_job_{unique}.log",
        error_log=f"{server.home}/.f7t_file_handling_job_error_{unique}.log",
    )
    description = JobDescription(
        name=name,
        working_directory=str(server.home),
        standard_input="/dev/null",
        standard_output=logs.output_log,
        standard_error=logs.error_log,
        env={"PATH": "/bin:/usr/bin/:/usr/local/bin/"},
        script=script,
    )
    receipt = await server.submit(description)
    return TransferJob(
        job_id=receipt.job_id,
        system=server.config.system,
        working_directory=str(server.home),
        logs=logs,
    )
