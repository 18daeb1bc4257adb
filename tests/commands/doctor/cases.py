"""Cases over a gateway in memory, whose file system is a directory of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from reframe_firecrest.commands.doctor.context import CheckContext, DiagnosisTarget
from reframe_firecrest.commands.doctor.findings import Finding
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.session.standalone import StandaloneConnection
from tests.gateway.helpers import Follower, make_settings, run
from tests.session.fakes import FakeGateway


class Patient:
    """One case.

    Attributes:
        basedir: the base directory, which is there.
    """

    def __init__(self, tmp_path: Path) -> None:
        self.basedir = tmp_path / "base"
        self.basedir.mkdir()
        self.gateway = FakeGateway()
        self.settings: dict[str, object] = {"system": "fake", "basedir": str(self.basedir)}
        self.partitions: Mapping[str, Sequence[str]] = {"": ()}
        self.origins: Mapping[str, str] = {}
        self.timeout = 5.0
        self.waiting: Callable[[str], Awaitable[Sequence[JobPart]]] = self.gateway.job

    def context(self) -> CheckContext:
        target = DiagnosisTarget(make_settings(**self.settings), self.partitions, origins=self.origins)
        connection = StandaloneConnection(target.settings, self.gateway, lambda *_: Follower(self.waiting))
        run(connection.open_gateway())
        return CheckContext(target, connection, self.timeout)

    def check(self, *checks: Callable[[CheckContext], Awaitable[Finding]]) -> Finding:
        """Make checks in order; return the finding of the last one."""

        context = self.context()

        async def work() -> Finding:
            context.statuses.append(await self.gateway.status())
            context.capabilities = (await self.gateway.connect()).capabilities
            for check in checks:
                found = await check(context)
            return found

        return run(work())

    def left(self) -> list[str]:
        """Return what is in the base directory."""
        return sorted(path.name for path in self.basedir.iterdir())


async def for_ever(_job_id: str) -> Sequence[JobPart]:
    await asyncio.Event().wait()
    raise AssertionError("unreachable: nobody sets the event")
