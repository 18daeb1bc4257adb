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


@dataclass(frozen=True)
class Job:
    """A job as FirecREST reports it.

    Attributes:
        about: a path that it works on; for transfer jobs, a text that contains one.
    """

    job_id: str
    name: str
    state: str
    about: str


@dataclass
class Outside:
    """The system as FirecREST v2 reports it.

    Attributes:
        client: client of the gateway.
        system: the system's name.
        basedir: directory of all runs.
    """

    client: Any
    system: str
    basedir: str

    def states(self) -> dict[str, str]:
        """Return the states of all jobs, by id."""
        return {
            job["jobId"]: job["status"]["state"]
            for job in self.client.job_info(self.system, time_window="1h")
        }

    def active_jobs(self) -> list[Job]:
        """Return the active jobs."""
        return [
            Job(job["jobId"], job["name"], job["status"]["state"], self._about(job))
            for job in self.client.job_info(self.system, time_window="1h")
            if not job["status"]["state"].startswith(ENDED)
        ]

    def _about(self, job: dict[str, Any]) -> str:
        if "File" in job["name"]:
            return str(self.client.job_metadata(self.system, job["jobId"])[0]["script"])
        return str(job["workingDirectory"])

    def active(self, *runs: str) -> list[str]:
        """Name the active jobs of runs, and their transfer jobs."""
        return [
            f"{job.job_id} {job.name} {job.state}"
            for job in self.active_jobs()
            if any(run in job.about for run in runs)
        ]

    def directory_of(self, run: str) -> str:
        """Return the working directory of a run's only job, which is active."""
        found = {job.about for job in self.active_jobs() if run in PurePosixPath(job.about).parts}
        assert len(found) == 1, found
        return found.pop()

    def runs(self, namespace: str = "reframe-firecrest") -> set[str]:
        """Name the runs that have a directory."""
        listed = self.client.list_files(self.system, f"{self.basedir}/{namespace}")
        return {entry["name"] for entry in listed}

    def make_directory(self, path: str) -> None:
        self.client.mkdir(self.system, path)

    def close(self) -> None:
        self.client.close_session()

    def wait_for_states(self, ids: set[str], state: str, seconds: float) -> None:
        """Wait until all the jobs are in a state."""
        deadline = time.monotonic() + seconds
        while True:
            states = {job_id: found for job_id, found in self.states().items() if job_id in ids}
            if len(states) == len(ids) and all(found.startswith(state) for found in states.values()):
                return
            assert time.monotonic() < deadline, f"not all jobs are {state} after {seconds} s: {states}"
            time.sleep(0.2)

    def wait_for_file(self, directory: str, name: str, seconds: float) -> None:
        """Wait until a directory contains a file."""
        deadline = time.monotonic() + seconds
        while name not in {entry["name"] for entry in self.client.list_files(self.system, directory)}:
            assert time.monotonic() < deadline, f"{directory}/{name} does not exist after {seconds} s"
            time.sleep(0.2)


class OutsideV1(Outside):
    """The system as FirecREST v1 reports it, with the scripts of active jobs."""

    def states(self) -> dict[str, str]:
        return {row["jobid"]: row["state"] for row in self.client.poll(self.system)}

    def active_jobs(self) -> list[Job]:
        return [
            # The names of transfer jobs contain the paths that they work on.
            Job(row["jobid"], row["name"], row["state"], self._place_of(row))
            for row in self.client.poll_active(self.system)
        ]

    def _place_of(self, row: dict[str, str]) -> str:
        return row["name"] if ":/" in row["name"] else str(PurePosixPath(row["job_file"]).parent)

    def close(self) -> None:
        self.client._session.close()


def _made(client: Any, variables: Sequence[str]) -> Outside:
    kind = OutsideV1 if isinstance(client, firecrest.v1.Firecrest) else Outside
    return kind(client, *variables)


@contextmanager
def outside(gateway: GatewayUnderTest) -> Iterator[Outside]:
    """Look at a gateway's system."""
    variables = gateway.variables
    who = firecrest.ClientCredentialsAuth(
        variables["FIRECREST_CLIENT_ID"],
        variables["FIRECREST_CLIENT_SECRET"],
        variables["AUTH_TOKEN_URL"],
    )
    client_of = firecrest.v1.Firecrest if gateway.api == "v1" else firecrest.v2.Firecrest
    made = _made(
        client_of(variables["FIRECREST_URL"], authorization=who),
        (variables["FIRECREST_SYSTEM"], variables["FIRECREST_BASEDIR"]),
    )
    try:
        yield made
    finally:
        made.close()
