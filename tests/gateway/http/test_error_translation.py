"""Recorded errors of a real gateway, and malformed ones."""

from __future__ import annotations

import json
import traceback
from typing import Any

import httpx
import pytest
from firecrest.FirecrestException import UnexpectedStatusException
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reframe_firecrest.gateway import file_schemas
from reframe_firecrest.gateway.http import error_translation, operations
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.v2 import schemas, systems
from reframe_firecrest.model import errors
from reframe_firecrest.model.remote_file import FileKind
from reframe_firecrest.model.slurm_states import parts_of, summarise
from tests.gateway.helpers import SIGNATURE, TOKEN, answer, failures_of, recordings

WHERE = "'daint' at http://gateway.test"

EXPECTED: dict[str, type[errors.GatewayError]] = {
    "cancel_finished": errors.RejectedError,
    "compress_fallback_to_job": errors.OperationTimeoutError,
    "err_bad_token": errors.AuthError,
    "err_cancel_unknown": errors.RejectedError,
    "err_checksum_dir": errors.RejectedError,
    "err_compress_missing": errors.NotFoundError,
    "err_compress_timeout": errors.OperationTimeoutError,
    "err_download_direct_too_big": errors.TooLargeError,
    "err_download_missing": errors.NotFoundError,
    "err_extract_missing_dir": errors.NotFoundError,
    "err_job_id_array_task": errors.RejectedError,
    "err_job_id_list": errors.RejectedError,
    "err_job_metadata_unknown": errors.NotFoundError,
    "err_job_nonnumeric": errors.UncertainError,
    "err_job_unknown": errors.NotFoundError,
    "err_missing_file_stat": errors.NotFoundError,
    "err_missing_file_view": errors.NotFoundError,
    "err_missing_ls": errors.NotFoundError,
    "err_mkdir_exists": errors.RejectedError,
    "err_no_auth_header": errors.AuthError,
    "err_no_route": errors.NotFoundError,
    "err_ops_timeout_head": errors.OperationTimeoutError,
    "err_path_outside_fs": errors.RejectedError,
    "err_path_relative": errors.RejectedError,
    "err_permission_mkdir": errors.ForbiddenError,
    "err_permission_rm": errors.ForbiddenError,
    "err_permission_upload": errors.ForbiddenError,
    "err_permission_view": errors.ForbiddenError,
    "err_rm_missing": errors.NotFoundError,
    "err_rm_outside": errors.RejectedError,
    "err_sessions_exhausted_burst": errors.TransientError,
    "err_sessions_exhausted_head_get": errors.TransientError,
    "err_sessions_exhausted_jobs_get": errors.TransientError,
    "err_sessions_exhausted_jobs_post": errors.TransientError,
    "err_sessions_exhausted_nodes_get": errors.TransientError,
    "err_sessions_exhausted_stat_get": errors.TransientError,
    "err_sessions_exhausted_userinfo_get": errors.TransientError,
    "err_slurmctld_down_job_info": errors.OutageError,
    "err_slurmctld_down_nodes": errors.OutageError,
    "err_slurmctld_down_submit": errors.OutageError,
    "err_slurmdbd_down_job_info": errors.UncertainError,
    "err_slurmdbd_down_job_info_all": errors.UncertainError,
    "err_sshd_down_job_info": errors.UncertainError,
    "err_sshd_down_ls": errors.TransientError,
    "err_sshd_down_nodes": errors.TransientError,
    "err_sshd_down_submit": errors.TransientError,
    "err_submit_bad_account": errors.RejectedError,
    "err_submit_bad_partition": errors.RejectedError,
    "err_submit_no_script": errors.RejectedError,
    "err_submit_no_shebang": errors.RejectedError,
    "err_submit_quota": errors.RejectedError,
    "err_symlink_exists": errors.RejectedError,
    "err_tail_too_big": errors.TooLargeError,
    "err_tampered_token": errors.AuthError,
    "err_time_window_bad": errors.RejectedError,
    "err_token_expired": errors.AuthError,
    "err_token_expires_soon": errors.AuthError,
    "err_transfer_download_missing": errors.NotFoundError,
    "err_unhealthy_job_info": errors.TransientError,
    "err_unhealthy_ls": errors.TransientError,
    "err_unhealthy_nodes": errors.TransientError,
    "err_unhealthy_sticky_after_ctld_restart": errors.TransientError,
    "err_unhealthy_submit": errors.TransientError,
    "err_unknown_system": errors.NotFoundError,
    "err_upload_direct_too_big": errors.TooLargeError,
    "err_upload_missing_dir": errors.NotFoundError,
    "err_upload_s3_store_down": errors.UncertainError,
    "err_user_without_ssh_key": errors.AuthError,
    "err_validation_body": errors.RejectedError,
    "err_view_default_size_bigfile": errors.OperationTimeoutError,
    "err_view_dir": errors.RejectedError,
    "err_view_size_too_big": errors.RejectedError,
    "job_metadata_after_MinJobAge": errors.NotFoundError,
    "odd_name_quo_te_txt": errors.RejectedError,
    "upload_empty_file": errors.OperationTimeoutError,
}

