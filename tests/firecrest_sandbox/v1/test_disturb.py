"""Faults, the rate limit and the counts on v1's paths, and which generation of the API answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from firecrest_sandbox import FaultRule
from firecrest_sandbox.fault_injection.counts import shape
from firecrest_sandbox.fault_injection.faults import FaultKind
from tests.firecrest_sandbox.v1.conftest import V1

Start = Any


@pytest.mark.parametrize(
    ("method", "path", "label"),
    [
        ("GET", "/tasks", "GET /tasks"),
        ("GET", "/tasks/0f", "GET /tasks/{id}"),
        ("GET", "/utilities/ls", "GET /utilities/ls"),
        ("POST", "/compute/jobs/path", "POST /compute/jobs/path"),
        ("POST", "/compute/jobs/upload", "POST /compute/jobs/upload"),
        ("GET", "/compute/jobs", "GET /compute/jobs"),
        ("DELETE", "/compute/jobs/7_1", "DELETE /compute/jobs/{id}"),
        ("GET", "/compute/acct", "GET /compute/acct"),
        ("GET", "/compute/nodes/nid001", "GET /compute/nodes/{name}"),
        ("GET", "/status/systems/sandbox", "GET /status/systems/{name}"),
        ("GET", "/status/filesystems/sandbox", "GET /status/filesystems/{name}"),
        ("GET", "/status/parameters", "GET /status/parameters"),
        ("POST", "/storage/xfer-external/upload", "POST /storage/xfer-external/upload"),
        ("POST", "/storage/root", "POST storage"),
    ],
)
def test_requests_are_counted_by_shape(method: str, path: str, label: str) -> None:
    assert shape(method, path) == label


def test_faults_hit_v1_and_are_answered_in_its_proxys_words(v1: V1) -> None:
    v1.sandbox.reset_stats()
    rule = FaultRule(shape="GET /tasks/{id}", kind=FaultKind.STATUS, status=502, headers={"Retry-After": "3"})
    v1.sandbox.faults.add(rule)
    answer = v1.get("/tasks/0f")
    assert (answer.status_code, answer.json()) == (502, {"message": "Injected fault."})
    assert answer.headers["Retry-After"] == "3"
    assert v1.sandbox.stats().faults == {"status GET /tasks/{id}": 1}


def test_a_lost_reply_leaves_a_job_and_a_task(v1: V1) -> None:
    v1.sandbox.faults.add(FaultRule(path="/jobs/path$", kind=FaultKind.LOSE_REPLY))
    with pytest.raises(httpx.TransportError):
        v1.submit("#SBATCH -J lost\ntrue\n")
    while "lost" not in [row["name"] for row in v1.accounted()]:
        pass
    tasks = v1.get("/tasks").json()["tasks"].values()
    assert [task["status"] for task in tasks if "job.sh" in str(task["data"])] == ["200"]


def test_a_submission_acts_late(v1: V1) -> None:
    v1.sandbox.faults.add(FaultRule(path="/jobs/path$", kind=FaultKind.ACTS_LATE, seconds=0.3))
    with pytest.raises(httpx.TransportError):
        v1.submit("#SBATCH -J tardy\ntrue\n")
    while "tardy" not in [row["name"] for row in v1.accounted()]:
        pass


def test_a_body_that_never_ends(v1: V1) -> None:
    v1.sandbox.faults.add(FaultRule(path="/utilities/whoami$", kind=FaultKind.ENDLESS, size=100_000))
    assert len(v1.get("/utilities/whoami").content) == 100_000


def test_v1_has_its_part_of_the_rate(start_v1: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    # The requests may take longer than a second on a busy machine.
    monkeypatch.setattr("firecrest_sandbox.fault_injection.middleware.RATE_WINDOW", 60.0)
    v1 = start_v1(rate_limit=2)
    answers = [v1.get(path) for path in ("/tasks", "/utilities/whoami", "/status/parameters")]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json() == {"message": "API rate limit exceeded"}


def test_both_generations_are_served_at_once(v1: V1) -> None:
    assert "systems" in v1.get("/status/systems").json()
    assert "out" in v1.get("/status/parameters").json()
    system = v1.sandbox.config.system
    assert v1.get(f"/compute/{system}/jobs").json() == {"jobs": []} or v1.api.listed()
    assert v1.get(f"/status/systems/{system}").json()["description"] == "System information"


def test_v1_can_be_served_alone(start_v1: Start) -> None:
    v1 = start_v1(api="v1")
    assert v1.get("/status/systems").json()["out"][0]["status"] == "available"
    for path in ("/status/liveness/", "/filesystem/sandbox/ops/ls", "/nothing"):
        assert v1.get(path).status_code in (400, 404), path
    assert v1.get("/filesystem/sandbox/ops/ls").json() == {"message": "Invalid"}
    assert v1.http.get("/__sandbox/stats").json()["by_shape"]["GET /nothing"] == 1
    assert "f7t-appversion" not in v1.get("/status/parameters").headers


def test_v2_can_be_served_alone(start_v1: Start) -> None:
    v1 = start_v1(api="v2")
    for path in ("/status/parameters", "/tasks", "/utilities/whoami"):
        answer = v1.get(path)
        assert (answer.status_code, answer.json()["errorType"]) == (404, "error")
    assert "systems" in v1.get("/status/systems").json()
