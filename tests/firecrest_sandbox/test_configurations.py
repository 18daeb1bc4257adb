"""Answers of a FirecREST v2 gateway in its other configurations (recorded with firecrest-v2 at 35e1d08)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.firecrest_sandbox.conftest import Api

METHODS = ("s3", "streamer", "wormhole")
NOT_AVAILABLE = (400, "Requested transfer method is not available.")
ACCOUNT_REQUIRED = (400, "Account parameter is required on this system.")
NO_SERVICE = (500, """("'NoneType' object has no attribute 'service_type'",)""")


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


def directives(method: str) -> dict[str, Any]:
    more: dict[str, dict[str, Any]] = {"s3": {"fileSize": 10}, "wormhole": {"wormholeCode": "1-a-b-c"}}
    return {"transferMethod": method, **more.get(method, {})}


def upload(api: Api, method: str, name: str = "new", **more: Any) -> httpx.Response:
    return api.transfer("upload", path=str(api.home / name), transferDirectives=directives(method), **more)


def download(api: Api, method: str, name: str = "old", **more: Any) -> httpx.Response:
    wanted = {"transferMethod": method}
    return api.transfer("download", path=str(api.home / name), transferDirectives=wanted, **more)


def system(api: Api) -> dict[str, Any]:
    [entry] = api.http.get("/status/systems").json()["systems"]
    return dict(entry)


@pytest.mark.parametrize("method", METHODS)
def test_only_the_method_of_the_site_is_available(start: Any, method: str) -> None:
    api: Api = start(transfers=method)
    (api.home / "old").write_text("x")
    for other in METHODS:
        for answer in (upload(api, other), download(api, other)):
            if other == method:
                assert answer.status_code == 201, answer.text
                assert answer.json()["transferDirectives"]["transferMethod"] == method
            else:
                assert refusal(answer) == NOT_AVAILABLE


@pytest.mark.parametrize(
    ("method", "keys"),
    [
        ("s3", {"name", "publicUrl", "privateUrl", "ttl", "multipart", "region", "tenant"}),
        ("streamer", {"host", "portRange", "publicIps", "waitTimeout", "inboundTransferLimit"}),
        ("wormhole", {"pypiIndexUrl"}),
    ],
)
def test_the_system_describes_its_method(start: Any, method: str, keys: set[str]) -> None:
    entry = system(start(transfers=method))
    service = entry["dataOperation"]["data_transfer"]
    assert service["serviceType"] == method
    assert keys < service.keys()
    assert ("s3" in entry["probing"]["services"]) == (method == "s3")
    assert ("s3" in [one["serviceType"] for one in entry["servicesHealth"]]) == (method == "s3")


def test_a_streamers_answer_contains_its_coordinates_and_its_job_waits(start: Any) -> None:
    api: Api = start(transfers="streamer")
    answer = upload(api, "streamer").json()
    coordinates = json.loads(base64.urlsafe_b64decode(answer["transferDirectives"]["coordinates"]))
    assert coordinates.keys() == {"ports", "ips", "secret"}
    api.wait(answer["transferJob"]["jobId"], "RUNNING")


def test_a_streamer_checks_the_file_before_it_submits(start: Any) -> None:
    api: Api = start(transfers="streamer")
    (api.home / "old").write_text("x")
    path = api.home / "old"
    assert refusal(upload(api, "streamer", "old")) == (403, f"Target file '{path}' already exists.")
    assert refusal(download(api, "streamer", "none"))[0] == 404
    assert api.listed() == []


def test_only_a_wormholes_download_has_a_code(start: Any) -> None:
    api: Api = start(transfers="wormhole")
    (api.home / "old").write_text("x")
    assert upload(api, "wormhole").json()["transferDirectives"] == {"transferMethod": "wormhole"}
    assert len(download(api, "wormhole").json()["transferDirectives"]["wormholeCode"].split("-")) == 4


def test_a_wormholes_upload_needs_a_code(start: Any) -> None:
    api: Api = start(transfers="wormhole")
    answer = api.transfer(
        "upload", path=str(api.home / "x"), transferDirectives={"transferMethod": "wormhole"}
    )
    assert answer.status_code == 400
    assert answer.json()["errorType"] == "validation"


def test_a_site_without_a_method_fails_before_it_reads_the_request(start: Any) -> None:
    api: Api = start(transfers="none")
    assert system(api)["dataOperation"]["data_transfer"] is None
    for body in ({}, {"path": str(api.home / "x"), "transferDirectives": directives("s3")}):
        for name in ("upload", "download"):
            answer = httpx.post(
                f"{api.sandbox.url}/filesystem/{api.system}/transfer/{name}",
                json=body,
                headers=api.http.headers,
                trust_env=False,
            )
            assert refusal(answer) == NO_SERVICE
            assert answer.json()["user"] is None
            assert "f7t-authusername" not in answer.headers


def test_the_connection_ends_after_an_exception_of_the_gateway(start: Any) -> None:
    api: Api = start(transfers="none")
    ends = []
    for _ in range(5):
        assert refusal(upload(api, "s3")) == NO_SERVICE
        try:
            ends.append(api.http.get("/status/systems").status_code)
        except httpx.TransportError:
            ends.append(0)
    # The client may notice the end in time and open another connection.
    assert set(ends) <= {0, 200}


def test_jobs_of_other_file_operations_need_no_method(start: Any) -> None:
    api: Api = start(transfers="none")
    (api.home / "old").write_text("x")
    answer = api.transfer("cp", path=str(api.home / "old"), targetPath=str(api.home / "new"))
    api.wait(answer.json()["transferJob"]["jobId"], "COMPLETED")
    assert (api.home / "new").read_text() == "x"


def transfer_requests(api: Api, **account: str) -> list[httpx.Response]:
    path, target = str(api.home / "old"), str(api.home / "target")
    both = {"path": path, "targetPath": target, **account}
    removal = {"path": str(api.home / "other"), **account}
    return [
        *(upload(api, "s3", **account), download(api, "s3", **account)),
        *(api.transfer(name, **both) for name in ("compress", "extract", "cp", "mv")),
        api.http.delete(f"/filesystem/{api.system}/transfer/rm", params=removal),
    ]


def test_a_site_with_an_account_in_its_directives_requires_one(start: Any) -> None:
    api: Api = start(require_account=True)
    for name in ("old", "other"):
        (api.home / name).write_text("x")
    assert "#SBATCH --account={account}" in system(api)["dataOperation"]["datatransfer_jobs_directives"]
    assert {refusal(answer) for answer in transfer_requests(api)} == {ACCOUNT_REQUIRED}
    assert api.listed() == []
    assert {answer.status_code for answer in transfer_requests(api, account="sandbox")} == {200, 201}
    assert refusal(upload(api, "streamer")) == NOT_AVAILABLE


def test_transfer_jobs_are_charged_to_the_account_only_where_the_directives_contain_one(start: Any) -> None:
    charged = []
    for required in (True, False):
        api: Api = start(require_account=required, accounts=("one", "two"))
        (api.home / "old").write_text("x")
        transfer = download(api, "s3", account="two").json()
        charged.append(api.wait(transfer["transferJob"]["jobId"])[0]["account"])
    assert charged == ["two", "one"]


def test_an_unknown_account_of_a_transfer_is_refused_by_sbatch(start: Any) -> None:
    api: Api = start(require_account=True)
    (api.home / "old").write_text("x")
    status, message = refusal(download(api, "s3", account="nosuch"))
    assert status == 500
    assert "Invalid account or account/partition combination specified" in message


@pytest.mark.parametrize("limit", [65_536, 1_000_000])
def test_the_direct_limit_holds_for_uploads_downloads_and_views(start: Any, limit: int) -> None:
    api: Api = start(max_ops_file_size=limit)
    assert system(api)["dataOperation"]["max_ops_file_size"] == limit
    assert api.upload("fits", bytes(limit)).status_code == 204
    assert refusal(api.upload("large", bytes(limit + 1))) == (413, "File to upload is too large.")
    assert not (api.home / "large").exists()
    path = str(api.home / "fits")
    answer = api.ops("GET", "download", params={"path": path})
    assert refusal(answer) == (413, "Command output exceeded buffer limit.")
    answer = api.ops("GET", "view", params={"path": path, "size": limit + 1})
    assert refusal(answer) == (400, f"`size` value must be less than {limit} bytes")
    Path(path).write_bytes(bytes(limit // 4 * 3))
    assert api.ops("GET", "download", params={"path": path}).status_code == 200