SAID = {
    "err_submit_bad_account": "Invalid account or account/partition combination specified",
    "err_submit_bad_partition": "invalid partition specified: nosuch",
    "err_submit_no_shebang": "This does not look like a batch script",
    "err_submit_quota": "Job violates accounting/QOS policy",
    "err_permission_mkdir": "mkdir: cannot create directory '/scratch/readonly/new': Permission denied",
    "err_path_outside_fs": "(/etc) does not match any of the defined filesystem paths",
    "err_user_without_ssh_key": "No SSH credentials found for user:nobodyhere",
    "err_slurmdbd_down_job_info": "Problem talking to the database",
    "err_unhealthy_ls": "The ssh service for the requested system (mycluster) is unhealthy",
    "err_token_expires_soon": "expires too soon",
}


def respond(exchange: Any) -> httpx.Response:
    """Make the recorded answer, as httpx gives it."""
    request = httpx.Request(
        exchange["request"]["method"],
        exchange["request"]["url"],
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    body = json.dumps(exchange["response"]["body"]).encode()
    response = exchange["response"]
    return httpx.Response(response["status"], headers=response["headers"], content=body, request=request)


def failure(response: httpx.Response, operation: Operation = operations.LIST_JOBS) -> errors.GatewayError:
    return error_translation.translate_error(operation, UnexpectedStatusException([response], 200), WHERE)


def last_answer(recording: Any) -> Any:
    return recording["exchanges"][-1]["response"]["body"]


@pytest.mark.parametrize("recording", recordings(failed=True))
def test_a_recorded_error_is_translated_into_one_line_of_the_right_kind(recording: Any) -> None:
    for exchange in failures_of(recording):
        error = failure(respond(exchange))
        assert type(error) is EXPECTED[recording["name"]]
        assert error.status == exchange["response"]["status"]
        line = str(error)
        assert line.startswith(f"listing jobs on {WHERE} failed: ")
        assert "\n" not in line
        assert len(line) < 600
        assert SAID.get(recording["name"], "") in line
        assert TOKEN not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("recording", recordings("err_submit_*"))
def test_the_message_of_sbatch_is_shown_without_the_gateways_wrapping(recording: Any) -> None:
    line = str(failure(respond(failures_of(recording)[0]), operations.SUBMIT))
    assert "sbatch: error:" in line
    assert "exit_status" not in line


def test_an_error_names_the_remedy_for_a_refused_token() -> None:
    refused = UnexpectedStatusException([answer(401, "Access token is invalid.")], 200)
    line = str(error_translation.translate_error(operations.SUBMIT, refused, WHERE, "check the key"))
    assert line.endswith("Access token is invalid; check the key")


def test_a_full_disk_there_is_reported_before_all_that_could_not_be_written() -> None:
    said = "".join(f"tar: stage/{number}: Cannot write: No space left on device\n" for number in range(50))
    full = answer(500, f"Remote process failed with exit status:2 and error message:{said}")
    line = str(
        error_translation.translate_error(operations.EXTRACT, UnexpectedStatusException([full], 200), WHERE)
    )
    assert line.startswith(
        f"unpacking an archive on {WHERE} failed: the disk is full there, or your quota is used up; "
        "free space, or set FIRECREST_BASEDIR to another directory: tar: stage/0: Cannot write: No space left"
    )
    assert len(line) < 700


@pytest.mark.parametrize(("header", "value"), [("retry_after", "7"), ("ratelimit_reset", "7")])
def test_a_gateway_may_say_when_to_come_back(header: str, value: str) -> None:
    assert failure(answer(429, "slow down", **{header: value})).retry_after == 7


@pytest.mark.parametrize(("value", "understood"), [("-3", 0), ("86400", 600), ("Wed, 21 Oct 2026", None)])
def test_a_senseless_time_to_come_back_does_no_harm(value: str, understood: float | None) -> None:
    assert failure(answer(429, "slow down", retry_after=value)).retry_after == understood


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(502, text="<html>\n<h1>Bad Gateway</h1>"),
        httpx.Response(500, json=["not", "an", "object"]),
        httpx.Response(500, json={"message": None, "causedBy": "text"}),
        httpx.Response(500),
    ],
)
def test_an_error_without_firecrests_body_is_identified_by_its_status(response: httpx.Response) -> None:
    assert f"HTTP {response.status_code}" in str(failure(response))


