"""A request that acts late harms nothing: each attempt has a name, and unpacking can be ruled out."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.gateway.attempt_names import attempts
from reframe_firecrest.gateway.http import policy
from reframe_firecrest.gateway.protocol import LATEST_EFFECT
from reframe_firecrest.gateway.v1 import tasks, transfer_jobs
from reframe_firecrest.model import errors
from tests.gateway.helpers import Answer, Api, answer, finished, make_gateway, run
from tests.gateway.v1.helpers import QUEUE, ApiV1, Begun, done, queued
from tests.gateway.v1.helpers import call as call_v1

UPLOAD = "POST /filesystem/ops/upload"
EXTRACT = "POST /filesystem/ops/extract"
COMPRESS = "POST /filesystem/ops/compress"
BY_JOB = "POST /filesystem/transfer"
REMOVE = "DELETE /filesystem/ops/rm"
LIST = "GET /compute/jobs"
LOG = "GET /filesystem/ops/download"
ARCHIVE = "/scratch/run/in.tgz"
TOO_LONG = answer(408, "Command execution timeout limit exceeded.")
OPENED = answer(201, {"transferJob": {"jobId": "77"}})

LOST: list[Answer] = [
    httpx.ReadError("reset"),
    httpx.Response(503, text="upstream connect error"),
    httpx.Response(502, text="<html>Bad Gateway"),
    answer(500, "An error occurred during the request process"),
    answer(424, "SSH connection Reset."),
    answer(413, "Command output exceeded buffer limit."),
    httpx.Response(200, text="<html>Log in</html>"),
]
"""Answers that leave it open whether a command ran, or will."""


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at v1's tasks and jobs at once."""
    monkeypatch.setattr(tasks, "FIRST_LOOK", 0.001)
    monkeypatch.setattr(transfer_jobs, "LOOKS", (0.0, 0.0))
    monkeypatch.setattr(transfer_jobs, "TRANSFER_POLL_PAUSES", (0.0, 0.0))


Method = Callable[[Any], Awaitable[Any]]

MADE = answer(201, {"output": None})
"""The answer of both versions to the creation of a directory."""


def call(api: Api, *methods: Method) -> Any:
    async def work() -> Any:
        gateway = make_gateway(api)
        result = None
        try:
            for method in methods:
                result = await method(gateway)
        finally:
            await gateway.close()
        return result

    return run(work())


async def extract(gateway: Any) -> None:
    await gateway.extract(ARCHIVE, "/scratch/run")


async def withdraw(gateway: Any) -> None:
    await gateway.withdraw(ARCHIVE)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small"
    path.write_bytes(b"x" * 100)
    return path


def name_in(request: httpx.Request) -> str:
    return request.content.partition(b'filename="')[2].partition(b'"')[0].decode()


@given(st.from_regex(r"(/[a-z.]{1,5}){1,3}/[a-z]{1,5}(\.[a-z]{1,3})?", fullmatch=True))
def test_attempts_have_names_of_their_own_in_the_same_directory(path: str) -> None:
    made = list(islice(attempts(path), 50))
    assert made[0] == path
    assert len(set(made)) == 50
    assert {str(Path(one).parent) for one in made} == {str(Path(path).parent)}
    assert {Path(one).suffix for one in made} == {Path(path).suffix}


@pytest.mark.parametrize("lost", LOST[:-2])
def test_an_upload_without_an_answer_is_repeated_under_another_name(small: Path, lost: Answer) -> None:
    api = Api({UPLOAD: [lost, lost, answer(204)]})
    where = call(api, lambda gateway: gateway.upload(small, ARCHIVE))
    names = [name_in(request) for request in api.requests]
    assert len(set(names)) == 3
    assert where == f"/scratch/run/{names[-1]}"


def test_v1s_uploads_have_names_of_their_own_too(small: Path) -> None:
    upload = "POST /utilities/upload"
    api = ApiV1({upload: [httpx.ReadError("reset"), answer(201, {"output": ""})]})
    where = call_v1(api, lambda gateway: gateway.upload(small, ARCHIVE))
    names = [name_in(request) for request in api.requests]
    assert names[0] == "in.tgz" != names[1]
    assert where == f"/scratch/run/{names[1]}"


