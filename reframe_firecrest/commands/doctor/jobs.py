"""Check that a job runs."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from reframe_firecrest.commands.doctor.context import CheckContext
from reframe_firecrest.commands.doctor.findings import Finding, green, red, yellow
from reframe_firecrest.commands.doctor.workspace import workspace
from reframe_firecrest.model.directives import directive, names_account
from reframe_firecrest.model.errors import GatewayError, NotFoundError
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.units import format_duration

SCRIPT, OUTPUT = "doctor.sh", "doctor.out"
TEXT = "reframe-firecrest"


def job_script(options: Sequence[str]) -> str:
    """Return a script that prints `TEXT`.

    Args:
        options: options of sbatch that the partition needs, or entire directives that begin with ``#``.
    """
    own = ("--job-name=rfm-doctor", f"--output={OUTPUT}", "--nodes=1", "--ntasks=1", "--time=00:01:00")
    return "\n".join(["#!/bin/sh", *map(directive, (*own, *options)), f"echo {TEXT}", ""])


async def check_job(context: CheckContext, options: Sequence[str]) -> Finding:
    """Submit a job, wait for its end and read its output."""
    gateway = context.gateway
    with tempfile.TemporaryDirectory(prefix="reframe-firecrest-") as local:
        script, output = Path(local, SCRIPT), Path(local, OUTPUT)
        text = job_script(options)
        await asyncio.to_thread(script.write_text, text, encoding="utf-8")
        # An account on sbatch's command line would override one among the options.
        account = None if names_account(text) else context.settings.account
        async with workspace(gateway, context.settings.basedir) as directory:
            remote = await gateway.upload(script, f"{directory.path}/{SCRIPT}")
            start = time.monotonic()
            job_id = await gateway.submit(remote, directory.path, account)
            try:
                [part, *_] = await asyncio.wait_for(
                    context.connection.follower.wait_until_ended(job_id), context.timeout
                )
            except asyncio.TimeoutError:
                return await _late(context, job_id)
            except BaseException:
                with suppress(GatewayError):
                    await gateway.cancel(job_id)
                raise
            took = time.monotonic() - start
            if not part.succeeded:
                return red(
                    f"job {job_id} ended as {part.state} with exit code {part.exit_code}",
                    "check the partition's access options, or ask the site",
                )
            try:
                await gateway.download(f"{directory.path}/{OUTPUT}", output, size_hint=len(TEXT))
            except NotFoundError:
                return red(
                    f"job {job_id} has ended, but its output is not in {directory.parent}",
                    "choose a base directory that is mounted on compute nodes",
                )
            if (await asyncio.to_thread(output.read_bytes)).strip() != TEXT.encode():
                return red(f"the output of job {job_id} is not what its script prints", "ask the site")
    return green(f"job {job_id} ran on {part.nodes}; {format_duration(took)} from submission to end")


async def _late(context: CheckContext, job_id: str) -> Finding:
    parts = await context.gateway.job(job_id)
    await context.gateway.cancel(job_id)
    state = _describe(parts[0]) if parts else "not known to Slurm"
    return yellow(
        f"after {format_duration(context.timeout)}, job {job_id} was {state}; it was cancelled",
        "allow more time in the queue with --timeout, or check whether nodes are idle",
    )


def _describe(part: JobPart) -> str:
    return f"{part.state} ({part.reason})" if part.reason else part.state
