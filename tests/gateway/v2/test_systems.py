"""Requests to a gateway that only a diagnosis needs."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.model import errors
from reframe_firecrest.model.capabilities import Capabilities, ConnectionMode, TransferMethod
from reframe_firecrest.model.gateway_status import ServiceHealth, SystemHealth
from reframe_firecrest.model.system import SystemInfo
from tests.gateway.helpers import FAST, KEY, SYSTEM, Api, answer, make_settings, recordings, run, token
from tests.gateway.v2.test_gateway import call

LOOK = "GET /status/systems"
STAT = "GET /filesystem/ops/stat"
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize("recording", recordings("systems_unhealthy"))
def test_a_recorded_gateway_is_understood(recording: Any) -> None:
    response = recording["exchanges"][-1]["response"]
    head = {"f7t-appversion": response["headers"]["f7t-appversion"], "date": DATE}
    look = call(Api({LOOK: answer(200, response["body"], **head)}), lambda gateway: gateway.status())
    refused = "[Errno 111] Connection refused"
    assert (look.version, look.date) == ("2.x.x", 784111777.0)
    assert abs(look.sent - time.time()) < 10
    assert 0 <= look.seconds < 10
    health = look.systems["mycluster"]
    assert list(health.services)[1:] == [
        ServiceHealth("ssh", healthy=False, message=refused),
        ServiceHealth("filesystem", healthy=False, path="/home", message=refused),
        ServiceHealth("filesystem", healthy=False, path="/scratch", message=refused),
        ServiceHealth("s3", healthy=True),
    ]
    assert (health.interval, health.file_systems) == (60, ["/home", "/scratch"])
    assert health.checked == pytest.approx(1795411949.7, abs=0.1)
    assert health.max_direct_upload == 5242880


def test_a_gateway_that_reports_almost_nothing_is_understood() -> None:
    body = {"systems": [{"name": SYSTEM, "lastHealthCheck": "1970-01-01T00:01:00", "dataOperation": {}}]}
    api = Api({LOOK: answer(200, body, date="yesterday")})
    look = call(api, lambda gateway: gateway.status())
    assert (look.version, look.date) == (None, None)
    assert look.systems == {SYSTEM: SystemHealth(services=[], checked=60.0, file_systems=[])}


@pytest.mark.parametrize(
    ("operation", "method", "reported"),
    [
        ({"data_transfer": {"serviceType": "s3"}}, TransferMethod.S3, "s3"),
        ({"data_transfer": {"serviceType": "streamer"}}, TransferMethod.NONE, "streamer"),
        ({"data_transfer": {"serviceType": "wormhole"}}, TransferMethod.NONE, "wormhole"),
        ({"data_transfer": None}, TransferMethod.NONE, "none"),
        ({}, TransferMethod.S3, "s3"),
        (None, TransferMethod.S3, "s3"),
    ],
    ids=["s3", "streamer", "wormhole", "none", "not-reported", "older-gateway"],
)
def test_only_s3_counts_as_a_transfer_method(
    operation: object, method: TransferMethod, reported: str
) -> None:
    found = capabilities_of({"dataOperation": operation})
    assert (found.transfer, found.reported_transfer) == (method, reported)


def test_the_address_of_the_storage_is_read() -> None:
    transfer = {"serviceType": "s3", "publicUrl": "https://s3.test"}
    assert capabilities_of({"dataOperation": {"data_transfer": transfer}}).storage_url == "https://s3.test"


def test_a_system_without_slurm_is_refused_at_first_contact() -> None:
    with pytest.raises(errors.RejectedError, match=r"scheduler is 'pbs'.*; set FIRECREST_SYSTEM"):
        capabilities_of({"scheduler": {"type": "pbs", "version": "23.06.06", "connectionMode": "ssh"}})


def test_limits_follow_from_one_setting_of_the_gateway() -> None:
    found = capabilities_of({"dataOperation": {"max_ops_file_size": 65536}})
    assert (found.max_direct_upload, found.max_direct_download) == (65536, 49149)
    assert found.max_command_output == 65535


@pytest.mark.parametrize(
    ("scheduler", "mode"),
    [
        ({"type": "slurm", "connectionMode": "rest"}, ConnectionMode.REST),
        ({"type": "slurm", "connectionMode": "hybrid"}, ConnectionMode.HYBRID),
        ({"type": "slurm", "connectionMode": "carrier pigeon"}, ConnectionMode.SSH),
        ({"type": "slurm", "connectionMode": None}, ConnectionMode.SSH),
        ({"type": "slurm"}, ConnectionMode.SSH),
    ],
    ids=["rest", "hybrid", "unknown", "null", "not-reported"],
)
def test_the_mode_of_connection_is_read(scheduler: object, mode: ConnectionMode) -> None:
    assert capabilities_of({"scheduler": scheduler}).connection_mode is mode


def test_the_type_of_the_scheduler_is_read() -> None:
    assert capabilities_of({"scheduler": {"type": "Slurm", "version": "23.02"}}).scheduler == "slurm"
    assert capabilities_of({}).scheduler == "slurm"


def test_directives_of_transfer_jobs_are_read() -> None:
    lines = ["#SBATCH --nodes=1", "#SBATCH --account={account}"]
    found = capabilities_of({"dataOperation": {"datatransfer_jobs_directives": lines}})
    assert found.transfer_directives == tuple(lines)
    assert found.transfers_need_account


def capabilities_of(system: dict[str, object]) -> Capabilities:
    api = Api({LOOK: answer(200, {"systems": [{"name": SYSTEM, **system}]})})
    info: SystemInfo = call(api, lambda gateway: gateway.connect())
    return info.capabilities


def test_a_run_does_not_depend_on_what_only_a_diagnosis_reads() -> None:
    body = {"systems": [{"name": SYSTEM, "servicesHealth": "fine", "probing": 7, "fileSystems": "all"}]}
    api = Api({LOOK: answer(200, body)})
    assert call(api, lambda gateway: gateway.connect()).name == SYSTEM
    with pytest.raises(errors.ProtocolError):
        call(api, lambda gateway: gateway.status())


def test_where_there_is_no_firecrest_the_url_is_to_be_checked() -> None:
    with pytest.raises(errors.NotFoundError, match=r"no FirecREST v2 at .*check FIRECREST_URL"):
        call(Api({LOOK: answer(404, "Not Found")}), lambda gateway: gateway.status())


def lifetime(api: Api, **changes: object) -> float | None:
    """Authenticate; return the lifetime of what authenticates."""

    async def work() -> float | None:
        connection = Connection(make_settings(**changes), FAST, httpx.MockTransport(api))
        try:
            return await connection.authenticate()
        finally:
            await connection.close()

    return run(work())


@pytest.mark.parametrize("expires_in", [300, 45])
def test_a_token_is_fetched_and_reports_its_lifetime(expires_in: int) -> None:
    api = Api({}, tokens=token(expires_in=expires_in))
    assert lifetime(api) == expires_in
    assert (api.tokens, api.seen) == (1, [])


def test_an_api_key_does_not_expire() -> None:
    api = Api({})
    given: dict[str, Any] = {
        "auth": "api_key",
        "api_key": KEY,
        "token_url": None,
        "client_id": None,
        "client_secret": None,
    }
    assert lifetime(api, **given) is None
    assert (api.tokens, api.seen) == (0, [])


@pytest.mark.parametrize(
    ("given", "there"),
    [
        (answer(200, {"output": {"size": 1}}), True),
        (answer(404, "stat: cannot statx '/x': No such file or directory"), False),
    ],
)
def test_a_path_exists_or_not(given: httpx.Response, there: bool) -> None:
    api = Api({STAT: given})
    assert call(api, lambda gateway: gateway.exists("/x")) is there
    assert api.requests[0].url.params["path"] == "/x"


def test_a_path_that_may_not_be_looked_at_is_neither() -> None:
    with pytest.raises(errors.ForbiddenError):
        call(Api({STAT: answer(403, "Permission denied")}), lambda gateway: gateway.exists("/x"))


def test_any_answer_of_a_storage_will_do_and_it_gets_no_credentials() -> None:
    api = Api({"HEAD /": answer(403)})
    assert call(api, lambda gateway: gateway.reach("http://s3.test/")) == 403
    assert api.tokens == 0
    assert "authorization" not in api.requests[0].headers


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (httpx.ConnectError("refused"), "can't be reached from here"),
        (httpx.ConnectError("CERTIFICATE_VERIFY_FAILED"), "FIRECREST_CA_BUNDLE"),
    ],
)
def test_a_storage_that_does_not_answer_is_reported(given: Exception, words: str) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        given.request = request  # type: ignore[attr-defined] # httpx sets it where it raises
        raise given

    api = Api({"HEAD /": fail})
    with pytest.raises(errors.TransientError, match=words) as caught:
        call(api, lambda gateway: gateway.reach("http://s3.test/"))
    assert "reaching the S3 storage on 'daint'" in str(caught.value)