def test_a_very_long_answer_is_cut() -> None:
    assert len(str(failure(answer(400, "x" * 100_000)))) < 600


class TestSecrets:
    def test_presigned_urls_lose_their_signature(self) -> None:
        line = str(failure(answer(500, f'cannot reach "http://s3.test/b/key?{SIGNATURE}&x=1" now')))
        assert 'cannot reach "http://s3.test/b/key" now' in line

    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (503, "SlowDown", errors.TransientError),
            (429, "", errors.TransientError),
            (502, "", errors.TransientError),
            (400, "RequestTimeout", errors.TransientError),
            (200, "SlowDown", errors.TransientError),
            (500, "InternalError", errors.UncertainError),
            (200, "InternalError", errors.UncertainError),
            (403, "AccessDenied", errors.ForbiddenError),
            (404, "NoSuchKey", errors.NotFoundError),
            (400, "EntityTooSmall", errors.RejectedError),
            (307, "TemporaryRedirect", errors.ProtocolError),
        ],
    )
    def test_what_a_storage_answers_is_reported_by_its_code_without_a_url(
        self, status: int, code: str, kind: type[errors.GatewayError]
    ) -> None:
        reported = f"<Code>{code}</Code>" if code else ""
        text = f"<Error>{reported}<Resource>http://s3.test/key?{SIGNATURE}</Resource></Error>"
        response = httpx.Response(status, text=text, headers={"Retry-After": "3"})
        error = error_translation.translate_storage_error(operations.UPLOAD, response, WHERE)
        assert type(error) is kind
        assert (error.status, error.retry_after) == (status, 3.0)
        shown = f" ({code})" if code else ""
        assert str(error) == f"uploading on {WHERE} failed: the S3 storage answers HTTP {status}{shown}"

    def test_a_transfers_url_is_not_printed(self) -> None:
        transfer = schemas.parse_transfer(
            {
                "transferJob": {"jobId": 7, "logs": {"errorLog": "/log"}},
                "transferDirectives": {"downloadUrl": f"http://s3.test/key?{SIGNATURE}"},
            }
        )
        assert SIGNATURE in transfer.download_url
        assert SIGNATURE not in repr(transfer)

    @pytest.mark.parametrize(
        "names",
        [
            ("partsUploadUrls", "completeUploadUrl", "maxPartSize", "downloadUrl"),
            ("parts_upload_urls", "complete_upload_url", "max_part_size", "download_url"),
        ],
    )
    def test_where_the_parts_of_an_upload_go_is_read_in_either_spelling(self, names: tuple[str, ...]) -> None:
        said = dict(
            zip(names, ([f"http://s3.test/1?{SIGNATURE}"] * 3, "http://end", 10, "http://x"), strict=True)
        )
        transfer = schemas.parse_transfer({"transferJob": {"jobId": 7}, "transferDirectives": said})
        urls = transfer.upload_urls(21)
        assert (len(urls.parts), urls.complete, urls.part_size) == (3, "http://end", 10)
        assert transfer.download_url == "http://x"
        assert SIGNATURE not in repr(transfer)
        assert SIGNATURE not in repr(urls)

    @pytest.mark.parametrize("size", [20, 31])
    def test_parts_that_do_not_make_up_the_file_are_refused(self, size: int) -> None:
        said = {
            "partsUploadUrls": ["http://s3.test/1"] * 3,
            "completeUploadUrl": "http://end",
            "maxPartSize": 10,
        }
        transfer = schemas.parse_transfer({"transferJob": {"jobId": 7}, "transferDirectives": said})
        with pytest.raises(KeyError):
            transfer.upload_urls(size)


