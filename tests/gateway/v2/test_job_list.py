"""Lists that fail for good: in which other form jobs are listed then."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest

from reframe_firecrest.gateway.v2 import job_list, list_cost
from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.model import errors
from reframe_firecrest.model.slurm_job import JobPart
from tests.gateway.helpers import Answer, Api, answer, make_gateway, run

LIST = "GET /compute/jobs"
BROKEN = answer(500, "Error executing Slurm command.")
TOO_LONG = answer(500, "Command output exceeded buffer limit")
LONG = [f"rfm_{letter * 100}" for letter in "abc"]


@pytest.fixture(autouse=True)
def all_are_cheapest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefer one list of all jobs to several by name; see test_list_cost.py for the choice."""
    monkeypatch.setattr(list_cost, "FEW_PIECES", 0)


def row(job_id: str, name: str) -> dict[str, object]:
    return {"jobId": job_id, "name": name, "status": {"state": "RUNNING"}, "workingDirectory": f"/s/{name}"}


def lists(jobs: dict[str, str], breaks: Callable[[str | None], httpx.Response | None]) -> Answer:
    """Answer for lists of jobs, given by their ids and names, unless they are to break."""

    def reply(request: httpx.Request) -> httpx.Response:
        asked = request.url.params.get("name")
        broken = breaks(asked)
        if broken is not None:
            return broken
        names = asked.split(",") if asked else jobs.values()
        return answer(200, {"jobs": [row(job_id, name) for job_id, name in jobs.items() if name in names]})

    return reply


def unless_by_name(asked: str | None) -> httpx.Response | None:
    return None if asked else BROKEN


def single(job_id: str) -> dict[str, Answer]:
    return {f"{LIST}/{job_id}": answer(200, {"jobs": [row(job_id, "rfm")]})}


def with_gateway(api: Api, *methods: Callable[[GatewayV2], object]) -> object:
    async def work() -> object:
        gateway = make_gateway(api)
        try:
            result: object = None
            for method in methods:
                result = await method(gateway)  # type: ignore[misc] # all of them are coroutines
            return result
        finally:
            await gateway.close()

    return run(work())


def ids_of(found: object) -> set[str]:
    assert isinstance(found, list)
    assert all(isinstance(part, JobPart) for part in found)
    return {part.job_id for part in found}


JOBS = {str(number): name for number, name in enumerate(LONG, start=7)}


def test_where_the_list_of_all_breaks_jobs_are_listed_by_name_in_pieces() -> None:
    api = Api({LIST: lists(JOBS, unless_by_name), **single("7")})
    found = with_gateway(api, lambda gateway: gateway.jobs(time.time(), LONG, ["7"]))
    assert ids_of(found) == set(JOBS)
    asked = [request.url.params for request in api.requests if "time_window" in request.url.params]
    assert [params.get("name") for params in asked] == [None, None, ",".join(LONG[:2]), LONG[2]]


def test_the_form_that_works_is_remembered(caplog: pytest.LogCaptureFixture) -> None:
    api = Api({LIST: lists(JOBS, unless_by_name), **single("7")})

    async def ask(gateway: GatewayV2) -> object:
        return await gateway.jobs(time.time(), LONG, ["7"])

    with_gateway(api, ask, ask, ask)
    # Twice of all, and then two pieces each time.
    assert api.count(LIST) == 2 + 3 * 2
    assert api.count(f"{LIST}/7") == 1
    assert sum("cannot list all jobs; using another query" in text for text in caplog.messages) == 1


def test_after_a_while_the_better_form_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_list, "FORGET_AFTER", 0.0)
    broken = [BROKEN]
    api = Api({LIST: lists(JOBS, lambda asked: None if asked or not broken else broken[0]), **single("7")})

    async def ask(gateway: GatewayV2) -> object:
        return await gateway.jobs(time.time(), LONG, ["7"])

    async def mend(_gateway: GatewayV2) -> None:
        broken.clear()

    found = with_gateway(api, ask, mend, ask)
    assert ids_of(found) == set(JOBS)
    assert api.requests[-1].url.params.get("name") is None


def test_a_list_that_is_too_long_is_not_tried_twice() -> None:
    api = Api({LIST: lists(JOBS, lambda asked: None if asked else TOO_LONG), **single("7")})
    with_gateway(api, lambda gateway: gateway.jobs(time.time(), LONG, ["7"]))
    assert [request.url.params.get("name") for request in api.requests].count(None) == 2  # one is the single


def test_a_name_that_breaks_its_list_is_left_out_of_it() -> None:
    names = ["rfm_a", "rfm_b", "rfm_c"]
    jobs = {"7": "rfm_a", "8": "rfm_b", "9": "rfm_c"}
    api = Api(
        {LIST: lists(jobs, lambda asked: BROKEN if not asked or "rfm_b" in asked else None), **single("7")}
    )

    async def ask(gateway: GatewayV2) -> object:
        return await gateway.jobs(time.time(), names, ["7"])

    assert ids_of(with_gateway(api, ask)) == {"7", "9"}
    before = api.count(LIST)
    found = with_gateway(api, ask, ask)
    assert ids_of(found) == {"7", "9"}
    assert api.requests[-1].url.params["name"] == "rfm_a,rfm_c"
    assert api.count(LIST) > before


# A lone job is queried singly, so these tests name it twice.


def test_where_no_list_works_single_jobs_can_be_asked_for() -> None:
    api = Api({LIST: BROKEN, **single("7")})
    with pytest.raises(errors.UnlistableError):
        with_gateway(api, lambda gateway: gateway.jobs(time.time(), ["rfm_a"], ["7", "7"]))
    api = Api({LIST: BROKEN, **single("7")})
    with pytest.raises(errors.UnlistableError):
        with_gateway(api, lambda gateway: gateway.jobs(time.time(), (), ["7", "7"]))


def test_where_nothing_works_it_is_an_outage_and_no_matter_of_form() -> None:
    api = Api({LIST: BROKEN, f"{LIST}/7": BROKEN})
    with pytest.raises(errors.UncertainError) as caught:
        with_gateway(api, lambda gateway: gateway.jobs(time.time(), LONG, ["7"]))
    assert caught.value.status == 500
    assert not any("name" in request.url.params for request in api.requests)


def test_a_failure_that_comes_once_changes_no_form() -> None:
    jobs = answer(200, {"jobs": [row("7", "rfm_a")]})
    api = Api({LIST: [BROKEN, jobs], **single("7")})
    assert ids_of(with_gateway(api, lambda gateway: gateway.jobs(time.time(), ["rfm_a"], ["7", "7"]))) == {
        "7"
    }
    assert api.seen == [LIST, LIST]


def test_a_lost_submission_is_found_by_its_name_where_the_list_of_all_breaks() -> None:
    jobs = {"7": "rfm_a", "8": "rfm_b"}
    api = Api({LIST: lists(jobs, unless_by_name)})
    script, directory = "/s/rfm_b/job.sh", "/s/rfm_b"
    found = with_gateway(api, lambda gateway: gateway.find(script, directory, "rfm_b", time.time()))
    assert found == ["8"]


def test_cleaning_up_lists_jobs_by_the_names_that_it_knows_where_the_list_of_all_breaks() -> None:
    jobs = {"7": "rfm_a", "8": "other"}
    api = Api({LIST: lists(jobs, unless_by_name)})
    found = with_gateway(api, lambda gateway: gateway.jobs(time.time(), instead=["rfm_a", "rfm_z"]))
    assert ids_of(found) == {"7"}
