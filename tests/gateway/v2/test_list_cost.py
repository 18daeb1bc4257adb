"""Choice of the cheapest form of a list: all jobs, some by name, or a single one by its id."""

from __future__ import annotations

import time

import httpx
import pytest

from reframe_firecrest.gateway.v2 import list_cost
from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.gateway.v2.list_cost import FEW_PIECES, ListCost
from reframe_firecrest.model import errors
from tests.gateway.helpers import Api, answer
from tests.gateway.v2.test_job_list import BROKEN, LIST, ids_of, row, single, with_gateway

NAMES = [f"rfm_{letter * 100}" for letter in "abcdefgh"]
MINE = {str(number): name for number, name in enumerate(NAMES, start=7)}


def account(others: int) -> Api:
    """Return an API with the jobs of a run and other jobs of the account."""
    jobs = {**MINE, **{str(1000 + number): "other" for number in range(others)}}

    def reply(request: httpx.Request) -> httpx.Response:
        asked = request.url.params.get("name")
        names = asked.split(",") if asked else {*jobs.values()}
        return answer(200, {"jobs": [row(job_id, name) for job_id, name in jobs.items() if name in names]})

    return Api({LIST: reply, **single("7")})


def forms(api: Api) -> list[str | None]:
    return [request.url.params.get("name") for request in api.requests]


def test_a_lone_job_is_queried_by_its_id() -> None:
    api = account(0)
    found = with_gateway(api, lambda gateway: gateway.jobs(time.time(), ["rfm"], ["7"]))
    assert ids_of(found) == {"7"}
    assert api.count(f"{LIST}/7") == 1
    assert api.count(LIST) == 0


@pytest.mark.parametrize(("number", "at_once"), [(1, 1), (2, 2), (3, 2), (6, 2), (7, 7)])
def test_a_list_by_name_covers_as_many_names_as_fit_until_one_of_all_jobs_is_better(
    number: int, at_once: int
) -> None:
    async def ask(gateway: GatewayV2) -> int:
        return gateway.names_per_list(NAMES[:number])

    assert with_gateway(Api({}), ask) == at_once


def test_where_the_gateway_does_not_filter_names_a_list_covers_all() -> None:
    async def ask(gateway: GatewayV2) -> int:
        gateway._deployment.submits_by_slurmrestd()
        return gateway.names_per_list(NAMES)

    assert with_gateway(Api({}), ask) == len(NAMES)


def test_a_lone_job_that_cannot_be_queried_is_listed(caplog: pytest.LogCaptureFixture) -> None:
    api = Api({f"{LIST}/7": BROKEN, LIST: answer(200, {"jobs": [row("7", "rfm")]})})

    async def ask(gateway: GatewayV2) -> object:
        return await gateway.jobs(time.time(), ["rfm"], ["7"])

    assert ids_of(with_gateway(api, ask, ask)) == {"7"}
    assert sum("cannot list a single job; using another query" in text for text in caplog.messages) == 1
    assert api.requests[-1].url.params.get("name") == "rfm"


def test_a_lone_job_that_nobody_may_query_is_an_error() -> None:
    api = Api({f"{LIST}/7": answer(401, "expired")})
    with pytest.raises(errors.AuthError):
        with_gateway(api, lambda gateway: gateway.jobs(time.time(), ["rfm"], ["7"]))


def test_a_few_lists_by_name_are_preferred_to_one_of_unknown_size() -> None:
    api = account(0)
    few = NAMES[: 2 * FEW_PIECES]
    found = with_gateway(api, lambda gateway: gateway.jobs(time.time(), few, ["7", "8"]))
    assert ids_of(found) == {job_id for job_id, name in MINE.items() if name in few}
    assert len(api.requests) == FEW_PIECES
    assert None not in forms(api)


@pytest.mark.parametrize(("others", "by_name"), [(0, False), (5000, True)])
def test_the_size_of_a_list_of_all_decides_about_the_next(others: int, by_name: bool) -> None:
    api = account(others)

    async def ask(gateway: GatewayV2) -> object:
        return await gateway.jobs(time.time(), NAMES, [*MINE])

    found = with_gateway(api, ask, ask)
    assert ids_of(found) >= MINE.keys()
    assert forms(api)[0] is None
    assert (None not in forms(api)[1:]) is by_name


class TestCost:
    def test_one_list_by_name_is_never_dearer(self) -> None:
        assert ListCost().prefers_names(1, 12)

    def test_names_that_many_jobs_have_cost_more(self) -> None:
        cost = ListCost()
        cost.note_all(1000)
        assert cost.prefers_names(4, 50)
        for _ in range(5):
            cost.note_by_name(0.8, rows=240, names=12)
        assert not cost.prefers_names(4, 50)

    def test_slow_requests_cost_more(self) -> None:
        cost = ListCost()
        cost.note_all(1000)
        for _ in range(5):
            cost.note_by_name(2.0, rows=12, names=12)
        assert not cost.prefers_names(4, 50)

    def test_an_old_size_counts_as_unknown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cost = ListCost()
        cost.note_all(1)
        assert not cost.prefers_names(FEW_PIECES, 30)
        monkeypatch.setattr(list_cost, "KNOWN_FOR", -1.0)
        assert cost.prefers_names(FEW_PIECES, 30)

    def test_a_list_of_unknown_size_has_the_jobs_of_this_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cost = ListCost()
        cost.note_own(map(str, range(2000)))
        assert cost.prefers_names(4, 50)
        cost.note_all(60)
        assert cost.prefers_names(4, 50)
        monkeypatch.setattr(list_cost, "WINDOW", -1.0)
        cost.note_own(())
        assert not cost.prefers_names(4, 50)