def test_an_upload_that_was_cut_off_goes_through_the_storage_to_another_name(small: Path) -> None:
    opened = {
        "transferJob": {"jobId": "77"},
        "transferDirectives": {
            "partsUploadUrls": ["http://s3.test/part"],
            "completeUploadUrl": "http://s3.test/complete",
            "maxPartSize": 1000,
        },
    }
    api = Api(
        {
            UPLOAD: TOO_LONG,
            f"{BY_JOB}/upload": [httpx.ReadError("reset"), answer(201, opened)],
            "PUT /part": httpx.Response(200, headers={"ETag": '"1"'}),
            "POST /complete": httpx.Response(200, text="<CompleteMultipartUploadResult/>"),
            LIST: answer(200, {"jobs": []}),
            "GET /filesystem/ops/stat": answer(200, {"output": {"size": 100}}),
        }
    )
    where = call(api, lambda gateway: gateway.upload(small, ARCHIVE))
    bodies = [api.body(number) for number, key in enumerate(api.seen) if key == f"{BY_JOB}/upload"]
    assert len({name_in(api.requests[0]), *(Path(body["path"]).name for body in bodies)}) == 3
    assert where == bodies[-1]["path"]
    [looked] = [request for request in api.requests if request.url.path.endswith("ops/stat")]
    assert looked.url.params["path"] == where


def test_an_archive_without_an_answer_is_packed_again_under_another_name() -> None:
    api = Api({COMPRESS: [httpx.ReadError("reset"), answer(204)]})
    [made] = call(api, lambda gateway: gateway.archive("/scratch/run", ["a"], "/scratch/x/out-1"))
    targets = [api.body(number)["target_path"] for number in range(2)]
    assert targets[0] != targets[1] == made.path


def test_so_is_one_that_a_job_packs() -> None:
    api = Api(
        {
            COMPRESS: TOO_LONG,
            f"{BY_JOB}/compress": [httpx.ReadError("reset"), OPENED],
            LIST: answer(200, {"jobs": []}),
        }
    )
    [made] = call(api, lambda gateway: gateway.archive("/scratch/run", ["a"], "/scratch/x/out-1"))
    targets = [api.body(number)["target_path"] for number in range(3)]
    assert len(set(targets)) == 3
    assert targets[-1] == made.path


def test_v1_packs_under_another_name_too() -> None:
    compress, by_job = "POST /utilities/compress", "POST /storage/xfer-internal/compress"
    too_long = answer(
        400, {"description": "no", "error": "Command has finished with timeout signal"}, X_Timeout="late"
    )
    api = ApiV1(
        {
            compress: [httpx.ReadError("reset"), too_long],
            by_job: [
                httpx.ReadError("reset"),
                done({"jobid": "77", "job_file_err": "/h/77.err"}, status=201),
            ],
            QUEUE: done({}),
            "GET /compute/acct": done([]),
            "GET /utilities/download": httpx.Response(200, content=b""),
        }
    )
    [made] = call_v1(
        api,
        lambda gateway: gateway.archive("/scratch/run", ["t/out"], "/scratch/x/out-1"),
        wait=finished()[1],
    )
    targets = [
        api.form(number)["targetPath"] for number, key in enumerate(api.seen) if key in (compress, by_job)
    ]
    assert len(set(targets)) == 4
    assert targets[-1] == made.path


@pytest.mark.parametrize("lost", LOST)
def test_nothing_is_unpacked_twice_by_the_gateway_itself(lost: Answer) -> None:
    api = Api({EXTRACT: lost})
    with pytest.raises(errors.UncertainError):
        call(api, extract)
    assert api.count(EXTRACT) == 1


@pytest.mark.parametrize("busy", [answer(424, policy.NO_CHANNEL), answer(429), httpx.ConnectError("refused")])
def test_what_did_not_unpack_anything_is_repeated(busy: Answer) -> None:
    api = Api({EXTRACT: [busy, busy, answer(204)]})
    call(api, extract)
    assert api.count(EXTRACT) == 3


def test_v1_unpacks_nothing_twice_either() -> None:
    api = ApiV1({"POST /utilities/extract": httpx.ReadError("reset")})
    with pytest.raises(errors.UncertainError):
        call_v1(api, extract)
    assert api.seen == ["POST /utilities/extract"]


def test_an_archive_is_withdrawn_by_its_removal_and_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "LONGEST_COMMAND", 0.2)
    monkeypatch.setattr(policy, "MARGIN", 0.1)
    removed: list[float] = []

    def remove(_request: httpx.Request) -> httpx.Response:
        removed.append(time.monotonic())
        return answer(204)

    api = Api({REMOVE: [httpx.ReadError("reset"), remove]})
    call(api, withdraw)
    # The last removal is the one that is known to have been carried out.
    assert time.monotonic() - removed[0] >= 0.3
    assert api.count(REMOVE) == 2


def test_the_pause_is_as_long_as_the_gateways_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    system = {"name": "daint", "ssh": {"timeout": {"commandExecution": 0.4}}}
    api = Api({"GET /status/systems": answer(200, {"systems": [system]}), REMOVE: answer(204)})
    begun = time.monotonic()
    call(api, lambda gateway: gateway.connect(), withdraw)
    assert time.monotonic() - begun >= 0.4


