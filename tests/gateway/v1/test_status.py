"""Version, limits and health of a FirecREST v1 gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from reframe_firecrest.model import errors
from reframe_firecrest.model.gateway_status import ServiceHealth
from tests.gateway.helpers import SYSTEM, Answer, answer
from tests.gateway.v1.helpers import PARAMETERS, ApiV1, call, exchanges, response_of

SYSTEMS = "GET /status/systems"
SERVICES = "GET /status/services"
V1 = answer(200, {"description": "List of systems", "out": [{"system": SYSTEM, "status": "available"}]})


def parameters(version: str | None = "1.16.6", system: str = SYSTEM) -> httpx.Response:
    out: dict[str, Any] = {
        "utilities": [{"name": "UTILITIES_MAX_FILE_SIZE", "unit": "MB", "value": "5"}],
        "storage": [
            {"name": "OBJECT_STORAGE", "value": "s3v4"},
            {"name": "FILESYSTEMS", "value": [{"system": system, "mounted": ["/scratch"]}]},
        ],
    }
    if version:
        out["general"] = [{"name": "FIRECREST_VERSION", "value": version}]
    return answer(200, {"out": out}, date="Sun, 06 Nov 1994 08:49:37 GMT")


def connect(table: Mapping[str, Answer], **changes: object) -> Any:
    return call(ApiV1(table), lambda gateway: gateway.connect(), **changes)


def test_a_recorded_gateway_reports_its_limits() -> None:
    table = {PARAMETERS: response_of(exchanges("parameters")[-1])}
    info = connect(table, system="mycluster")
    assert info.capabilities.max_direct_upload == 5 * 1024 * 1024 - 4096
    assert info.capabilities.scheduler_version is None


def test_the_answer_is_a_fresh_one() -> None:
    api = ApiV1({PARAMETERS: parameters()})
    call(api, lambda gateway: gateway.connect())
    assert api.requests[0].headers["cache-control"] == "no-cache"


def test_a_system_that_it_does_not_have_is_reported_with_those_that_it_has() -> None:
    with pytest.raises(errors.NotFoundError, match="it has: other; check FIRECREST_SYSTEM"):
        connect({PARAMETERS: parameters(system="other")})


def test_a_gateway_that_can_not_pack_archives_is_refused() -> None:
    with pytest.raises(errors.RejectedError, match=r"has FirecREST 1\.15\.0, which can neither pack"):
        connect({PARAMETERS: parameters(version="1.15.0")})


@pytest.mark.parametrize("version", [None, "1.16.0", "1.17", "of today"])
def test_others_are_not(version: str | None) -> None:
    assert connect({PARAMETERS: parameters(version=version)}).name == SYSTEM


def test_where_there_is_no_firecrest_the_url_is_to_be_checked() -> None:
    with pytest.raises(errors.NotFoundError, match=r"no FirecREST v1 at .*check FIRECREST_URL"):
        connect({PARAMETERS: answer(404, "Not Found")})


def test_a_look_shows_services_systems_and_limits() -> None:
    ill = {"service": "storage", "status": "not available", "description": "server down"}
    api = ApiV1(
        {
            PARAMETERS: parameters(),
            SYSTEMS: V1,
            SERVICES: answer(200, {"out": [{"service": "compute", "status": "available"}, ill]}),
        }
    )
    look = call(api, lambda gateway: gateway.status(), lambda gateway: gateway.status())
    assert (look.version, look.date) == ("1.16.6", 784111777.0)
    health = look.systems[SYSTEM]
    assert health.services == [
        ServiceHealth("compute", healthy=True),
        ServiceHealth("storage", healthy=False, message="server down"),
        ServiceHealth("system", healthy=True),
    ]
    assert (health.file_systems, health.max_direct_upload) == (["/scratch"], 5 * 1024 * 1024)
    # Asking for the systems' health is a command on each of them.
    assert (api.count(SYSTEMS), api.count(PARAMETERS)) == (1, 2)
