"""Journals of runs that are over, and a system on which they left something."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from reframe_firecrest.commands.clean import residue, system_cleaner
from reframe_firecrest.commands.clean.cleaner import Cleaner
from reframe_firecrest.commands.clean.model import CleanOptions
from reframe_firecrest.gateway.protocol import GatewayConnection
from reframe_firecrest.journal.events import Event, JobMoved, Opened
from reframe_firecrest.journal.reader import SessionLog, read
from reframe_firecrest.journal.writer import Journal
from reframe_firecrest.model.gateway_status import GatewayStatus
from reframe_firecrest.settings import Settings
from tests.journal.processes import GONE
from tests.session.fakes import FakeGateway

URL = "http://gateway.test/"


class System(FakeGateway):
    """A system whose jobs end when they are cancelled, all but those that are deaf."""

    def __init__(self) -> None:
        super().__init__()
        self.deaf: set[str] = set()

    async def status(self) -> GatewayStatus:
        return replace(await super().status(), date=time.time() + self.clock_ahead)

    async def cancel(self, job_id: str) -> None:
        await super().cancel(job_id)
        if job_id not in self.deaf:
            self.parts[job_id] = [replace(part, state="CANCELLED") for part in self.parts[job_id]]

    def run_job(
        self,
        directory: Path,
        name: str = "rfm",
        state: str = "RUNNING",
        submitted: float = 10 * 365 * 86_400.0,
    ) -> str:
        """Add a running job that was submitted some seconds ago."""
        job_id = self.start("job.sh", str(directory))
        at = time.time() - submitted
        self.parts[job_id] = [
            replace(part, name=name, state=state, submitted=at) for part in self.parts[job_id]
        ]
        return job_id

    def active_jobs(self) -> set[str]:
        return {job_id for job_id, parts in self.parts.items() if parts[0].state != "CANCELLED"}


@dataclass
class World:
    """This side and the other.

    Attributes:
        journals: the directory of journals.
        base: the base directory on the system.
        system: the system.
        environment: of the command.
    """

    journals: Path
    base: Path
    system: System = field(default_factory=System)
    environment: dict[str, str] = field(default_factory=dict)
    opened: list[Settings] = field(default_factory=list)
    _alive: list[Journal] = field(default_factory=list)

    def name(self, age: float = 100.0, mark: str = "000000") -> str:
        return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(time.time() - age))}-host-{mark}"

    def run(
        self,
        mark: str,
        *events: Event,
        age: float = 3600.0,
        alive: bool = False,
        directory: bool = True,
        **more: object,
    ) -> SessionLog:
        """Make a run's journal and its directory on the system; it was killed unless its events end it."""
        name = self.name(age, mark)
        root = self.base / "reframe-firecrest" / name
        if directory:
            (root / ".transfer").mkdir(parents=True, exist_ok=True)
        system_name = more.get("system", "daint")
        journal = Journal(self.journals, f"{name}.{system_name}", pytest.fail)
        begun = time.time() - age
        known = {
            "run": name,
            "url": URL,
            "system": system_name,
            "root": str(root),
            "host": socket.gethostname(),
            **GONE,
            **more,
        }
        journal.write(
            Opened.model_validate({"time": begun, "stage": "/stage", "version": "1", "locked": True, **known})
        )
        for event in events:
            journal.write(event)
        if alive:
            self._alive.append(journal)
        else:
            journal.close()
        session_log = read(journal.path)
        assert session_log is not None
        os.utime(journal.path, (session_log.last, session_log.last))
        return session_log

    def cleaner(
        self, *, dry_run: bool = False, forget: bool = False, offline: bool = False, force: bool = False
    ) -> Cleaner:
        def connect(settings: Settings) -> GatewayConnection:
            self.opened.append(settings)
            return self.system

        return Cleaner(
            self.journals,
            self.environment,
            CleanOptions(dry_run=dry_run, forget=forget, offline=offline, force=force),
            connect,
        )

    def close(self) -> None:
        for journal in self._alive:
            journal.close()


def job(number: int, phase: str, job_id: str | None = None, age: float = 3000.0) -> JobMoved:
    """Return a line about a job."""
    return JobMoved(
        time=time.time() - age, number=number, name=f"t{number}", directory="/s", phase=phase, job_id=job_id
    )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(system_cleaner, "POLL_PAUSES", (0.01,))
    monkeypatch.setattr(system_cleaner, "END_TIMEOUT", 0.2)
    monkeypatch.setattr(residue, "SETTLED", 0.2)
    made = World(tmp_path / "journals", tmp_path / "scratch")
    made.environment.update(
        {
            "AUTH_TOKEN_URL": "http://idp.test/token",
            "FIRECREST_CLIENT_ID": "me",
            "FIRECREST_CLIENT_SECRET": "tr0ub4dor",
        }
    )
    yield made
    made.close()
