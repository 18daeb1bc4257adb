"""Deployments whose gateways have no S3, or whose transfer jobs need an account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.model import errors
from reframe_firecrest.model.limitations import PLACES_OF_ACCOUNT
from tests.gateway.helpers import SYSTEM, Api, answer, make_gateway
from tests.gateway.v2.test_gateway import TRANSFER, call

SYSTEMS = "GET /status/systems"
REMOVE = "DELETE /filesystem/ops/rm"
REMOVE_BY_JOB = "DELETE /filesystem/transfer/rm"
STAT = "GET /filesystem/ops/stat"
CUT_OFF = answer(408, {"errorType": "error", "message": "timeout", "data": None, "user": None})
MISSING = answer(404, {"errorType": "error", "message": "No such file", "data": None, "user": None})
DEMANDED = answer(
    400,
    {
        "errorType": "error",
        "message": "Account parameter is required on this system.",
        "data": None,
        "user": None,
    },
)
DIRECTIVES = ["#SBATCH --nodes=1", "#SBATCH --account={account}"]


def systems(**operation: object) -> Any:
    operation = {"max_ops_file_size": 1000, **operation}
    return answer(200, {"systems": [{"name": SYSTEM, "dataOperation": operation}]})


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(bytes(1001))
    return path


class TestWithoutS3:
    @pytest.mark.parametrize(
        ("transfer", "name"),
        [
            ({"serviceType": "streamer"}, "streamer"),
            ({"serviceType": "wormhole"}, "wormhole"),
            (None, "none"),
        ],
        ids=["streamer", "wormhole", "none"],
    )
    def test_a_large_upload_fails_at_once(self, large: Path, transfer: object, name: str) -> None:
        api = Api({SYSTEMS: systems(data_transfer=transfer)})
        words = rf"upload of 1.0 kB on .* failed: the limit .* is 1.0 kB, .*: {name}\); keep large files"
        with pytest.raises(errors.TooLargeError, match=words):
            call(api, connect, lambda gateway: gateway.upload(large, "/scratch/large"))
        assert api.seen == [SYSTEMS]

    def test_a_large_download_fails_at_once(self, tmp_path: Path) -> None:
        api = Api({SYSTEMS: systems(data_transfer=None)})
        with pytest.raises(errors.TooLargeError, match=r"download of 5.0 kB"):
            call(api, connect, lambda gateway: gateway.download("/a", tmp_path / "a", size_hint=5000))
        assert api.seen == [SYSTEMS]

    def test_other_transfer_jobs_need_no_storage(self) -> None:
        table = {
            SYSTEMS: systems(data_transfer=None),
            REMOVE: CUT_OFF,
            REMOVE_BY_JOB: answer(200, TRANSFER),
            STAT: MISSING,
        }
        call(Api(table), connect, lambda gateway: gateway.remove("/scratch/run"))


class TestAccount:
    def table(self, **changes: Any) -> dict[str, Any]:
        return {
            SYSTEMS: systems(datatransfer_jobs_directives=DIRECTIVES),
            REMOVE: CUT_OFF,
            REMOVE_BY_JOB: answer(200, TRANSFER),
            STAT: MISSING,
            **changes,
        }

    def test_without_one_the_places_are_named_and_nothing_is_requested(self, large: Path) -> None:
        api = Api(self.table())
        with pytest.raises(errors.RejectedError, match=r"queueing a transfer .* need an account") as caught:
            call(api, connect, lambda gateway: gateway.upload(large, "/scratch/large"))
        assert str(caught.value).endswith(PLACES_OF_ACCOUNT)
        assert api.seen == [SYSTEMS]

    def test_a_gateway_that_does_not_report_it_is_explained(self, large: Path) -> None:
        refused = {
            "POST /filesystem/transfer/upload": DEMANDED,
            "GET /compute/jobs": answer(200, {"jobs": []}),
        }
        api = Api(self.table(**{SYSTEMS: systems(), **refused}))
        with pytest.raises(errors.RejectedError, match="need an account") as caught:
            call(api, connect, lambda gateway: gateway.upload(large, "/scratch/large"))
        assert str(caught.value).endswith(PLACES_OF_ACCOUNT)

    def test_a_refused_removal_is_explained(self) -> None:
        api = Api(self.table(**{SYSTEMS: systems(), REMOVE_BY_JOB: DEMANDED}))
        with pytest.raises(errors.RejectedError, match=r"need an account.*FIRECREST_ACCOUNT"):
            call(api, connect, lambda gateway: gateway.remove("/scratch/run"))

    def test_a_removal_by_a_job_charges_it(self) -> None:
        api = Api(self.table())
        gateway = make_gateway(api, account="staff")
        call(api, connect, lambda gateway: gateway.remove("/scratch/run"), gateway=gateway)
        [request] = [request for request in api.requests if request.url.path.endswith("transfer/rm")]
        assert dict(request.url.params) == {"path": "/scratch/run", "account": "staff"}

    @pytest.mark.parametrize(("of_settings", "charged"), [(None, "test"), ("settings", "settings")])
    def test_the_settings_come_before_the_tests(self, of_settings: str | None, charged: str) -> None:
        api = Api(self.table())
        gateway = make_gateway(api, account=of_settings)
        gateway.charge_transfers_to("test")
        gateway.charge_transfers_to("another test")
        call(api, connect, lambda gateway: gateway.remove("/scratch/run"), gateway=gateway)
        [request] = [request for request in api.requests if request.url.path.endswith("transfer/rm")]
        assert request.url.params["account"] == charged


async def connect(gateway: GatewayV2) -> None:
    await gateway.connect()
