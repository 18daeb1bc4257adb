"""A client that goes in the middle of its request leaves no traceback in the sandbox's log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, Request

from firecrest_sandbox import SandboxConfig
from firecrest_sandbox.v1 import app as v1_app
from firecrest_sandbox.v2 import app as v2_app


@pytest.mark.parametrize("build", [v2_app.build_api, v1_app.build_api])
def test_a_client_that_has_gone_is_answered_without_a_bug(build: Callable[[], FastAPI]) -> None:
    api = build()
    api.state.server = SimpleNamespace(config=SandboxConfig())

    @api.post("/read")
    async def read(request: Request) -> None:
        await request.body()

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/read",
        "query_string": b"",
        "headers": [(b"content-length", b"7")],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(api(scope, receive, send))
    assert sent[0]["status"] == 499