class TestConnections:
    REQUEST = httpx.Request("GET", f"http://s3.test:9000/key?{SIGNATURE}")

    @pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
    def test_what_was_never_sent_is_safe_to_repeat(self, kind: type[httpx.TransportError]) -> None:
        error = error_translation.translate_error(
            operations.SUBMIT, kind("refused", request=self.REQUEST), WHERE
        )
        assert type(error) is errors.TransientError
        assert "s3.test:9000 can't be reached from here" in str(error)
        assert SIGNATURE not in str(error)

    @pytest.mark.parametrize(
        "kind", [httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.RemoteProtocolError]
    )
    def test_what_was_sent_may_have_happened(self, kind: type[httpx.TransportError]) -> None:
        error = error_translation.translate_error(
            operations.SUBMIT, kind("reset", request=self.REQUEST), WHERE
        )
        assert type(error) is errors.UncertainError

    def test_an_error_without_a_request_is_reported_all_the_same(self) -> None:
        error = error_translation.translate_error(operations.SUBMIT, httpx.ConnectError("refused"), WHERE)
        assert "can't be reached" in str(error)

    def test_a_full_disk_here_is_reported_as_such(self) -> None:
        error = error_translation.translate_error(
            operations.DOWNLOAD, OSError(28, "No space left on device"), WHERE
        )
        assert type(error) is errors.FinalError
        assert "No space left on device" in str(error)

    def test_an_error_that_nobody_expected_is_named_by_its_kind_only(self) -> None:
        error = error_translation.translate_error(operations.DOWNLOAD, RuntimeError(TOKEN), WHERE)
        assert type(error) is errors.FinalError
        assert "RuntimeError" in str(error)
        assert TOKEN not in str(error)


