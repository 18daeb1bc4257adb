"""Latency, rate limit, faults and counts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from firecrest_sandbox import FaultRule
from firecrest_sandbox.fault_injection.counts import shape
from firecrest_sandbox.fault_injection.faults import UPSTREAM_ERROR, FaultKind, Faults, load_faults
from firecrest_sandbox.fault_injection.middleware import READ_TO_ITS_END
from tests.firecrest_sandbox.conftest import PATIENCE, Api

Start = Any


def fault(kind: FaultKind, path: str = "/status/systems", **options: Any) -> FaultRule:
    return FaultRule(path=path, kind=kind, **options)


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def systems(api: Api) -> httpx.Response:
    return api.http.get("/status/systems")


@pytest.fixture
def faulty(api: Api) -> Any:
    api.sandbox.reset_stats()
    yield api
    api.sandbox.faults.clear()


def test_a_status_is_answered_as_often_as_told(faulty: Api) -> None:
    rule = fault(FaultKind.STATUS, status=502, times=2, after=1, headers={"Retry-After": "7"})
    faulty.sandbox.faults.add(rule)
    answers = [systems(faulty) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 502, 502, 200]
    assert answers[1].headers["retry-after"] == "7"
    assert answers[1].json()["errorType"] == "error"
    assert faulty.sandbox.stats().faults == {"status GET /status/systems": 2}


def test_a_fault_may_be_for_one_method(faulty: Api) -> None:
    faulty.sandbox.faults.add(fault(FaultKind.STATUS, path=".", method="POST"))
    assert systems(faulty).status_code == 200
    assert faulty.submit("#!/bin/bash\ntrue\n").status_code == 503


def test_a_cut_request_is_never_carried_out(faulty: Api) -> None:
    faulty.sandbox.faults.add(fault(FaultKind.CUT, path="/jobs$"))
    with pytest.raises(httpx.TransportError):
        faulty.submit("#!/bin/bash\ntrue\n", name="never")
    assert faulty.listed(name="never") == []


def test_a_request_with_a_lost_reply_is_carried_out(faulty: Api) -> None:
    faulty.sandbox.faults.add(fault(FaultKind.LOSE_REPLY, path="/jobs$", method="POST"))
    with pytest.raises(httpx.TransportError):
        faulty.submit("#!/bin/bash\ntrue\n", name="lost")
    assert len(faulty.listed(name="lost")) == 1


def test_a_garbled_answer_ends_early(faulty: Api) -> None:
    whole = systems(faulty)
    faulty.sandbox.faults.add(fault(FaultKind.GARBLE))
    garbled = systems(faulty)
    assert garbled.status_code == 200
    assert len(garbled.content) < len(whole.content) * 0.6
    with pytest.raises(json.JSONDecodeError):
        garbled.json()


def test_a_truncated_answer_promises_more_than_arrives(faulty: Api) -> None:
    faulty.sandbox.faults.add(fault(FaultKind.TRUNCATE))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        systems(faulty)
    assert systems(faulty).json()["systems"]


def test_a_page_takes_the_place_of_an_answer(faulty: Api) -> None:
    faulty.sandbox.faults.add(fault(FaultKind.PAGE, path="/jobs$", method="POST"))
    answer = faulty.submit("#!/bin/bash\ntrue\n", name="paged")
    assert answer.status_code == 201
    assert answer.text.startswith("<!DOCTYPE html>")
    assert len(faulty.listed(name="paged")) == 1


def test_an_answer_without_a_body_stays_as_it_is(faulty: Api) -> None:
    faulty.sandbox.faults.add(
        *(fault(kind, path="/ops/upload") for kind in (FaultKind.PAGE, FaultKind.GARBLE))
    )
    for _ in range(2):
        assert faulty.upload("x", b"y").status_code == 204


def test_a_portal_answers_instead_of_the_gateway(faulty: Api) -> None:
    faulty.sandbox.faults.add(fault(FaultKind.PORTAL, path="/jobs$", method="POST"))
    answer = faulty.submit("#!/bin/bash\ntrue\n", name="nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    assert faulty.listed(name="nowhere") == []


def test_a_status_may_hide_that_the_request_was_carried_out(faulty: Api) -> None:
    faulty.sandbox.faults.add(fault(FaultKind.STATUS_AFTER, path="/jobs$", method="POST", status=502))
    assert faulty.submit("#!/bin/bash\ntrue\n", name="hidden").status_code == 502
    assert len(faulty.listed(name="hidden")) == 1


def test_a_proxy_answers_in_its_own_words_after_the_request_was_carried_out(faulty: Api) -> None:
    rule = fault(FaultKind.STATUS_AFTER, path="/jobs$", method="POST", text=UPSTREAM_ERROR)
    faulty.sandbox.faults.add(rule)
    answer = faulty.submit("#!/bin/bash\ntrue\n", name="proxied")
    assert (answer.status_code, answer.text) == (503, UPSTREAM_ERROR)
    assert answer.headers["content-type"] == "text/plain"
    assert len(faulty.listed(name="proxied")) == 1


def test_a_request_that_acts_late_is_cut_first_and_carried_out_afterwards(faulty: Api) -> None:
    faulty.sandbox.faults.add(fault(FaultKind.ACTS_LATE, path="/jobs$", seconds=1.0))
    began = time.monotonic()
    with pytest.raises(httpx.TransportError):
        faulty.submit("#!/bin/bash\ntrue\n", name="tardy")
    if time.monotonic() - began < 0.5:
        assert faulty.listed(name="tardy") == []
    wait_for(lambda: faulty.listed(name="tardy"))
    assert faulty.sandbox.stats().faults == {"acts-late POST /compute/{system}/jobs": 1}


def test_an_upload_to_the_object_storage_acts_late_with_its_whole_body(faulty: Api) -> None:
    content = b"x" * 300_000
    faulty.sandbox.faults.add(FaultRule(shape="PUT storage", kind=FaultKind.ACTS_LATE, seconds=0.2))
    answer = faulty.transfer(
        "upload",
        path=str(faulty.home),
        transferDirectives={"transfer_method": "s3", "fileName": "late", "fileSize": len(content)},
    ).json()
    [url] = answer["transferDirectives"]["partsUploadUrls"]
    with pytest.raises(httpx.TransportError):
        httpx.put(url, content=content, trust_env=False)
    parts = faulty.sandbox.state.store._directory / "uploads"
    wait_for(lambda: [part for part in parts.glob("*/1-*") if part.suffix != ".partial"])
    [part] = parts.glob("*/1-*")
    assert part.read_bytes() == content


def test_only_requests_that_modify_something_act_late(faulty: Api) -> None:
    faulty.sandbox.faults.add(fault(FaultKind.ACTS_LATE, path=".", times=100, seconds=0.1))
    assert systems(faulty).status_code == 200
    assert faulty.token()
    for method, name, options in (
        ("POST", "mkdir", {"json": {"path": str(faulty.home / "late")}}),
        ("DELETE", "rm", {"params": {"path": str(faulty.home / "late")}}),
    ):
        with pytest.raises(httpx.TransportError):
            faulty.ops(method, name, **options)
    wait_for(lambda: not faulty.sandbox.stats().in_flight)


@pytest.mark.parametrize(("method", "path"), [("GET", "/status/systems"), ("DELETE", "/ops/rm")])
def test_an_endless_body_ends_when_the_client_hangs_up(faulty: Api, method: str, path: str) -> None:
    """Answers without a body get one."""
    (faulty.home / "removed").touch()
    faulty.sandbox.faults.add(fault(FaultKind.ENDLESS, path=path))
    url = f"/filesystem/{faulty.system}{path}" if "ops" in path else path
    params = {"path": str(faulty.home / "removed")}
    with faulty.http.stream(method, url, params=params) as answer:
        assert answer.is_success
        assert "content-length" not in answer.headers
        received = 0
        for chunk in answer.iter_raw():
            received += len(chunk)
            if received > 5_000_000:
                break
    wait_for(lambda: not faulty.sandbox.stats().in_flight)
    assert faulty.sandbox.stats().bytes_out < 50_000_000
    assert not any(label.startswith(READ_TO_ITS_END) for label in faulty.sandbox.stats().faults)


def test_an_endless_body_that_nobody_stops_is_noted(faulty: Api) -> None:
    faulty.sandbox.faults.add(fault(FaultKind.ENDLESS, size=200_000))
    answer = systems(faulty)
    assert len(answer.content) == 200_000
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    wait_for(lambda: not faulty.sandbox.stats().in_flight)
    assert faulty.sandbox.stats().faults[f"{READ_TO_ITS_END} GET /status/systems"] == 1


@pytest.mark.parametrize(("kind", "jobs"), [(FaultKind.IGNORE, 0), (FaultKind.MUTE, 1)])
def test_a_request_is_never_answered(faulty: Api, kind: FaultKind, jobs: int) -> None:
    faulty.sandbox.faults.add(fault(kind, path="/jobs$", method="POST"))
    with httpx.Client(base_url=faulty.sandbox.url, timeout=0.5, trust_env=False) as impatient:
        impatient.headers.update(faulty.http.headers)
        job = {"workingDirectory": str(faulty.home), "script": "#!/bin/bash\ntrue\n", "name": kind.value}
        with pytest.raises(httpx.ReadTimeout):
            impatient.post(faulty.jobs_url, json={"job": job})
    assert len(faulty.listed(name=kind.value)) == jobs


def test_a_rule_may_go_by_the_name_that_the_counts_use(faulty: Api) -> None:
    rule = FaultRule(shape="GET /compute/{system}/jobs", kind=FaultKind.STATUS)
    faulty.sandbox.faults.add(rule)
    assert systems(faulty).status_code == 200
    assert faulty.http.get(f"{faulty.jobs_url}/999999").status_code == 404
    assert faulty.http.get(faulty.jobs_url).status_code == 503


def test_chance_hits_the_share_that_it_is_given() -> None:
    rule = fault(FaultKind.STATUS, share=0.1, times=1000)
    hits = [Faults([rule], seed=1).match("GET", "/status/systems") for _ in range(3)]
    assert hits == hits[:1] * 3
    faults = Faults([rule, fault(FaultKind.CUT, share=0.5, times=1000)], seed=1)
    kinds = [hit and hit.kind for hit in (faults.match("GET", "/status/systems") for _ in range(1000))]
    assert 70 < kinds.count(FaultKind.STATUS) < 130
    assert 380 < kinds.count(FaultKind.CUT) < 520


def test_a_request_hangs_and_is_then_carried_out(faulty: Api) -> None:
    faulty.sandbox.faults.add(fault(FaultKind.HANG, seconds=0.3))
    began = time.monotonic()
    assert systems(faulty).status_code == 200
    assert time.monotonic() - began >= 0.28


def test_an_outage_ends_by_itself(faulty: Api) -> None:
    faulty.sandbox.faults.add(fault(FaultKind.OUTAGE, seconds=1.0))
    assert systems(faulty).status_code == 503
    assert systems(faulty).status_code == 503
    time.sleep(1.0)
    assert systems(faulty).status_code == 200


def test_stopping_does_not_wait_for_a_request_that_hangs(start: Start) -> None:
    api = start(faults=(fault(FaultKind.HANG, seconds=60),))
    with pytest.raises(httpx.TimeoutException):
        api.http.get("/status/systems", timeout=0.2)
    began = time.monotonic()
    api.sandbox.__exit__(None, None, None)
    assert time.monotonic() - began < 30


def test_latency_is_added_to_every_request_but_those_about_the_sandbox(start: Start) -> None:
    api = start(latency=1.0)
    began = time.monotonic()
    systems(api)
    assert time.monotonic() - began >= 0.95
    began = time.monotonic()
    api.http.get("/__sandbox/stats")
    assert time.monotonic() - began < 1.0


def test_too_many_requests_are_refused(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    # The requests may take longer than a second on a busy machine.
    monkeypatch.setattr("firecrest_sandbox.fault_injection.middleware.RATE_WINDOW", 60.0)
    api = start(rate_limit=3)
    answers = [systems(api) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    assert answers[-1].headers["retry-after"] == "1"
    assert api.sandbox.stats().rate_limited == 2
    api.token()


def test_requests_are_counted_and_counts_reset(start: Start) -> None:
    api = start(latency=0.2)
    api.http.post("/__sandbox/reset")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: systems(api), range(4)))
    api.http.get(f"{api.jobs_url}/123")
    api.upload("x", b"y" * 1000)
    stats = api.http.get("/__sandbox/stats").json()
    assert stats["by_shape"] == {
        "GET /status/systems": 4,
        "GET /compute/{system}/jobs/{id}": 1,
        "POST /filesystem/{system}/ops/upload": 1,
    }
    assert stats["total"] == 6
    assert stats["max_in_flight"] == 4
    assert stats["bytes_in"] > 1000
    assert stats["bytes_out"] > 1000
    upload, listing = "POST /filesystem/{system}/ops/upload", "GET /status/systems"
    assert 1000 < stats["bytes_in_by_shape"][upload] == stats["bytes_in"]
    assert stats["bytes_out_by_shape"][upload] == 0
    assert 1000 < stats["bytes_out_by_shape"][listing] < stats["bytes_out"]
    api.http.post("/__sandbox/reset")
    assert api.sandbox.stats().total == 0


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/auth/realms/sandbox/protocol/openid-connect/token", "POST token"),
        ("PUT", "/storage/me/1-2-3/x", "PUT storage"),
        ("GET", "/compute/a/jobs/7/metadata", "GET /compute/{system}/jobs/{id}/metadata"),
        ("GET", "/status/systems", "GET /status/systems"),
    ],
)
def test_shapes(method: str, path: str, expected: str) -> None:
    assert shape(method, path) == expected


def test_rules_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text('[{"path": "/jobs$", "kind": "cut"}]')
    [rule] = load_faults(file)
    assert Faults([rule]).match("GET", "/compute/a/jobs") is rule
    for wrong in ('[{"path": "(", "kind": "cut"}]', '[{"kind": "cut"}]', '[{"path": "x", "kind": "no"}]'):
        file.write_text(wrong)
        with pytest.raises(ValidationError):
            load_faults(file)
