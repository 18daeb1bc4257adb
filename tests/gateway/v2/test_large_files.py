"""Large files through a sandbox: the whole way, with a network that breaks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from firecrest_sandbox import Sandbox, SandboxConfig
from firecrest_sandbox.fault_injection.faults import FaultKind, FaultRule
from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.object_storage import ranged_download
from reframe_firecrest.gateway.object_storage import storage_requests as store
from reframe_firecrest.gateway.v2 import transfer_jobs
from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.model import errors
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.settings import places_of, read_settings
from tests.gateway.helpers import Follower

PART = 100_000
CONTENT = os.urandom(10 * PART + 7)
STORAGE = "^/storage/"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    config = SandboxConfig(
        max_ops_file_size=1000, output_limit=1_000_000, max_part_size=PART, transfer_poll=0.02
    )
    with Sandbox(config) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setattr(ranged_download, "FIRST_RANGE", PART)
    running.reset_stats()
    yield running
    running.faults.clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


async def ended(gateway: GatewayV2, job_id: str) -> Sequence[JobPart]:
    """Return a job's parts when it has ended."""
    while True:
        parts = await gateway.job(job_id)
        if parts and all(part.state not in ("PENDING", "RUNNING", "COMPLETING") for part in parts):
            return parts
        await asyncio.sleep(0.02)


def call(sandbox: Sandbox, *methods: Callable[[GatewayV2], Awaitable[Any]]) -> None:
    """Connect and call methods."""
    settings = read_settings(places_of("test", None, None), sandbox.environment())

    async def work() -> None:
        gateway = GatewayV2(Connection(settings, RetryPolicy(pause=0.01)))
        gateway.follow_jobs_with(Follower(lambda job_id: ended(gateway, job_id)))
        try:
            await gateway.connect()
            for method in methods:
                await method(gateway)
        finally:
            await gateway.close()

    asyncio.run(asyncio.wait_for(work(), 60))


def home(sandbox: Sandbox) -> Path:
    return Path(sandbox.environment()["FIRECREST_BASEDIR"])


def storage_requests(sandbox: Sandbox, method: str) -> int:
    return sandbox.stats().by_shape.get(f"{method} storage", 0)


def test_a_file_goes_up_in_parts_and_comes_back_in_ranges(
    sandbox: Sandbox, source: Path, tmp_path: Path
) -> None:
    there = home(sandbox) / "there"
    call(
        sandbox,
        lambda gateway: gateway.upload(source, str(there)),
        lambda gateway: gateway.download(str(there), tmp_path / "back", size_hint=len(CONTENT)),
    )
    assert there.read_bytes() == CONTENT
    assert (tmp_path / "back").read_bytes() == CONTENT
    counts = [storage_requests(sandbox, method) for method in ("PUT", "POST", "GET")]
    assert counts == [11, 1, 1 + store.PARALLEL]


@pytest.mark.parametrize("kind", [FaultKind.STATUS, FaultKind.CUT, FaultKind.LOSE_REPLY])
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_parts_and_their_end_survive_a_network_that_breaks(
    sandbox: Sandbox, source: Path, method: str, kind: FaultKind
) -> None:
    there = home(sandbox) / f"{method}-{kind.value}"
    sandbox.faults.add(FaultRule(path=STORAGE, method=method, kind=kind, times=2))
    call(sandbox, lambda gateway: gateway.upload(source, str(there)))
    assert there.read_bytes() == CONTENT
    assert storage_requests(sandbox, method) == {"PUT": 11, "POST": 1}[method] + 2


@pytest.mark.parametrize("kind", [FaultKind.STATUS, FaultKind.CUT, FaultKind.TRUNCATE])
@pytest.mark.parametrize("after", [0, 1])
def test_ranges_survive_a_network_that_breaks(
    sandbox: Sandbox, tmp_path: Path, kind: FaultKind, after: int
) -> None:
    there = home(sandbox) / "there"
    there.write_bytes(CONTENT)
    sandbox.faults.add(FaultRule(path=STORAGE, method="GET", kind=kind, times=2, after=after))
    call(sandbox, lambda gateway: gateway.download(str(there), tmp_path / "back", size_hint=len(CONTENT)))
    assert (tmp_path / "back").read_bytes() == CONTENT
    assert storage_requests(sandbox, "GET") == 1 + store.PARALLEL + 2


def test_a_success_that_wrote_nothing_is_noticed(
    sandbox: Sandbox, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer_jobs, "TRANSFER_POLL_PAUSES", (0.0,))
    there = home(sandbox) / "nowhere" / "there"
    with pytest.raises(errors.RejectedError, match=r"there is missing, although transfer job \d+ reports"):
        call(sandbox, lambda gateway: gateway.upload(source, str(there)))


def test_no_job_waits_for_a_file_that_will_not_come(sandbox: Sandbox, source: Path) -> None:
    sandbox.faults.add(FaultRule(path=STORAGE, method="PUT", kind=FaultKind.STATUS, status=403, times=99))

    async def upload(gateway: GatewayV2) -> None:
        with pytest.raises(errors.ForbiddenError):
            await gateway.upload(source, str(home(sandbox) / "never"))
        newest = max(await gateway.jobs(0), key=lambda job: int(job.job_id))
        assert [part.state for part in await ended(gateway, newest.job_id)] == ["CANCELLED"]

    call(sandbox, upload)
