"""Which accounts the user may charge."""

from __future__ import annotations

from typing import Any

import pytest

from reframe_firecrest.model import errors
from reframe_firecrest.model.system import AccountInfo
from tests.gateway.helpers import Answer, Api, answer, make_gateway, recordings, run

USER = "GET /status/userinfo"


async def ask(given: Answer) -> list[AccountInfo]:
    gateway = make_gateway(Api({USER: given}))
    try:
        return await gateway.accounts()
    finally:
        await gateway.close()


@pytest.mark.parametrize("recording", recordings("userinfo"))
def test_a_recorded_user_is_understood(recording: Any) -> None:
    given = answer(200, recording["exchanges"][-1]["response"]["body"])
    assert run(ask(given)) == [AccountInfo("users"), AccountInfo("staff", default=True)]


@pytest.mark.parametrize("body", [{}, {"accounts": None}, {"accounts": []}])
def test_a_system_without_accounting_has_none(body: dict[str, object]) -> None:
    assert run(ask(answer(200, body))) == []


def test_the_error_states_what_was_asked_for() -> None:
    with pytest.raises(errors.ProtocolError, match="querying the user's accounts"):
        run(ask(answer(200, {"accounts": 7})))
