"""Files over FirecREST v1: what is small at once, what is large by S3, what takes long by jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from reframe_firecrest.gateway.v1 import transfers
from reframe_firecrest.gateway.v1.gateway import GatewayV1
from reframe_firecrest.model import errors
from reframe_firecrest.model.remote_file import Archive, FileKind
from tests.gateway.helpers import SIGNATURE, Follower, answer, finished, page, part
from tests.gateway.v1.helpers import (
    ACCOUNTING,
    PARAMETERS,
    QUEUE,
    ApiV1,
    Begun,
    call,
    done,
    exchanges,
    failed,
    queued,
    refusal,
    response_of,
    row,
)

LS = "GET /utilities/ls"
STAT = "GET /utilities/stat"
UPLOAD = "POST /utilities/upload"
DOWNLOAD = "GET /utilities/download"
COMPRESS = "POST /utilities/compress"
EXTRACT = "POST /utilities/extract"
RM = "DELETE /utilities/rm"
XFER_UPLOAD = "POST /storage/xfer-external/upload"
XFER_DOWNLOAD = "POST /storage/xfer-external/download"
BY_JOB = "POST /storage/xfer-internal"
TOO_LONG = refusal("Command has finished with timeout signal", X_Timeout="Command has finished")
TOO_LARGE = refusal(X_Size_Limit="File exceeds size limit")
FORM = {
    "msg": {
        "parameters": {
            "method": "POST",
            "url": f"http://s3.test/bucket?{SIGNATURE}",
            "data": {"key": "abc/in.tgz", "policy": "s3cret"},
            "headers": {},
            "json": {},
            "params": {},
            "files": "in.tgz",
        }
    }
}
SENT = "POST /bucket"
LIMITS = answer(
    200,
    {
        "out": {
            "utilities": [{"name": "UTILITIES_MAX_FILE_SIZE", "value": "0.01"}],
            "storage": [{"name": "STORAGE_MAX_FILE_SIZE", "value": "1"}],
        }
    },
)


def connect(gateway: GatewayV1) -> Awaitable[Any]:
    return gateway.connect()


def fails(
    kind: type[errors.GatewayError], api: ApiV1, *methods: Callable[[GatewayV1], Awaitable[Any]]
) -> str:
    with pytest.raises(errors.GatewayError) as caught:
        call(api, *methods)
    assert type(caught.value) is kind, repr(caught.value)
    assert SIGNATURE not in str(caught.value)
    return str(caught.value)


def entry(name: str, size: int = 1, kind: str = "-") -> dict[str, str]:
    return {
        "name": name,
        "type": kind,
        "size": str(size),
        "last_modified": "2026-11-23T06:02:32",
        "link_target": "",
        "permissions": "rw-r--r--",
    }


def listing(*entries: object) -> httpx.Response:
    return answer(200, {"description": "List of contents", "output": list(entries)})


class TestListing:
    def test_a_tree_is_one_request(self) -> None:
        api = ApiV1({LS: response_of(exchanges("list_files_recursive")[-1])})
        found = {one.path: one for one in call(api, lambda gateway: gateway.list_tree("/scratch/t"))}
        assert dict(api.requests[0].url.params) == {
            "targetPath": "/scratch/t",
            "showhidden": "true",
            "numericUid": "true",
            "recursive": "true",
        }
        assert found["a/b"].kind is FileKind.DIRECTORY
        assert found["ünï.txt"].size == 1
        assert (found["small.txt"].size, found["small.txt"].mtime) == (231, "2026-11-23T06:02:33")

    def test_a_directory_alone_is_listed_alone(self) -> None:
        api = ApiV1({LS: listing(entry("x"))})
        call(api, lambda gateway: gateway.list_directory("/scratch/t"))
        assert "recursive" not in dict(api.requests[0].url.params)

    def test_a_line_that_the_gateway_could_not_read_is_left_out(self) -> None:
        api = ApiV1({LS: listing("crw-rw-rw- 1 root root 1, 3 null")})
        assert call(api, lambda gateway: gateway.list_tree("/scratch/t")) == []

    def test_a_directory_that_is_not_there_is_not_found(self) -> None:
        text = "ls: cannot access '/scratch/t': No such file or directory"
        api = ApiV1({LS: refusal(text, X_Invalid_Path="path is an invalid path")})
        assert text in fails(errors.NotFoundError, api, lambda gateway: gateway.list_tree("/scratch/t"))
        assert api.count(LS) == 1

    def test_what_vanishes_while_it_is_listed_does_not_make_the_directory_vanish(self) -> None:
        gone = refusal("ls: cannot access '/scratch/t/x': No such file or directory", X_Invalid_Path="x")
        api = ApiV1({LS: [gone, listing(entry("y"))]})
        assert len(call(api, lambda gateway: gateway.list_tree("/scratch/t"))) == 1
        fails(errors.RejectedError, ApiV1({LS: gone}), lambda gateway: gateway.list_tree("/scratch/t"))

    def test_a_directory_that_may_not_be_read_is_forbidden(self) -> None:
        api = ApiV1({LS: response_of(exchanges("list_files_denied")[-1])})
        fails(errors.ForbiddenError, api, lambda gateway: gateway.list_tree("/scratch/rootonly"))

    def test_existence_is_reported(self) -> None:
        api = ApiV1({STAT: [response_of(exchanges("stat")[-1]), response_of(exchanges("stat_missing")[-1])]})
        assert call(api, lambda gateway: gateway.exists("/scratch/t")) is True
        api = ApiV1({STAT: response_of(exchanges("stat_missing")[-1])})
        assert call(api, lambda gateway: gateway.exists("/scratch/t")) is False

    def test_a_path_that_is_refused_there_is_refused_here_with_its_name(self) -> None:
        line = fails(errors.RejectedError, ApiV1({}), lambda gateway: gateway.list_tree("/scratch/a'b"))
        assert "refuses the path" in line


class TestUploads:
    @pytest.fixture
    def small(self, tmp_path: Path) -> Path:
        path = tmp_path / "small"
        path.write_bytes(b"content")
        return path

    @pytest.fixture
    def large(self, tmp_path: Path) -> Path:
        path = tmp_path / "large"
        path.write_bytes(b"x" * 20_000)
        return path

    def up(self, path: Path) -> Callable[[GatewayV1], Awaitable[str]]:
        return lambda gateway: gateway.upload(path, "/scratch/run/in.tgz")

    def test_a_small_file_goes_at_once(self, small: Path) -> None:
        api = ApiV1({UPLOAD: answer(201, {"description": "File upload successful"})})
        call(api, self.up(small))
        content = api.requests[0].content
        assert b'name="targetPath"\r\n\r\n/scratch/run\r\n' in content
        assert b'name="file"; filename="in.tgz"' in content
        assert b"\r\n\r\ncontent\r\n" in content

    def test_a_page_of_something_in_between_is_no_upload(self, small: Path) -> None:
        api = ApiV1(
            {PARAMETERS: LIMITS, UPLOAD: [page(), answer(201, {"description": "File upload successful"})]}
        )
        call(api, connect, self.up(small))
        assert api.count(UPLOAD) == 2

    def test_a_page_of_something_in_between_is_no_storage(self, large: Path) -> None:
        shown = [("111", FORM), ("114", {})]
        api = ApiV1(
            {
                PARAMETERS: LIMITS,
                XFER_UPLOAD: [Begun(*shown, status=201), Begun(*shown, status=201)],
                SENT: [page(), answer(204)],
                STAT: answer(200, {"output": {"size": 20_000}}),
            }
        )
        call(api, connect, self.up(large))
        assert (api.count(XFER_UPLOAD), api.count(SENT)) == (2, 2)

    def test_a_large_file_goes_by_the_storage(self, large: Path) -> None:
        api = ApiV1(
            {
                PARAMETERS: LIMITS,
                XFER_UPLOAD: Begun(("110", {}), ("111", FORM), ("113", {}), ("114", {}), status=201),
                SENT: answer(204),
                STAT: answer(200, {"output": {"size": 20_000}}),
            }
        )
        progress: list[int] = []
        call(
            api,
            connect,
            lambda gateway: gateway.upload(
                large, "/scratch/run/in.tgz", lambda sent, _all: progress.append(sent)
            ),
        )
        assert api.seen[1] == XFER_UPLOAD
        assert api.form(1) == {"targetPath": "/scratch/run/in.tgz", "sourcePath": "in.tgz"}
        [sent] = [one for one in api.requests if one.url.host == "s3.test"]
        body = sent.content
        assert "authorization" not in sent.headers
        assert int(sent.headers["content-length"]) == len(body)
        assert body.index(b"s3cret") < body.index(b'name="file"; filename="large"')
        assert b"x" * 20_000 in body
        assert progress[-1] == 20_000

    def test_an_error_between_storage_and_system_is_not_the_end_of_it(self, large: Path) -> None:
        multi_request: tuple[tuple[str, object], ...] = (
            ("111", FORM),
            ("115", {"error": "failed"}),
            ("115", {}),
            ("114", {}),
        )
        api = ApiV1(
            {
                PARAMETERS: LIMITS,
                XFER_UPLOAD: Begun(*multi_request, status=201),
                SENT: answer(204),
                STAT: answer(200, {"output": {"size": 20_000}}),
            }
        )
        call(api, connect, self.up(large))

    def test_one_that_lasts_is(self, large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transfers, "INTERVAL", 0.05)
        api = ApiV1(
            {
                PARAMETERS: LIMITS,
                XFER_UPLOAD: Begun(("111", FORM), ("115", {}), status=201),
                SENT: answer(204),
            }
        )
        assert "has not finished" in fails(errors.UncertainError, api, connect, self.up(large))

    def test_a_file_that_arrives_with_another_size_has_not_arrived(self, large: Path) -> None:
        api = ApiV1(
            {
                PARAMETERS: LIMITS,
                XFER_UPLOAD: Begun(("111", FORM), ("114", {}), status=201),
                SENT: answer(204),
                STAT: answer(200, {"output": {"size": 7}}),
            }
        )
        assert "has 7 bytes" in fails(errors.RejectedError, api, connect, self.up(large))

    def test_a_file_beyond_what_the_storage_takes_is_refused_with_the_limit(self, tmp_path: Path) -> None:
        huge = tmp_path / "huge"
        with huge.open("wb") as file:
            file.truncate((1 << 20) + 1)
        line = fails(errors.TooLargeError, ApiV1({PARAMETERS: LIMITS}), connect, self.up(huge))
        assert "takes files of up to 1048576 bytes" in line

    def test_a_storage_that_refuses_gets_a_new_form(self, large: Path) -> None:
        api = ApiV1(
            {
                PARAMETERS: LIMITS,
                XFER_UPLOAD: Begun(("111", FORM), ("114", {}), status=201),
                SENT: [httpx.Response(403, text="<Code>AccessDenied</Code>"), answer(204)],
                STAT: answer(200, {"output": {"size": 20_000}}),
            }
        )
        call(api, connect, self.up(large))
        assert api.count(XFER_UPLOAD) == 2

    @pytest.mark.parametrize("answered", [answer(413, "too large"), TOO_LONG])
    def test_what_does_not_go_at_once_goes_by_the_storage(
        self, small: Path, answered: httpx.Response
    ) -> None:
        api = ApiV1(
            {
                UPLOAD: answered,
                XFER_UPLOAD: Begun(("111", FORM), ("114", {}), status=201),
                SENT: answer(204),
                STAT: answer(200, {"output": {"size": 7}}),
            }
        )
        call(api, self.up(small))


class TestDownloads:
    def down(self, path: Path, size_hint: int = 10) -> Callable[[GatewayV1], Awaitable[None]]:
        return lambda gateway: gateway.download("/scratch/out.tgz", path, size_hint=size_hint)

    def test_a_small_file_comes_at_once(self, tmp_path: Path) -> None:
        api = ApiV1({DOWNLOAD: httpx.Response(200, content=b"\xff\x00")})
        call(api, self.down(tmp_path / "came"))
        assert (tmp_path / "came").read_bytes() == b"\xff\x00"
        assert dict(api.requests[0].url.params) == {"sourcePath": "/scratch/out.tgz"}

    @pytest.mark.parametrize(
        "name", ["simple_download_over_5MiB", "simple_download_almost_5MiB", "compress_timeout"]
    )
    def test_what_does_not_come_at_once_comes_by_the_storage(self, tmp_path: Path, name: str) -> None:
        content = b"from the storage"

        def stored(_request: httpx.Request) -> httpx.Response:
            return httpx.Response(
                200, headers={"Content-Length": str(len(content))}, stream=httpx.ByteStream(content)
            )

        data = {"url": f"http://s3.test/object?{SIGNATURE}"}
        api = ApiV1(
            {
                DOWNLOAD: response_of(exchanges(name)[-1]),
                XFER_DOWNLOAD: Begun(("100", "Queued"), ("116", {}), ("117", data), status=201),
                "GET /object": stored,
            }
        )
        call(api, self.down(tmp_path / "came"))
        assert (tmp_path / "came").read_bytes() == content

    def test_a_very_large_file_is_not_tried_at_once(self, tmp_path: Path) -> None:
        missing = response_of(exchanges("external_download_missing")[-1])
        api = ApiV1({XFER_DOWNLOAD: missing})
        fails(errors.NotFoundError, api, self.down(tmp_path / "came", size_hint=100_000_000))
        assert api.seen == [XFER_DOWNLOAD]

    def test_a_storage_that_does_not_get_the_file_is_reported(self, tmp_path: Path) -> None:
        broken = {"error": "Upload to Staging area has failed. Object: out.tgz"}
        api = ApiV1({DOWNLOAD: TOO_LARGE, XFER_DOWNLOAD: Begun(("118", broken), status=201)})
        assert "Staging area" in fails(errors.RejectedError, api, self.down(tmp_path / "came"))
        assert api.count(XFER_DOWNLOAD) == transfers.TRANSFERS


class TestArchives:
    def test_an_archive_is_unpacked(self) -> None:
        api = ApiV1({EXTRACT: answer(201, {"output": ""})})
        call(api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run"))
        assert api.form() == {"sourcePath": "/scratch/in.tgz", "targetPath": "/scratch/run", "type": ".tgz"}

    def test_what_takes_too_long_is_unpacked_by_a_job(self) -> None:
        asked, wait = finished()
        api = ApiV1(
            {
                EXTRACT: TOO_LONG,
                f"{BY_JOB}/extract": done({"jobid": "77", "job_file_err": "/h/job-77.err"}, status=201),
                DOWNLOAD: httpx.Response(200, content=b""),
            }
        )
        call(api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run"), wait=wait, account="g1")
        assert asked == ["77"]
        form = api.form(1)
        assert form["account"] == "g1"
        assert form["jobName"].startswith("reframe-firecrest:/scratch/in.tgz#")

    def test_a_failure_of_a_job_that_completed_is_found_in_its_log(self) -> None:
        log = b"srun: error: nid001: task 0: Exited with exit code 2\ntar: nope: Cannot stat\n"
        api = ApiV1(
            {
                EXTRACT: TOO_LONG,
                f"{BY_JOB}/extract": done({"jobid": "77", "job_file_err": "/h/job-77.err"}, status=201),
                DOWNLOAD: httpx.Response(200, content=log),
            }
        )
        line = fails(
            errors.RejectedError, api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run")
        )
        assert "Cannot stat" in line

    def test_without_a_log_success_is_not_assumed(self) -> None:
        api = ApiV1(
            {
                EXTRACT: TOO_LONG,
                f"{BY_JOB}/extract": done({"jobid": "77", "job_file_err": "/h/job-77.err"}, status=201),
                DOWNLOAD: response_of(exchanges("simple_download_missing")[-1]),
            }
        )
        line = fails(
            errors.RejectedError, api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run")
        )
        assert "/h/job-77.err, is missing" in line

    def test_a_job_that_fails_is_reported_with_its_log(self) -> None:
        api = ApiV1(
            {
                RM: TOO_LONG,
                f"{BY_JOB}/rm": done({"jobid": "77", "job_file_err": "/h/job-77.err"}, status=201),
            }
        )
        with pytest.raises(errors.RejectedError, match=r"ended as FAILED with exit code 1.*job-77.err"):
            call(
                api,
                lambda gateway: gateway.remove("/scratch/run"),
                wait=finished(part(state="FAILED", exit_code=1))[1],
            )
        assert api.form(1)["jobName"].startswith("reframe-firecrest:#")

    def test_a_job_that_slurm_will_not_start_is_cancelled(self) -> None:
        async def held(_job_id: str) -> list[Any]:
            raise errors.JobHeldError("held")

        cancel = "DELETE /compute/jobs/77"
        api = ApiV1({RM: TOO_LONG, f"{BY_JOB}/rm": done({"jobid": "77"}, status=201), cancel: done()})
        with pytest.raises(errors.JobHeldError):
            call(api, lambda gateway: gateway.remove("/scratch/run"), wait=Follower(held))
        assert api.count(cancel) == 1

    def test_a_job_without_an_answer_is_looked_for_before_another_is_queued(self) -> None:
        asked, wait = finished()
        names: list[str] = []

        def go_on(request: httpx.Request) -> httpx.Response:
            names.append(dict(httpx.QueryParams(request.content.decode()))["jobName"])
            raise httpx.ReadError("reset", request=request)

        def in_queue(_request: httpx.Request) -> httpx.Response:
            api.tasks["q"] = [("200", {"0": queued("78", name=names[0], job_file_err="/h/78.err")})]
            return answer(200, {"task_id": "q"})

        api = ApiV1(
            {
                EXTRACT: TOO_LONG,
                f"{BY_JOB}/extract": go_on,
                QUEUE: in_queue,
                DOWNLOAD: httpx.Response(200, content=b""),
            }
        )
        call(api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run"), wait=wait)
        assert asked == ["78"]
        assert len(names) == 1

    def test_a_job_that_was_never_queued_is_queued_again_under_another_name(self) -> None:
        asked, wait = finished()
        api = ApiV1(
            {
                RM: TOO_LONG,
                f"{BY_JOB}/rm": [
                    httpx.ReadError("reset"),
                    done({"jobid": "79", "job_file_err": "/h/79.err"}, status=201),
                ],
                QUEUE: done({}),
                ACCOUNTING: done([row("5", name="other")]),
                DOWNLOAD: httpx.Response(200, content=b""),
            }
        )
        call(api, lambda gateway: gateway.remove("/scratch/run"), wait=wait)
        assert asked == ["79"]
        forms = [api.form(number) for number, key in enumerate(api.seen) if key == f"{BY_JOB}/rm"]
        assert forms[0]["jobName"] != forms[1]["jobName"]

    def test_finished_jobs_directories_are_packed_as_a_whole(self) -> None:
        tree = listing(entry("t", kind="d"), entry("t/out"), entry("t/err"), entry("t/in", 1000))
        api = ApiV1({LS: tree, COMPRESS: answer(201, {"output": ""})})
        made = call(
            api,
            lambda gateway: gateway.list_tree("/scratch/run/sys"),
            lambda gateway: gateway.archive("/scratch/run", ["sys/t/out", "sys/t/err"], "/scratch/x/out-1"),
        )
        assert api.form() == {"sourcePath": "/scratch/run/sys", "targetPath": made[0].path}
        assert [one.below for one in made] == [""]
        assert made[0].path.startswith("/scratch/x/out-1-")

    def test_a_partial_archive_is_never_looked_at_again(self) -> None:
        api = ApiV1(
            {
                COMPRESS: TOO_LONG,
                f"{BY_JOB}/compress": done({"jobid": "77", "job_file_err": "/h/77.err"}, status=201),
                DOWNLOAD: httpx.Response(200, content=b""),
            }
        )
        [made] = call(api, lambda gateway: gateway.archive("/scratch/run", ["t/out"], "/scratch/out-1"))
        partial, whole = api.form(0)["targetPath"], api.form(1)["targetPath"]
        assert partial != whole
        assert made == Archive(whole, "t")

    def test_what_can_not_be_packed_as_a_whole_is_packed_in_parts(self) -> None:
        changed = refusal("tar: sys/u/log: file changed as we read it", X_Error="tar")
        directories = (entry(name, kind="d") for name in "tuv")
        tree = listing(*directories, entry("t/out"), entry("u/log"), entry("v/out"))
        api = ApiV1({LS: tree, COMPRESS: [changed, answer(201, {"output": ""})]})
        made = call(
            api,
            lambda gateway: gateway.list_tree("/scratch/run/sys"),
            lambda gateway: gateway.archive("/scratch/run", ["sys/t/out", "sys/v/out"], "/scratch/x/out-1"),
        )
        assert [api.form(number)["sourcePath"] for number in (1, 2, 3)] == [
            "/scratch/run/sys",
            "/scratch/run/sys/t",
            "/scratch/run/sys/v",
        ]
        assert [one.below for one in made] == ["sys", "sys"]

    def test_a_file_that_can_not_be_packed_is_reported(self) -> None:
        api = ApiV1({COMPRESS: response_of(exchanges("compress_missing")[-1])})
        fails(
            errors.NotFoundError, api, lambda gateway: gateway.archive("/scratch/run", ["t/out"], "/x/out-1")
        )


def test_permissions_are_changed() -> None:
    [exchange] = exchanges("chmod")
    api = ApiV1({"PUT /utilities/chmod": response_of(exchange)})
    call(api, lambda gateway: gateway.change_mode("/scratch/t", "700"))
    assert api.form() == {"targetPath": "/scratch/t", "mode": "700"}


class TestRemoving:
    def test_a_tree_is_removed(self) -> None:
        api = ApiV1({RM: answer(204)})
        call(api, lambda gateway: gateway.remove("/scratch/t"))
        assert api.form() == {"targetPath": "/scratch/t"}

    def test_what_is_not_there_is_as_good_as_removed(self) -> None:
        text = "rm: cannot remove '/scratch/t': No such file or directory"
        api = ApiV1({RM: refusal(text, X_Invalid_Path="path is an invalid path.")})
        call(api, lambda gateway: gateway.remove("/scratch/t"))
        assert api.count(RM) == 1

    def test_what_vanishes_meanwhile_does_not_keep_the_rest(self) -> None:
        gone = refusal("rm: cannot remove '/scratch/t/x': No such file or directory", X_Invalid_Path="x")
        api = ApiV1({RM: [gone, answer(204)]})
        call(api, lambda gateway: gateway.remove("/scratch/t"))
        assert api.count(RM) == 2

    def test_a_directory_is_made_with_its_parents(self) -> None:
        api = ApiV1({"POST /utilities/mkdir": answer(201, {"output": ""})})
        call(api, lambda gateway: gateway.make_directory("/scratch/a/b"))
        assert api.form() == {"targetPath": "/scratch/a/b", "p": "true"}


def test_nothing_is_unpacked_twice_where_sbatch_refuses_the_job() -> None:
    api = ApiV1(
        {
            EXTRACT: TOO_LONG,
            f"{BY_JOB}/extract": failed(
                "sbatch: error: Batch job submission failed: Invalid account", status=201
            ),
        }
    )
    fails(errors.RejectedError, api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run"))
    assert api.count(f"{BY_JOB}/extract") == 1


class TestPatience:
    """Answers of a proxy, and tasks that never end."""

    def test_a_transfer_that_a_proxy_cuts_off_is_opened_again(self, tmp_path: Path) -> None:
        large = tmp_path / "large"
        large.write_bytes(b"x" * 20_000)
        api = ApiV1(
            {
                PARAMETERS: LIMITS,
                XFER_UPLOAD: [answer(408, "cut off"), Begun(("111", FORM), ("114", {}), status=201)],
                SENT: answer(204),
                STAT: answer(200, {"output": {"size": 20_000}}),
            }
        )
        call(api, connect, lambda gateway: gateway.upload(large, "/scratch/run/in.tgz"))
        assert api.count(XFER_UPLOAD) == 2

    def test_a_download_whose_task_never_ends_is_opened_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transfers, "INTERVAL", 0.05)

        def stored(_request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, headers={"Content-Length": "1"}, stream=httpx.ByteStream(b"x"))

        data = {"url": f"http://s3.test/object?{SIGNATURE}"}
        api = ApiV1(
            {
                PARAMETERS: LIMITS,
                DOWNLOAD: TOO_LARGE,
                XFER_DOWNLOAD: [
                    Begun(("100", "Queued"), status=201),
                    Begun(("117", data), status=201),
                ],
                "GET /object": stored,
            }
        )
        call(
            api,
            connect,
            lambda gateway: gateway.download("/scratch/out.tgz", tmp_path / "came", size_hint=10),
        )
        assert (tmp_path / "came").read_bytes() == b"x"
        assert api.count(XFER_DOWNLOAD) == 2
