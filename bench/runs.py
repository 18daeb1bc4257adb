"""Results of one run of the suite."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

from pydantic import BaseModel

from firecrest_sandbox.fault_injection.counts import Stats, shape

LIST = "GET /compute/{system}/jobs"
"""Request for a list of all jobs."""

LISTS = (LIST, "GET /compute/acct")
"""Requests for a list of all jobs, in both versions of the API."""

SINGLE = (LIST + "/", "GET /compute/jobs")
"""Prefixes of requests for one job; in FirecREST v1, for jobs with incomplete data in the accounting."""

FILE = ("GET /filesystem/{system}/ops/download", "GET /utilities/download", "GET storage")
"""Requests whose answers are files."""

UPLOAD = (
    "POST /filesystem/{system}/ops/upload",
    "PUT storage",
    "POST /utilities/upload",
    "POST storage",
)
"""Requests whose bodies are files."""


class ProcessFigures(BaseModel):
    """Measurements of ReFrame's process, which bench/settings.py writes.

    Attributes:
        submits_ms: duration of each `submit()` on ReFrame's thread.
        peak_bytes: peak memory.
        cpu_s: processor time of the process itself.
        children_cpu_s: processor time of its commands.
        most_in_flight: largest number of concurrent requests.
        requests: method, URL without query, number, bytes of bodies sent and received.
    """

    submits_ms: list[float] = []
    peak_bytes: int = 0
    cpu_s: float = 0.0
    children_cpu_s: float = 0.0
    most_in_flight: int = 0
    requests: list[tuple[str, str, int, int, int]] = []


class Flow(BaseModel):
    """Requests of one shape, with the bytes of their bodies and of the answers'."""

    requests: int = 0
    sent: int = 0
    received: int = 0


class Run(BaseModel):
    """One run of the suite.

    Attributes:
        passed: all tests passed.
        remarks: doubts about the figures, or why they are missing.
        wall_s: wall time of the process.
        session_s: wall time of the session in ReFrame's report, without start and end of the process.
        process: measurements of ReFrame's process.
        traffic: requests and bytes by shape of request, as counted by the client.
        inputs: bytes of one test's inputs.
        scripts: bytes of all tests' scripts.
        packed: bytes of a compressed archive of all files that the jobs created.
    """

    passed: bool = False
    remarks: list[str] = []
    wall_s: float = 0.0
    session_s: float | None = None
    process: ProcessFigures = ProcessFigures()
    traffic: dict[str, Flow] = {}
    inputs: int = 0
    scripts: int = 0
    packed: int | None = None

    @property
    def requests(self) -> int:
        """Number of requests, including those for tokens and to the object storage."""
        return sum(flow.requests for flow in self.traffic.values())

    @property
    def lists(self) -> int:
        """Number of requests for lists of all jobs."""
        return sum(flow.requests for name, flow in self.traffic.items() if name in LISTS)

    @property
    def singles(self) -> int:
        """Number of requests for single jobs."""
        return sum(flow.requests for name, flow in self.traffic.items() if name.startswith(SINGLE))

    @property
    def sent(self) -> int:
        """Bytes of all request bodies."""
        return sum(flow.sent for flow in self.traffic.values())

    @property
    def uploaded(self) -> int:
        """Bytes of request bodies that are files."""
        return sum(self.traffic.get(name, Flow()).sent for name in UPLOAD)

    @property
    def received(self) -> int:
        """Bytes of all response bodies."""
        return sum(flow.received for flow in self.traffic.values())

    @property
    def fetched(self) -> int:
        """Bytes of response bodies that are files."""
        return sum(self.traffic.get(name, Flow()).received for name in FILE)

    @property
    def submit_median_ms(self) -> float:
        """Median duration of `submit()` in milliseconds; 0 if it was not measured."""
        return statistics.median(self.process.submits_ms) if self.process.submits_ms else 0.0

    @property
    def submit_most_ms(self) -> float:
        """Longest duration of `submit()` in milliseconds."""
        return max(self.process.submits_ms, default=0.0)


def traffic_of(
    requests: Iterable[tuple[str, str, int, int, int]], variables: Mapping[str, str]
) -> dict[str, Flow]:
    """Add up the client's traffic by shape of request.

    Args:
        requests: as in `ProcessFigures`.
        variables: environment variables with the addresses of the gateway and the identity provider.
    """
    found: dict[str, Flow] = {}
    base = variables.get("FIRECREST_URL", "").rstrip("/")
    for method, url, number, sent, received in requests:
        if url == variables.get("AUTH_TOKEN_URL"):
            label = f"{method} token"
        elif base and url.startswith(f"{base}/"):
            label = shape(method, url.removeprefix(base))
        else:
            label = f"{method} storage"
        flow = found.setdefault(label, Flow())
        flow.requests += number
        flow.sent += sent
        flow.received += received
    return found


def contradictions(traffic: Mapping[str, Flow], seen: Stats) -> list[str]:
    """Compare the traffic that the client and the sandbox counted; return the differences.

    The storage is excluded, because transfer jobs of the sandbox use it too.
    """
    found = []
    for label in sorted({*traffic, *seen.by_shape}):
        if label.endswith(" storage"):
            continue
        flow = traffic.get(label, Flow())
        ours = (flow.requests, flow.sent, flow.received)
        theirs = tuple(
            counts.get(label, 0)
            for counts in (seen.by_shape, seen.bytes_in_by_shape, seen.bytes_out_by_shape)
        )
        if ours != theirs:
            found.append(
                f"{label}: requests, bytes sent and received: the client counted {ours}, the sandbox {theirs}"
            )
    return found
