"""A server and a client of it, for the tests of this package."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from firecrest_sandbox import Sandbox, SandboxConfig

PATIENCE = 300.0
"""Seconds after which a wait counts as a hang; far more than any wait takes, also on a loaded machine."""
SHARED = SandboxConfig(kill_wait=1.0, operation_timeout=3.0, token_lifetime=86_400)
"""Settings of the servers that a module's tests share.

A client fetches one token. On a loaded machine, a property-based test may take longer than the default
lifetime of a token (300 s).
"""
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")


class Api:
    """HTTP client of a server, with a token."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.system = sandbox.config.system
        self.home = Path(sandbox.environment()["FIRECREST_BASEDIR"])
        self.http = httpx.Client(base_url=sandbox.url, timeout=PATIENCE, trust_env=False)
        self.http.headers["Authorization"] = f"Bearer {self.token()}"

    def token(self) -> str:
        config = self.sandbox.config
        answer = self.http.post(
            self.sandbox.token_url,
            data={
                "grant_type": "client_credentials",
                "client_id": config.client_id,
                "client_secret": config.client_secret.get_secret_value(),
            },
        )
        return str(answer.json()["access_token"])

    def ops(self, method: str, name: str, **options: Any) -> httpx.Response:
        return self.http.request(method, f"/filesystem/{self.system}/ops/{name}", **options)

    def transfer(self, name: str, **body: Any) -> httpx.Response:
        return self.http.post(f"/filesystem/{self.system}/transfer/{name}", json=body)

    def upload(self, name: str, content: bytes, directory: Path | None = None) -> httpx.Response:
        files = {"file": (name, content)}
        return self.ops("POST", "upload", params={"path": str(directory or self.home)}, files=files)

    @property
    def jobs_url(self) -> str:
        return f"/compute/{self.system}/jobs"

    def submit(self, script: str, **options: Any) -> httpx.Response:
        job = {"workingDirectory": str(self.home), "script": script, **options}
        return self.http.post(self.jobs_url, json={"job": job})

    def submitted(self, script: str, **options: Any) -> str:
        answer = self.submit("#!/bin/bash\n" + script, **options)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["jobId"])

    def job(self, job_id: str) -> list[dict[str, Any]]:
        answer = self.http.get(f"{self.jobs_url}/{job_id}")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["jobs"])

    def listed(self, **params: Any) -> list[dict[str, Any]]:
        answer = self.http.get(self.jobs_url, params=params)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["jobs"])

    def wait(self, job_id: str, *states: str) -> list[dict[str, Any]]:
        """Wait until all records of a job are in one of the states (by default: ended)."""
        deadline = time.monotonic() + PATIENCE
        while True:
            jobs = self.job(job_id)
            if all(job["status"]["state"].startswith(states or ENDED) for job in jobs):
                return jobs
            assert time.monotonic() < deadline, jobs
            time.sleep(0.02)

    def output(self, job_id: str) -> str:
        return (self.home / f"slurm-{job_id}.out").read_text()

    def ran(self, script: str, **options: Any) -> tuple[dict[str, Any], str]:
        """Run a job and return its record and its output."""
        job_id = self.submitted(script, **options)
        return self.wait(job_id)[0], self.output(job_id)

    def close(self) -> None:
        self.http.close()


@pytest.fixture(scope="module")
def module_sandbox() -> Iterator[Sandbox]:
    """A server that the tests of a module share, as they do not affect each other."""
    with Sandbox(SHARED) as sandbox:
        yield sandbox


@pytest.fixture
def api(module_sandbox: Sandbox) -> Iterator[Api]:
    client = Api(module_sandbox)
    yield client
    client.close()


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Any:
    """Start a server with the given settings, and return a client of it."""

    def start_one(**settings: Any) -> Api:
        sandbox = Sandbox(SandboxConfig(**{"kill_wait": 1.0, **settings}))
        sandbox.__enter__()
        request.addfinalizer(lambda: sandbox.__exit__(None, None, None))
        client = Api(sandbox)
        request.addfinalizer(client.close)
        return client

    return start_one