class TestJobs:
    @pytest.mark.parametrize("recording", recordings("job_info_*"))
    def test_every_recorded_list_is_understood(self, recording: Any) -> None:
        body = last_answer(recording)
        jobs = schemas.parse_jobs(body)
        assert [job.job_id for job in jobs] == [job["jobId"] for job in body["jobs"]]
        assert all(job.state.isupper() and " " not in job.state for job in jobs)
        assert all(job.reason != "None" for job in jobs)

    @pytest.mark.parametrize("recording", recordings("job_info_cancelled"))
    def test_a_cancelled_job_is_cancelled_whoever_did_it(self, recording: Any) -> None:
        assert last_answer(recording)["jobs"][0]["status"]["state"] == "CANCELLED by 1001"
        assert summarise(schemas.parse_jobs(last_answer(recording))).state.state == "CANCELLED"

    @pytest.mark.parametrize("recording", recordings("job_info_pending"))
    def test_a_pending_job_has_neither_nodes_nor_exit_code(self, recording: Any) -> None:
        (job,) = schemas.parse_jobs(last_answer(recording))
        assert (job.state, job.nodes, job.exit_code) == ("PENDING", "", None)

    @pytest.mark.parametrize("recording", recordings("job_info_completed"))
    def test_a_completed_job_has_all_that_a_report_needs(self, recording: Any) -> None:
        (job,) = schemas.parse_jobs(last_answer(recording))
        assert (job.state, job.exit_code, job.nodes) == ("COMPLETED", 0, "nid001")
        assert job.end == 1795410996
        assert job.working_directory == "/home/fireuser/prove"

    @pytest.mark.parametrize("recording", recordings("job_info_failed"))
    def test_a_failed_job_has_its_exit_code(self, recording: Any) -> None:
        assert summarise(schemas.parse_jobs(last_answer(recording))).state.exit_code == 3

    @pytest.mark.parametrize("recording", recordings("job_info_array_pending"))
    def test_a_pending_array_is_one_entry(self, recording: Any) -> None:
        (job,) = schemas.parse_jobs(last_answer(recording))
        assert job.base_id == "13"
        assert not summarise([job]).ended

    @pytest.mark.parametrize("recording", recordings("job_info_array_running"))
    def test_a_running_array_counts_each_task_once(self, recording: Any) -> None:
        parts = parts_of("408", schemas.parse_jobs(last_answer(recording)))
        assert [part.job_id for part in parts] == ["408_0", "408_1"]
        assert summarise(parts).state.state == "RUNNING,RUNNING"

    @pytest.mark.parametrize("recording", recordings("job_info_array_done"))
    def test_a_finished_array_has_the_worst_exit_code(self, recording: Any) -> None:
        total = summarise(parts_of("9", schemas.parse_jobs(last_answer(recording))))
        assert total.ended
        assert total.state.exit_code == 2

    def test_a_heterogeneous_job_is_the_sum_of_its_components(self) -> None:
        jobs = [{"jobId": f"123+{number}", "status": {"state": "RUNNING"}} for number in (0, 1)]
        parts = parts_of("123", schemas.parse_jobs({"jobs": jobs}))
        assert len(parts) == 2
        assert summarise(parts).several

    def test_a_job_that_is_described_sparsely_or_by_numbers_is_understood(self) -> None:
        jobs = [
            {"jobId": 7, "status": {"state": ["RUNNING", "COMPLETING"]}, "nodes": None, "time": None},
            {"jobId": "8", "status": {"state": "CANCELLED by 7"}, "nodes": "None assigned", "name": None},
        ]
        one, other = schemas.parse_jobs({"jobs": jobs})
        assert (one.job_id, one.state, one.nodes) == ("7", "RUNNING,COMPLETING", "")
        assert (other.state, other.nodes) == ("CANCELLED", "")

    @pytest.mark.parametrize("body", [{"jobs": None}, {"jobs": []}])
    def test_no_jobs_are_no_error(self, body: object) -> None:
        assert schemas.parse_jobs(body) == []


