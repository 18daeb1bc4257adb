"""What one run of the suite told."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

from pydantic import BaseModel

from firecrest_sandbox.fault_injection.counts import Stats, shape

LIST = "GET /compute/{system}/jobs"
"""A question for all jobs."""

LISTS = (LIST, "GET /compute/acct")
"""The same in both versions of the API."""

SINGLE = (LIST + "/", "GET /compute/jobs")
"""How a question for one job begins; in FirecREST v1, one for some jobs that the accounting does not tell
all of."""

FILE = ("GET /filesystem/{system}/ops/download", "GET /utilities/download", "GET storage")
"""Requests whose answers are files."""

UPLOAD = (
    "POST /filesystem/{system}/ops/upload",
    "PUT storage",
    "POST /utilities/upload",
    "POST storage",
)
"""Requests whose bodies are files."""


class Told(BaseModel):
    """What ReFrame's process says of itself; bench/settings.py writes it.

    Attributes:
        submits_ms: what each `submit()` took on ReFrame's thread.
        peak_bytes: the most memory that it ever had.
        cpu_s: processor time of the process itself.
        children_cpu_s: processor time of the commands that it ran.
        most_in_flight: requests that were open at a time.
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
        passed: all tests did.
        remarks: what speaks against the figures, or says why there are none.
        wall_s: of the whole command, from the start of the process to its end.
        session_s: of ReFrame's session as its report has it, without start and end of the process.
        told: by ReFrame's process.
        traffic: by shape of request, as the client counts it.
        inputs: bytes of one test's inputs.
        scripts: bytes of all tests' scripts.
        packed: bytes of a compressed archive of all that the jobs made.
    """

    passed: bool = False
    remarks: list[str] = []
    wall_s: float = 0.0
    session_s: float | None = None
    told: Told = Told()
    traffic: dict[str, Flow] = {}
    inputs: int = 0
    scripts: int = 0
    packed: int | None = None

    @property
    def requests(self) -> int:
        """All requests, those for tokens and to the object storage included."""
        return sum(flow.requests for flow in self.traffic.values())

    @property
    def lists(self) -> int:
        """Questions for all jobs at once."""
        return sum(flow.requests for name, flow in self.traffic.items() if name in LISTS)

    @property
    def singles(self) -> int:
        """Questions for a single job."""
        return sum(flow.requests for name, flow in self.traffic.items() if name.startswith(SINGLE))

    @property
    def sent(self) -> int:
        """Bytes of all requests' bodies."""
        return sum(flow.sent for flow in self.traffic.values())

    @property
    def uploaded(self) -> int:
        """Bytes of those that were files."""
        return sum(self.traffic.get(name, Flow()).sent for name in UPLOAD)

    @property
    def received(self) -> int:
        """Bytes of all answers' bodies."""
        return sum(flow.received for flow in self.traffic.values())

    @property
    def fetched(self) -> int:
        """Bytes of those that were files."""
        return sum(self.traffic.get(name, Flow()).received for name in FILE)

    @property
    def submit_median_ms(self) -> float:
        """What half of the `submit()` calls took at most; 0 where it was not measured."""
        return statistics.median(self.told.submits_ms) if self.told.submits_ms else 0.0

    @property
    def submit_most_ms(self) -> float:
        """What the slowest `submit()` took."""
        return max(self.told.submits_ms, default=0.0)


def traffic_of(
    requests: Iterable[tuple[str, str, int, int, int]], variables: Mapping[str, str]
) -> dict[str, Flow]:
    """Sort what the client counted by the shape of the requests.

    Args:
        requests: as in `Told`.
        variables: of the environment, which tell the gateway from the identity provider and the storage.
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
    """Compare what the client counted with what the sandbox saw; return where they differ.

    The storage is left out: there the sandbox sees its own transfer jobs too.
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
