"""The API version that a gateway turns out to have, and the requests that this takes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from reframe_firecrest.gateway.factory import FirecrestConnection
from reframe_firecrest.gateway.http.throttle import AT_FIRST
from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model import errors
from reframe_firecrest.model.system import SystemInfo
from tests.gateway.helpers import FAST, SYSTEM, Answer, answer, make_settings, run
from tests.gateway.v1.helpers import ACCOUNTING, PARAMETERS, ApiV1, done, row
from tests.gateway.v1.test_status import SYSTEMS, V1, parameters

ACCOUNTS = "GET /status/userinfo"

V2 = answer(200, {"systems": [{"name": SYSTEM}]})


class TestOpening:
    def opened(self, table: Mapping[str, Answer], *names: str, **changes: object) -> tuple[Any, ApiV1]:
        api = ApiV1({**table, ACCOUNTING: done([row("7")])})

        async def work() -> Any:
            connection = FirecrestConnection(make_settings(**changes), FAST, httpx.MockTransport(api))
            try:
                gateway: Gateway = await connection.open_gateway()
                for name in names:
                    result = await getattr(gateway, name)()
            finally:
                await connection.close()
            assert connection.stats()["requests"] == len(api.seen) + api.tokens
            return result

        return run(work()), api

    def test_a_v2_gateway_is_asked_for_its_systems_once(self) -> None:
        info, api = self.opened({SYSTEMS: V2}, "connect")
        assert info.name == SYSTEM
        assert api.seen == [SYSTEMS]

    def test_a_v1_gateway_is_recognised_by_its_answer_to_one_request(self) -> None:
        info, api = self.opened({SYSTEMS: V1, PARAMETERS: parameters()}, "connect", "accounts", "connect")
        assert info.name == SYSTEM
        assert api.seen == [SYSTEMS, PARAMETERS, PARAMETERS]

    def test_a_version_that_is_given_is_not_asked_for(self) -> None:
        assert self.opened({PARAMETERS: parameters()}, "connect", api_version="1")[1].seen == [PARAMETERS]
        assert self.opened({SYSTEMS: V2}, "connect", api_version=2)[1].seen == [SYSTEMS]

    def test_an_answer_that_was_there_already_is_not_a_quick_response(self) -> None:
        """Otherwise all later responses would seem slow, and the open requests would remain few."""

        async def slowly(request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(0.1)
            return await api(request)

        api = ApiV1({SYSTEMS: V2, ACCOUNTS: answer(200, {"user": {"id": "1", "name": "me"}, "groups": []})})

        async def work() -> int:
            connection = FirecrestConnection(make_settings(), FAST, httpx.MockTransport(slowly))
            try:
                gateway = await connection.open_gateway()
                await gateway.connect()
                await asyncio.gather(*(gateway.accounts() for _ in range(4 * AT_FIRST)))
            finally:
                await connection.close()
            return connection.stats()["most_in_flight"]

        assert run(work()) > 1.5 * AT_FIRST

    @pytest.mark.parametrize(("systems", "right"), [(V2, True), (V1, False)], ids=["v2", "v1"])
    def test_version_2_is_expected_until_the_answer_shows_another(
        self, systems: httpx.Response, right: bool
    ) -> None:
        api = ApiV1({SYSTEMS: systems, PARAMETERS: parameters()})

        async def work() -> tuple[Gateway, Gateway, SystemInfo]:
            connection = FirecrestConnection(make_settings(), FAST, httpx.MockTransport(api))
            try:
                expected = connection.expected_gateway()
                opened = await connection.open_gateway()
                return expected, opened, await opened.connect()
            finally:
                await connection.close()

        expected, opened, info = run(work())
        assert (opened is expected) is right
        assert info.name == SYSTEM
        assert api.seen == [SYSTEMS, *([] if right else [PARAMETERS])]

    def test_where_there_is_no_firecrest_the_url_is_to_be_checked(self) -> None:
        with pytest.raises(errors.NotFoundError, match=r"no FirecREST at .*check FIRECREST_URL"):
            self.opened({SYSTEMS: answer(404, "Not Found")}, "connect")

    @pytest.mark.parametrize("given", [answer(200, {"name": "x"}), answer(200, [1]), answer(200, None)])
    def test_an_answer_of_something_else_is_reported(self, given: httpx.Response) -> None:
        with pytest.raises(errors.ProtocolError, match="does not conform to FirecREST; check FIRECREST_URL"):
            self.opened({SYSTEMS: given}, "connect")

    def test_a_gateway_that_could_not_be_opened_can_be_opened_later(self) -> None:
        api = ApiV1({SYSTEMS: [answer(404, "Not Found"), V2]})

        async def work() -> SystemInfo:
            connection = FirecrestConnection(make_settings(), FAST, httpx.MockTransport(api))
            try:
                with pytest.raises(errors.NotFoundError):
                    await connection.open_gateway()
                return await (await connection.open_gateway()).connect()
            finally:
                await connection.close()

        assert run(work()).name == SYSTEM
        assert api.seen == [SYSTEMS, SYSTEMS]

    def test_a_token_needs_no_version(self) -> None:
        api = ApiV1({})

        async def work() -> float | None:
            connection = FirecrestConnection(make_settings(), FAST, httpx.MockTransport(api))
            try:
                return await connection.authenticate()
            finally:
                await connection.close()

        assert run(work()) == 300
        assert api.seen == []
