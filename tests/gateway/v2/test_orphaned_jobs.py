"""No transfer job is left behind, whatever becomes of the request that queued it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from firecrest_sandbox import Sandbox, SandboxConfig
from firecrest_sandbox.fault_injection.faults import FaultKind, FaultRule
from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.v2 import orphaned_jobs
from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.model import errors
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import ENDED
from reframe_firecrest.settings import places_of, read_settings
from tests.gateway.helpers import Follower, following

CONTENT = os.urandom(20_000)
UPLOAD = "POST /filesystem/{system}/transfer/upload"
CANCEL = "DELETE /compute/{system}/jobs/{id}"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    config = SandboxConfig(
        max_ops_file_size=1000, output_limit=1_000_000, max_part_size=8000, transfer_poll=0.02, kill_wait=0.2
    )
    with Sandbox(config) as running:
        yield running


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def connected(sandbox: Sandbox) -> GatewayV2:
    settings = read_settings(places_of("test", None, None), sandbox.environment())
    gateway = GatewayV2(Connection(settings, RetryPolicy(pause=0.01)))
    return following(gateway, Follower(lambda job_id: ended(gateway, job_id)))


async def ended(gateway: GatewayV2, job_id: str) -> list[JobPart]:
    while True:
        parts = await gateway.job(job_id)
        if parts and all(part.state in ENDED for part in parts):
            return parts
        await asyncio.sleep(0.02)


async def sending(gateway: GatewayV2, sandbox: Sandbox, source: Path, name: str) -> asyncio.Task[str]:
    """Begin an upload of which the storage does not take a single part."""
    await gateway.connect()
    sandbox.faults.add(FaultRule(path="^/storage/", kind=FaultKind.IGNORE, times=3))
    upload = asyncio.create_task(gateway.upload(source, there(sandbox, name)))
    while True:
        if sandbox.stats().by_shape.get("PUT storage", 0) == 3:
            return upload
        await asyncio.sleep(0.02)


def there(sandbox: Sandbox, name: str = "there") -> str:
    return str(Path(sandbox.environment()["FIRECREST_BASEDIR"], name))


async def states(sandbox: Sandbox, *, settle: int = 0) -> list[str]:
    """Return the states of all jobs in the order of their ids, once as many as `settle` have ended."""
    gateway = connected(sandbox)
    while True:
        jobs = sorted(await gateway.jobs(0), key=lambda job: int(job.job_id))
        if sum(job.state in ENDED for job in jobs) >= settle:
            await gateway.close()
            return [job.state for job in jobs]
        await asyncio.sleep(0.02)


async def _upload(sandbox: Sandbox, source: Path) -> Path:
    gateway = connected(sandbox)
    try:
        await gateway.connect()
        return Path(await gateway.upload(source, there(sandbox)))
    finally:
        await gateway.close()


@pytest.mark.parametrize("kind", [FaultKind.LOSE_REPLY, FaultKind.PAGE, FaultKind.STATUS_AFTER])
def test_the_job_of_a_request_whose_answer_was_lost_is_cancelled(
    sandbox: Sandbox, source: Path, kind: FaultKind
) -> None:
    sandbox.faults.add(FaultRule(shape=UPLOAD, kind=kind, status=502))
    assert asyncio.run(_upload(sandbox, source)).read_bytes() == CONTENT
    assert asyncio.run(states(sandbox, settle=2)) == ["CANCELLED", "COMPLETED"]


def test_a_job_that_is_queued_after_the_last_request_is_cancelled(
    sandbox: Sandbox, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphaned_jobs, "LATEST_EFFECT", 4.0)
    sandbox.faults.add(FaultRule(shape=UPLOAD, kind=FaultKind.ACTS_LATE, seconds=1.5))
    assert asyncio.run(_upload(sandbox, source)).read_bytes() == CONTENT

    async def ended() -> list[str]:
        return await asyncio.wait_for(states(sandbox, settle=2), 10)

    assert sorted(asyncio.run(ended())) == ["CANCELLED", "COMPLETED"]


def test_jobs_of_others_are_left_alone(sandbox: Sandbox, source: Path) -> None:
    async def both() -> list[str]:
        other = connected(sandbox)
        theirs = await sending(other, sandbox, source, "theirs")
        sandbox.faults.add(FaultRule(shape=UPLOAD, kind=FaultKind.LOSE_REPLY))
        await _upload(sandbox, source)
        found = await states(sandbox, settle=2)
        theirs.cancel()
        await asyncio.gather(theirs, return_exceptions=True)
        await other.close()
        return found

    assert asyncio.run(both()) == ["RUNNING", "CANCELLED", "COMPLETED"]


def test_an_upload_that_is_broken_off_leaves_no_job_behind(sandbox: Sandbox, source: Path) -> None:
    async def break_off() -> list[str]:
        gateway = connected(sandbox)
        upload = await sending(gateway, sandbox, source, "there")
        upload.cancel()
        await asyncio.gather(upload, return_exceptions=True)
        await gateway.close()
        return await states(sandbox, settle=1)

    assert asyncio.run(break_off()) == ["CANCELLED"]


def test_a_transfer_that_is_given_up_in_the_queue_leaves_no_job_behind(
    sandbox: Sandbox, source: Path
) -> None:
    async def give_up() -> list[str]:
        gateway = connected(sandbox)
        await gateway.connect()
        # All nodes are taken, so that the job of the transfer has to wait.
        script = Path(there(sandbox, "job.sh"))
        script.write_text("#!/bin/sh\n#SBATCH --nodes=4\n#SBATCH --exclusive\nsleep 60\n")
        blocker = await gateway.submit(str(script), str(script.parent), None)
        download = asyncio.create_task(
            gateway.download(str(script), source.with_name("came"), size_hint=10**9)
        )
        while True:
            if sandbox.stats().by_shape.get("GET /compute/{system}/jobs/{id}", 0) >= 2:
                break
            await asyncio.sleep(0.02)
        download.cancel()
        await asyncio.gather(download, return_exceptions=True)
        await gateway.close()
        other = connected(sandbox)
        await other.cancel(blocker)
        await other.close()
        return await states(sandbox, settle=2)

    assert asyncio.run(give_up()) == ["CANCELLED", "CANCELLED"]


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_what_a_storage_refuses_once_goes_in_another_transfer(
    sandbox: Sandbox, source: Path, method: str
) -> None:
    sandbox.faults.add(FaultRule(shape=f"{method} storage", kind=FaultKind.STATUS, status=403))
    assert asyncio.run(_upload(sandbox, source)).read_bytes() == CONTENT
    assert asyncio.run(states(sandbox, settle=2)) == ["CANCELLED", "COMPLETED"]


def test_what_a_storage_does_not_give_is_put_there_again(sandbox: Sandbox, tmp_path: Path) -> None:
    async def download() -> None:
        gateway = connected(sandbox)
        await gateway.download(there(sandbox), tmp_path / "back", size_hint=10**9)
        await gateway.close()

    Path(there(sandbox)).write_bytes(CONTENT)
    sandbox.faults.add(FaultRule(shape="GET storage", kind=FaultKind.STATUS, status=404))
    asyncio.run(download())
    assert (tmp_path / "back").read_bytes() == CONTENT
    assert sandbox.stats().by_shape["POST /filesystem/{system}/transfer/download"] == 2


def test_an_orphan_that_cannot_be_cancelled_does_no_harm_and_is_reported(
    sandbox: Sandbox, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.faults.add(
        FaultRule(shape=UPLOAD, kind=FaultKind.LOSE_REPLY),
        FaultRule(shape=CANCEL, kind=FaultKind.STATUS, status=403, times=99),
    )
    assert asyncio.run(_upload(sandbox, source)).read_bytes() == CONTENT
    assert "orphaned transfer jobs may remain: cancelling a job on 'sandbox'" in caplog.text


def test_where_all_is_well_nobody_is_asked_about_strays(sandbox: Sandbox, source: Path) -> None:
    asyncio.run(_upload(sandbox, source))
    shapes = sandbox.stats().by_shape
    assert "GET /compute/{system}/jobs" not in shapes
    assert CANCEL not in shapes


def test_a_storage_that_keeps_refusing_is_reported(sandbox: Sandbox, source: Path) -> None:
    sandbox.faults.add(FaultRule(shape="PUT storage", kind=FaultKind.STATUS, status=403, times=99))
    with pytest.raises(errors.ForbiddenError, match="the S3 storage answers HTTP 403"):
        asyncio.run(_upload(sandbox, source))
    assert asyncio.run(states(sandbox, settle=3)) == ["CANCELLED"] * 3
