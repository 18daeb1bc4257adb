"""Slurm's words decide what an answer means, in whatever status, version and company they come."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.gateway.http import error_translation, operations, policy, slurm_messages
from reframe_firecrest.gateway.http.error_mapping import V2
from reframe_firecrest.gateway.v1.error_mapping import V1, meaning_of
from reframe_firecrest.model import errors
from tests.gateway.helpers import answer

SBATCH = "sbatch: error: Batch job submission failed: "
COMMAND = "Unexpected Slurm command response. exit_status:1 std_err:"
QUOTA = "Job submission rejected: accounting/QOS policy limit exceeded. "
POLICY = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"

REFUSED = (
    POLICY,
    "Invalid account or account/partition combination specified",
    "Invalid partition name specified",
    "Invalid qos specification",
    "Requested node configuration is not available",
    "Requested nodes are busy",
    "Requested time limit is invalid (missing or exceeds some limit)",
    "Node count specification invalid",
    "More processors requested than permitted",
    "Invalid feature specification",
    "Access/permission denied",
    "User's group not permitted to use this partition",
    "Requested reservation is invalid",
    "Resource temporarily unavailable",
    "Unable to create job record, try again",
    "A reason that no version has had so far",
)
AWAY = (
    "Unable to contact slurm controller (connect failure)",
    "Socket timed out on send/recv operation",
    "Zero Bytes were transmitted or received",
    "Protocol authentication error",
)
RETRYING = "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying"

TIMES = st.sampled_from([400, 403, 404, 409, 422, 500, 503])


def error_of(status: int, text: str) -> errors.GatewayError:
    response = answer(status, text)
    response.request = httpx.Request("POST", "http://gateway.test")
    problem = httpx.HTTPStatusError("no", request=response.request, response=response)
    found = error_translation.translate_error(operations.SUBMIT, problem, "'daint'", error_mapping=V2)
    return policy.in_context(operations.SUBMIT, found, answered=True)


@given(TIMES, st.sampled_from(REFUSED), st.sampled_from([COMMAND, QUOTA, ""]))
def test_a_refusal_by_slurm_is_one_whatever_the_status(status: int, reason: str, around: str) -> None:
    text = f"{around}sbatch: error: AssocMaxSubmitJobLimit\n{SBATCH}{reason}\n"
    assert type(error_of(status, text)) is errors.RejectedError
    assert slurm_messages.is_refused_by_sbatch(text.replace("\n", ""))


@given(TIMES, st.sampled_from(AWAY))
def test_a_submission_that_reached_no_controller_leaves_it_open_whatever_the_status(
    status: int, reason: str
) -> None:
    assert isinstance(error_of(status, f"{COMMAND}{SBATCH}{reason}\n"), errors.UncertainError)
    assert not slurm_messages.is_refused_by_sbatch(f"{SBATCH}{reason}")


@pytest.mark.parametrize("before", ["", "sbatch: error: AssocMaxSubmitJobLimit\n", f"{RETRYING}\n"])
def test_the_last_reason_is_why_sbatch_gave_up(before: str) -> None:
    assert slurm_messages.meaning_of(f"{COMMAND}{before}{SBATCH}{POLICY}") is errors.RejectedError
    assert slurm_messages.meaning_of(f"{COMMAND}{before}{SBATCH}{AWAY[1]}") is errors.OutageError


def test_a_warning_of_sbatch_leaves_it_open() -> None:
    for status in ("exit_status:-1", "exit_status:None", "exit_status:1"):
        text = f"Unexpected Slurm command response. {status} std_err:{RETRYING}\n"
        assert slurm_messages.meaning_of(text) is errors.UncertainError
    assert not slurm_messages.is_refused_by_sbatch(RETRYING)


def test_a_complaint_of_an_sbatch_that_was_ended_is_no_refusal() -> None:
    said = "sbatch: error: something new\n"
    assert slurm_messages.meaning_of(f"{COMMAND}{said}") is errors.RejectedError
    assert (
        slurm_messages.meaning_of(f"Unexpected Slurm command response. exit_status:-1 std_err:{said}") is None
    )
    assert slurm_messages.meaning_of(said) is None


@pytest.mark.parametrize("name", ["Socket timed out", "QOSMaxJobsPerUserLimit", "Invalid job id specified"])
def test_a_file_may_be_called_like_a_message(name: str) -> None:
    text = (
        f"Remote process failed with exit status:1 and error message:stat: '/x/\n{name}': Permission denied"
    )
    assert policy.classify(403, text) is errors.ForbiddenError
    assert (
        slurm_messages.meaning_of(f"{COMMAND}sbatch: error: Unable to open file /x/{name}")
        is errors.RejectedError
    )


def test_slurms_rest_interface_reports_the_same() -> None:
    text = (
        'Unexpected Slurm API response. status:500 message:{"errors": [{"description": "Batch job submission '
        'failed", "error_number": 2045, "error": "Invalid account or account/partition combination '
        'specified", "source": "slurm_submit_batch_job()"}]}'
    )
    assert slurm_messages.meaning_of(text) is errors.RejectedError
    assert (
        slurm_messages.meaning_of(text.replace("Invalid account or", "Unable to contact"))
        is errors.OutageError
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"sbatch: error: AssocMaxSubmitJobLimit{SBATCH}{POLICY}", errors.RejectedError),
        ("slurm_load_jobs error: Invalid job id specified", errors.RejectedError),
        ("slurm_load_jobs error: Unable to contact slurm controller (connect failure)", errors.OutageError),
        ("sacct: error: Problem talking to the database: Connection refused", errors.UncertainError),
        ("scancel: error: Kill job error on job id 7: Access/permission denied", errors.ForbiddenError),
    ],
)
def test_v1s_tasks_are_read_by_the_same_table(text: str, kind: type[errors.GatewayError]) -> None:
    assert meaning_of(text) is kind
    headed = answer(400, {"description": "Failed", "error": text}, X_Error="no")
    assert V1.classify(headed, V1.text(headed)) is kind


def test_a_reason_beyond_what_a_user_is_shown_still_counts() -> None:
    text = f"{QUOTA}{'sbatch: error: a long word of the site. ' * 30}\n{SBATCH}QOSMaxSubmitJobPerUserLimit"
    error = error_of(403, text)
    assert type(error) is errors.RejectedError
    assert len(str(error)) < 600
    assert "QOSMaxSubmitJobPerUserLimit" in error.detail


def test_no_message_is_in_the_table_twice() -> None:
    texts = [message.text for message in slurm_messages.MESSAGES]
    assert len(texts) == len(set(texts))


@given(st.text(), st.integers(400, 599))
def test_no_text_makes_a_refusal_out_of_nothing(text: str, status: int) -> None:
    assert issubclass(policy.classify(status, text), errors.GatewayError)
