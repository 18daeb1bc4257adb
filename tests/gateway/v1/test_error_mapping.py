"""Errors of a real FirecREST v1, and their meaning."""

from __future__ import annotations

import httpx
import pytest

from reframe_firecrest.gateway.http import error_translation, operations
from reframe_firecrest.gateway.v1.error_mapping import V1
from reframe_firecrest.gateway.v1.schemas import parse_tasks
from reframe_firecrest.gateway.v1.tasks import failure_of
from reframe_firecrest.model import errors
from tests.gateway.helpers import answer
from tests.gateway.v1.helpers import RECORDINGS, exchanges, response_of

WHERE = "'mycluster' at http://gateway.test"

EXPECTED: dict[str, type[errors.GatewayError]] = {
    "bad_token_compute": errors.AuthError,
    "bad_token_signature": errors.AuthError,
    "checksum_missing": errors.NotFoundError,
    "checksum_timeout": errors.OperationTimeoutError,
    "chown_denied": errors.ForbiddenError,
    "compress_missing": errors.NotFoundError,
    "compress_timeout": errors.OperationTimeoutError,
    "copy_missing": errors.NotFoundError,
    "expired_token": errors.AuthError,
    "external_download_denied": errors.ForbiddenError,
    "external_download_dir": errors.RejectedError,
    "external_download_missing": errors.NotFoundError,
    "external_upload_denied": errors.ForbiddenError,
    "external_upload_missing_dir": errors.NotFoundError,
    "external_upload_paren_name": errors.RejectedError,
    "extract_bad_format": errors.RejectedError,
    "garbage_token": errors.AuthError,
    "list_files_denied": errors.ForbiddenError,
    "list_files_missing": errors.NotFoundError,
    "mkdir_denied": errors.ForbiddenError,
    "mkdir_exists_no_p": errors.RejectedError,
    "mkdir_missing_parent": errors.NotFoundError,
    "path_with_quote": errors.RejectedError,
    "poll_active_malformed": errors.RejectedError,
    "raw_no_token": errors.AuthError,
    "simple_delete_denied": errors.ForbiddenError,
    "simple_delete_missing": errors.NotFoundError,
    "simple_download_almost_5MiB": errors.TooLargeError,
    "simple_download_denied": errors.ForbiddenError,
    "simple_download_missing": errors.NotFoundError,
    "simple_download_over_5MiB": errors.TooLargeError,
    "simple_upload_6MiB": errors.TooLargeError,
    "simple_upload_denied": errors.ForbiddenError,
    "stat_denied": errors.ForbiddenError,
    "stat_missing": errors.NotFoundError,
    "submit_missing_script": errors.NotFoundError,
    "submit_denied_script": errors.ForbiddenError,
    "unknown_system_compute": errors.NotFoundError,
    "unknown_system_storage": errors.NotFoundError,
    "unknown_system_utilities": errors.NotFoundError,
}
TASKS: dict[str, type[errors.GatewayError]] = {
    "cancel_finished": errors.RejectedError,
    "poll_malformed_id": errors.RejectedError,
    "submit_bad_partition": errors.RejectedError,
    "submit_bad_account": errors.RejectedError,
}


def failed(name: str) -> errors.GatewayError:
    [response] = [response_of(one) for one in exchanges(name)[-1:] if one["response"]["status"] >= 400]
    request = httpx.Request("GET", "http://gateway.test/x")
    error = httpx.HTTPStatusError("failed", request=request, response=response)
    return error_translation.translate_error(operations.STAT, error, WHERE, "check the key", V1)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recorded_error_means_what_it_should(name: str) -> None:
    error = failed(name)
    assert type(error) is EXPECTED[name], repr(error)
    line = str(error)
    assert line.startswith(f"inspecting a file on {WHERE} failed: ")
    assert "Error on" not in line
    assert not line.endswith(": ")


@pytest.mark.parametrize("name", TASKS)
def test_a_recorded_tasks_error_means_what_it_should(name: str) -> None:
    [found] = parse_tasks(exchanges(name)[-1]["response"]["body"])
    error = failure_of(operations.LIST_JOBS, found, WHERE)
    assert type(error) is TASKS[name], repr(error)
    assert "failed: s" in str(error)


def test_an_error_that_is_none_of_these_is_recorded_too() -> None:
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings of a real gateway in {RECORDINGS}")
    for path in RECORDINGS.glob("*.json"):
        for exchange in exchanges(path.stem):
            response = response_of(exchange)
            if response.status_code >= 400:
                kind = V1.classify(response, V1.text(response))
                assert issubclass(kind, errors.FinalError), (path.stem, kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Machine is not available", errors.TransientError),
        ("Error reading SSH protocol banner", errors.TransientError),
        ("No space left on device", errors.NoSpaceError),
        ("Receive ready timeout exceeded", errors.UncertainError),
        ("cat: /x: No such file or directory", errors.NotFoundError),
    ],
)
def test_words_are_more_definite_than_headers(text: str, kind: type[errors.GatewayError]) -> None:
    response = answer(400, {"description": "Error on upload operation", "error": text}, X_Error=text)
    assert V1.classify(response, V1.text(response)) is kind


def test_a_missing_route_is_not_a_missing_path() -> None:
    assert V1.classify(answer(404, {"description": "No such file or directory"}), "") is errors.NotFoundError


def test_a_page_of_something_else_is_foreign() -> None:
    assert V1.classify(answer(302), "") is errors.ForeignAnswerError
