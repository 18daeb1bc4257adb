"""Counts of a run."""

from __future__ import annotations

from bench.runs import Flow, ProcessFigures, Run, contradictions, traffic_of
from firecrest_sandbox.fault_injection.counts import Stats

VARIABLES = {"FIRECREST_URL": "https://gateway/v2/", "AUTH_TOKEN_URL": "https://login/token"}


def test_requests_are_sorted_by_whom_they_asked_and_what() -> None:
    requests = [
        ("POST", "https://login/token", 1, 90, 1200),
        ("GET", "https://gateway/v2/compute/sys/jobs", 3, 0, 600),
        ("GET", "https://gateway/v2/compute/sys/jobs/12", 1, 0, 70),
        ("GET", "https://gateway/v2/compute/sys/jobs/13", 1, 0, 30),
        ("POST", "https://gateway/v2/compute/sys/jobs", 2, 500, 20),
        ("POST", "https://gateway/v2/filesystem/sys/ops/upload", 1, 4000, 0),
        ("GET", "https://gateway/v2/filesystem/sys/ops/ls", 1, 0, 800),
        ("GET", "https://gateway/v2/filesystem/sys/ops/download", 2, 0, 5000),
        ("PUT", "https://s3/bucket/a-1", 1, 7000, 0),
        ("GET", "https://s3/bucket/a-2", 1, 0, 9000),
    ]
    run = Run(traffic=traffic_of(requests, VARIABLES))
    assert run.traffic["POST token"] == Flow(requests=1, sent=90, received=1200)
    assert (run.requests, run.lists, run.singles) == (14, 3, 2)
    assert (run.sent, run.uploaded) == (90 + 500 + 4000 + 7000, 11000)
    assert (run.received, run.fetched) == (1200 + 600 + 100 + 20 + 800 + 14000, 14000)


def test_submit_has_a_median_and_a_maximum() -> None:
    run = Run(process=ProcessFigures(submits_ms=[1.0, 9.0, 2.0]))
    assert (run.submit_median_ms, run.submit_most_ms) == (2.0, 9.0)
    assert (Run().submit_median_ms, Run().submit_most_ms) == (0.0, 0.0)


def test_the_sandbox_has_to_have_seen_the_same() -> None:
    traffic = {"GET /a": Flow(requests=2, sent=1, received=5), "PUT storage": Flow(requests=1)}
    seen = Stats(
        by_shape={"GET /a": 2, "GET storage": 7},
        bytes_in_by_shape={"GET /a": 1},
        bytes_out_by_shape={"GET /a": 5},
    )
    assert contradictions(traffic, seen) == []
    seen.bytes_out_by_shape["GET /a"] = 6
    seen.by_shape["GET /b"] = 1
    first, second = contradictions(traffic, seen)
    assert first.startswith("GET /a: ")
    assert second.startswith("GET /b: ")