class TestFiles:
    @pytest.mark.parametrize("recording", recordings("ls_recursive_hidden"))
    def test_a_recursive_listing_is_understood(self, recording: Any) -> None:
        found = {entry.path: entry for entry in schemas.parse_listing(last_answer(recording))}
        assert found["a/b"].kind is FileKind.DIRECTORY
        assert found["small.txt"].kind is FileKind.FILE
        assert found["small.txt"].size == 790
        assert found["small.txt"].mtime == "2026-11-23T05:16:25"

    @pytest.mark.parametrize("recording", recordings("ls*"))
    def test_every_recorded_listing_is_understood(self, recording: Any) -> None:
        body = last_answer(recording)
        assert len(schemas.parse_listing(body)) == len(body["output"])

    def test_links_have_targets_and_devices_are_nothing_to_fetch(self) -> None:
        entry = {"lastModified": "2026-11-23T05:16:25", "size": "0"}
        link, pipe = schemas.parse_listing(
            {
                "output": [
                    {"name": "l", "type": "l", "linkTarget": "a\\tb", **entry},
                    {"name": "p", "type": "p", "linkTarget": None, **entry},
                ]
            }
        )
        assert (link.kind, link.target) == (FileKind.LINK, "a\tb")
        assert pipe.kind is FileKind.OTHER

    @pytest.mark.parametrize(
        ("printed", "name"),
        [
            ("plain", "plain"),
            ("with space", "with space"),
            ("new\\nline\\ttab", "new\nline\ttab"),
            ("\\303\\274n\\303\\257code", "ünïcode"),
            ("ünïcode", "ünïcode"),
            ("caf\\351", "caf\udce9"),
            ("\\033[31m", "\x1b[31m"),
            ("dollar$x", "dollar$x"),
        ],
    )
    def test_names_are_unquoted(self, printed: str, name: str) -> None:
        assert file_schemas.unquote_c(printed) == name

    @given(st.binary(min_size=1, max_size=20).filter(lambda name: not set(name) & set(b"\0/\\\"'")))
    def test_whatever_ls_escapes_is_read_back(self, name: bytes) -> None:
        letters = {7: "a", 8: "b", 12: "f", 10: "n", 13: "r", 9: "t", 11: "v"}
        printed = "".join(
            f"\\{letters[byte]}" if byte in letters else chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"
            for byte in name
        )
        assert file_schemas.unquote_c(printed).encode("utf-8", "surrogateescape") == name


class TestSystems:
    @pytest.mark.parametrize("recording", recordings("systems*"))
    def test_every_recorded_system_is_understood(self, recording: Any) -> None:
        (system,) = systems.parse_systems(last_answer(recording))
        assert system.name == "mycluster"
        assert system.capabilities.scheduler_version == (22, 5, 8)
        assert system.data_operation is not None
        assert system.data_operation.max_direct_upload == 5_242_880

    @pytest.mark.parametrize(
        ("version", "numbers"),
        [("23.02.7-1", (23, 2, 7)), ("24.11", (24, 11)), ("unknown", None), (None, None)],
    )
    def test_a_version_is_read_as_far_as_it_is_one(
        self, version: str | None, numbers: tuple[int, ...] | None
    ) -> None:
        body = {"systems": [{"name": "daint", "scheduler": {"version": version}}]}
        assert systems.parse_systems(body)[0].capabilities.scheduler_version == numbers


@pytest.mark.parametrize(
    ("translation", "answers"),
    [
        (schemas.parse_jobs, [[], "text", 7, {"jobs": 7}, {"jobs": [{"jobId": "7"}]}, {"jobs": [None]}]),
        (
            schemas.parse_listing,
            [None, {"output": [{"name": "x"}]}, {"output": "x"}, {"output": [{"name": 3, "type": "-"}]}],
        ),
        (systems.parse_systems, [None, {}, {"systems": None}, {"systems": [{}]}]),
        (schemas.parse_transfer, [None, {}, {"transferJob": None}, {"transferJob": {"jobId": None}}]),
        (schemas.parse_job_id, [None, [], {}, {"jobId": None}, {"jobId": ""}, {"jobId": "9_1"}]),
    ],
)
def test_an_answer_that_is_not_what_it_should_be_is_reported_as_such(
    translation: Any, answers: list[Any]
) -> None:
    for body in answers:
        with pytest.raises(ValidationError) as caught:
            translation(body)
        error = error_translation.translate_error(operations.LIST_JOBS, caught.value, WHERE)
        assert type(error) is errors.ProtocolError
        assert "check FIRECREST_URL" in str(error)


KEYS = ["jobs", "jobId", "status", "state", "output", "systems", "name", "transferJob"]
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
)


@given(JSON)
def test_no_answer_makes_a_translation_fail_in_another_way(body: object) -> None:
    for translation in (
        schemas.parse_jobs,
        schemas.parse_listing,
        systems.parse_systems,
        schemas.parse_transfer,
    ):
        try:
            translation(body)
        except ValidationError:
            continue
