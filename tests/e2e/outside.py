"""A look at the system from outside of the package, by pyfirecrest."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import firecrest

from tests.conftest import GatewayUnderTest

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")


@dataclass
class Outside:
    """The system as anybody sees it.

    Attributes:
        client: asks the gateway.
        system: the system's name.
        basedir: below which all runs are.
    """

    client: Any
    system: str
    basedir: str

    def states(self) -> dict[str, str]:
        """The states of all jobs, by id."""
        return {
            job["jobId"]: job["status"]["state"]
            for job in self.client.job_info(self.system, time_window="1h")
        }

    def active(self, *runs: str) -> list[str]:
        """Name the jobs of runs that go on, and the transfer jobs that work for them."""
        return [
            f"{job['jobId']} {job['name']} {job['status']['state']}"
            for job in self.client.job_info(self.system, time_window="1h")
            if not job["status"]["state"].startswith(ENDED) and self._is_of(job, runs)
        ]

    def _is_of(self, job: dict[str, Any], runs: Sequence[str]) -> bool:
        about: str = job["workingDirectory"]
        if "File" in job["name"]:
            about = str(self.client.job_metadata(self.system, job["jobId"])[0]["script"])
        return any(run in about for run in runs)

    def directory_of(self, run: str) -> str:
        """Return the working directory of the only job of a run."""
        found = {
            job["workingDirectory"]
            for job in self.client.job_info(self.system, time_window="1h")
            if run in PurePosixPath(job["workingDirectory"]).parts
        }
        assert len(found) == 1, found
        return str(found.pop())

    def runs(self, namespace: str = "reframe-firecrest") -> set[str]:
        """Name the runs that have a directory."""
        listed = self.client.list_files(self.system, f"{self.basedir}/{namespace}")
        return {entry["name"] for entry in listed}

    def make_directory(self, path: str) -> None:
        self.client.mkdir(self.system, path)

    def wait_for_states(self, ids: set[str], state: str, seconds: float) -> None:
        """Wait until all the jobs are in a state."""
        deadline = time.monotonic() + seconds
        while True:
            states = {job_id: found for job_id, found in self.states().items() if job_id in ids}
            if len(states) == len(ids) and all(found.startswith(state) for found in states.values()):
                return
            assert time.monotonic() < deadline, f"not all jobs are {state} after {seconds} s: {states}"
            time.sleep(0.2)


@contextmanager
def outside(gateway: GatewayUnderTest) -> Iterator[Outside]:
    """Look at a gateway's system."""
    variables = gateway.variables
    client = firecrest.v2.Firecrest(
        variables["FIRECREST_URL"],
        authorization=firecrest.ClientCredentialsAuth(
            variables["FIRECREST_CLIENT_ID"],
            variables["FIRECREST_CLIENT_SECRET"],
            variables["AUTH_TOKEN_URL"],
        ),
    )
    try:
        yield Outside(client, variables["FIRECREST_SYSTEM"], variables["FIRECREST_BASEDIR"])
    finally:
        client.close_session()
