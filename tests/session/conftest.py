"""A session over the gateway in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reframe_firecrest.model.job import JobHandle, JobSpec
from reframe_firecrest.session.log_queue import LogQueue, Message
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.session import Session
from reframe_firecrest.session.session_record import open_journal
from reframe_firecrest.settings import Settings
from reframe_firecrest.staging.local_sources import LocalSources
from reframe_firecrest.staging.paths import PathMap
from tests.session.fakes import FakeGateway

PATIENCE = 15.0


def eventually(condition: Callable[[], object], what: str = "the condition") -> None:
    """Wait until something becomes true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not become true within {PATIENCE} s"
        time.sleep(0.005)


@dataclass
class Stage:
    """A stage prefix, its remote counterpart, and a session between them."""

    local: Path
    remote: Path
    gateway: FakeGateway
    settings: Settings
    logs: LogQueue
    mapped: tuple[str, ...] = ()
    sources: LocalSources = field(default_factory=LocalSources)
    _sessions: list[Session] = field(default_factory=list)

    @property
    def session(self) -> Session:
        if not self._sessions:
            paths = PathMap(str(self.local), str(self.remote), sent=self.mapped, sources=self.sources)
            journal = open_journal(self.settings, paths, "run")
            self._sessions.append(
                Session(self.settings, paths, reactor(), lambda _settings: self.gateway, journal)
            )
        return self._sessions[0]

    def directory(self, name: str, files: Mapping[str, str] | None = None) -> Path:
        """Make a stage directory with a job script."""
        path = self.local / name
        path.mkdir(parents=True, exist_ok=True)
        (path / "job.sh").write_text(f"#!/bin/bash\ncd {path}\n")
        for file, text in (files or {}).items():
            (path / file).write_text(text)
        return path

    def submit(self, name: str, script: str = "job.sh", files: Mapping[str, str] | None = None) -> JobHandle:
        """Hand over a job with a stage directory of its own."""
        path = self.directory(name, files)
        return self.session.submit(JobSpec(f"rfm_{name}", str(path), script, ("job.out", "job.err")))

    def submitted(self, *handles: JobHandle) -> list[str]:
        """Wait until Slurm knows the jobs; return their ids."""
        eventually(lambda: all(handle.state.job_id for handle in handles), "submission")
        return [str(handle.state.job_id) for handle in handles]

    def said(self) -> list[Message]:
        """Return what was logged since the last call."""
        return self.logs.take()

    def close(self) -> None:
        for session in self._sessions:
            session.shutdown()


@pytest.fixture
def logs() -> Iterator[LogQueue]:
    queue = LogQueue()
    queue.start()
    yield queue
    queue.stop()


@pytest.fixture
def stage(tmp_path: Path, logs: LogQueue) -> Iterator[Stage]:
    settings = Settings.model_validate(
        {
            "url": "http://127.0.0.1:1",
            "token_url": "http://127.0.0.1:1",
            "client_id": "me",
            "client_secret": "hidden",
            "system": "fake",
            "basedir": str(tmp_path / "remote"),
            "journal_dir": str(tmp_path / "journals"),
            "poll_interval_min": 0.1,
            "poll_interval_max": 0.2,
            "job_lost_timeout": 5,
            "retry_timeout": 4,
        }
    )
    local = tmp_path / "stage"
    local.mkdir()
    made = Stage(local, tmp_path / "remote" / "run", FakeGateway(), settings, logs)
    yield made
    made.close()