def test_an_archive_that_can_not_be_removed_is_not_withdrawn() -> None:
    denied = answer(403, "Remote process failed with exit status:1 and error message:rm: Permission denied")
    with pytest.raises(errors.ForbiddenError):
        call(Api({REMOVE: denied}), withdraw)


def job(job_id: str, name: str = "ExtractFiles", state: str = "PENDING") -> dict[str, object]:
    return {"jobId": job_id, "name": name, "status": {"state": state}}


def test_a_job_that_may_unpack_an_archive_is_cancelled_when_it_is_withdrawn() -> None:
    script = {"jobs": [{"jobId": "78", "script": f"tar -xzf '{ARCHIVE}'"}]}
    api = Api(
        {
            EXTRACT: TOO_LONG,
            f"{BY_JOB}/extract": httpx.ReadError("reset"),
            REMOVE: answer(204),
            LIST: answer(200, {"jobs": [job("78")]}),
            "GET /compute/jobs/78/metadata": answer(200, script),
            "DELETE /compute/jobs/78": answer(204),
        }
    )

    async def both(gateway: Any) -> None:
        with pytest.raises(errors.UncertainError):
            await extract(gateway)
        await withdraw(gateway)

    call(api, both)
    assert api.count(f"{BY_JOB}/extract") == 1
    assert api.seen.index(REMOVE) < api.seen.index("DELETE /compute/jobs/78")


def test_v1s_job_that_comes_late_is_cancelled_when_the_archive_is_withdrawn() -> None:
    by_job = "POST /storage/xfer-internal/extract"
    names: list[str] = []

    def begin(request: httpx.Request) -> httpx.Response:
        names.append(dict(httpx.QueryParams(request.content.decode()))["jobName"])
        raise httpx.ReadError("reset", request=request)

    def late(_request: httpx.Request) -> httpx.Response:
        there = "DELETE /utilities/rm" in api.seen
        api.tasks["q"] = [("200", {"0": queued("78", name=names[0])} if there else {})]
        return answer(200, {"task_id": "q"})

    too_long = answer(
        400, {"description": "no", "error": "Command has finished with timeout signal"}, X_Timeout="late"
    )
    cancel = "DELETE /compute/jobs/78"
    api = ApiV1(
        {
            "POST /utilities/extract": too_long,
            by_job: begin,
            QUEUE: late,
            "GET /compute/acct": done([]),
            "DELETE /utilities/rm": httpx.Response(204),
            cancel: Begun(("200", ""), status=200),
        }
    )

    async def both(gateway: Any) -> None:
        with pytest.raises(errors.UncertainError):
            await extract(gateway)
        await withdraw(gateway)

    call_v1(api, both)
    assert len(names) == 1
    assert api.count(cancel) == 1


class TestParts:
    """Parts of a file, which have no other way."""

    @pytest.mark.parametrize("lost", LOST[:5], ids=["cut", "503", "502", "500", "424"])
    def test_each_attempt_has_a_name_of_its_own(self, lost: Answer) -> None:
        api = Api({UPLOAD: [lost, answer(204)]})
        assert call(api, lambda gateway: gateway.upload_part(b"x", "/run/large-1.7")) == "/run/large-1-2.7"

    def test_a_part_that_was_cut_off_is_sent_again(self) -> None:
        api = Api({UPLOAD: [TOO_LONG, answer(204)]})
        assert call(api, lambda gateway: gateway.upload_part(b"x", "/run/large-1.7")) == "/run/large-1-2.7"

    def test_a_part_never_goes_through_the_storage(self) -> None:
        api = Api({UPLOAD: answer(413, "too large"), BY_JOB: OPENED})
        with pytest.raises(errors.TooLargeError):
            call(api, lambda gateway: gateway.upload_part(b"x", "/run/large-1.7"))
        assert set(api.seen) == {UPLOAD}


async def make_a_directory(gateway: Any) -> float:
    """Create a directory; return the seconds for which that may still happen again."""
    await gateway.make_directory("/scratch/run")
    return float(gateway.unsettled())


@pytest.mark.parametrize("lost", LOST[:3])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_directory_may_be_created_again_by_an_attempt_without_an_answer(version: str, lost: Answer) -> None:
    if version == "v1":
        left = call_v1(ApiV1({"POST /utilities/mkdir": [lost, MADE]}), make_a_directory)
    else:
        left = call(Api({"POST /filesystem/ops/mkdir": [lost, MADE]}), make_a_directory)
    assert LATEST_EFFECT - 5 < left <= LATEST_EFFECT


@pytest.mark.parametrize("answers", [[MADE], [answer(429, "slowly"), MADE]])
def test_an_attempt_that_was_refused_creates_no_directory(answers: list[Answer]) -> None:
    assert call(Api({"POST /filesystem/ops/mkdir": answers}), make_a_directory) == 0
