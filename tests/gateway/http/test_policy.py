from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.gateway.http import operations, policy
from reframe_firecrest.gateway.http.policy import RetryPolicy, classify, in_context, may_repeat
from reframe_firecrest.model import errors

OPERATIONS = [
    operations.CONNECT,
    operations.MKDIR,
    operations.LIST_FILES,
    operations.UPLOAD,
    operations.DOWNLOAD,
    operations.ARCHIVE,
    operations.REMOVE,
    operations.LIST_JOBS,
    operations.CANCEL,
    operations.TRANSFER,
]


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (500, "Error executing Slurm command. Unable to open a new SSH channel.", errors.TransientError),
        (500, "(111, 'Connection refused')", errors.TransientError),
        (500, "std_err:sacct: error: ... 127.0.0.1:16819: Connection refused", errors.UncertainError),
        (
            500,
            "std_err:sbatch: error: Batch job submission failed: Unable to contact slurm controller",
            errors.OutageError,
        ),
        (
            500,
            "std_err:sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            errors.OutageError,
        ),
        (500, "std_err:sbatch: error: Batch job submission failed: Invalid qos", errors.RejectedError),
        (500, "std_err:sbatch: error: CPU count per node can not be satisfied", errors.RejectedError),
        (
            500,
            "Remote process failed with exit status:1 and error message:No space left",
            errors.RejectedError,
        ),
        (
            500,
            "Remote process failed with exit status:1 and error message:base64: No space left on device",
            errors.NoSpaceError,
        ),
        (
            500,
            "Remote process failed with exit status:2 and error message:tar: a/b: Disk quota exceeded",
            errors.NoSpaceError,
        ),
        (500, "", errors.UncertainError),
        (502, "", errors.UncertainError),
        (429, "", errors.TransientError),
        (424, policy.NO_CHANNEL, errors.TransientError),
        (424, "SSH connection pool capacity exceeded", errors.TransientError),
        # The connection may have broken while the command ran: see ``ssh_client.py`` of FirecREST v2.
        (424, "Unable to establish SSH connection.", errors.UncertainError),
        (424, "SSH connection Reset.", errors.UncertainError),
        (424, "", errors.UncertainError),
        (501, "not implemented", errors.RejectedError),
        (503, "", errors.TransientError),
        (418, "", errors.RejectedError),
        (599, "", errors.UncertainError),
        (200, "", errors.ForeignAnswerError),
        (302, "", errors.ForeignAnswerError),
    ],
)
def test_an_answer_means(status: int, message: str, kind: type[errors.GatewayError]) -> None:
    assert classify(status, message) is kind


@pytest.mark.parametrize("operation", [*OPERATIONS, operations.SUBMIT])
def test_everything_may_be_repeated_when_nothing_happened(operation: operations.Operation) -> None:
    assert may_repeat(operation, errors.TransientError("x", status=503), 0)


@pytest.mark.parametrize("operation", [*OPERATIONS, operations.SUBMIT])
def test_nothing_is_repeated_that_will_not_get_better(operation: operations.Operation) -> None:
    assert not may_repeat(operation, errors.RejectedError("x", status=400), 1)


@pytest.mark.parametrize(
    "operation", [operations.SUBMIT, operations.QUEUE, operations.EXTRACT, operations.UNPACK]
)
@pytest.mark.parametrize("status", [None, 500, 502, 504])
def test_what_must_not_act_late_is_never_repeated_when_its_outcome_is_unknown(
    operation: operations.Operation, status: int | None
) -> None:
    assert not may_repeat(operation, errors.UncertainError("x", status=status), 1)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_anything_else_of_unknown_outcome_is_repeated(operation: operations.Operation) -> None:
    assert may_repeat(operation, errors.UncertainError("x"), 100)


def test_an_internal_error_that_comes_again_and_again_is_an_answer() -> None:
    error = errors.UncertainError("x", status=500)
    repeated = [may_repeat(operations.LIST_FILES, error, number) for number in range(1, 6)]
    assert repeated == [True, True, True, False, False]


def test_an_outage_that_shows_as_an_internal_error_is_waited_for() -> None:
    kind = classify(500, "('Channel not open for sending',)")
    error = kind("queueing a transfer on 'x' failed", status=500)
    assert may_repeat(operations.TRANSFER, error, 100)
    assert not may_repeat(operations.SUBMIT, error, 1)
    assert isinstance(in_context(operations.SUBMIT, error, answered=True), errors.OutageError)


@pytest.mark.parametrize("kind", [errors.ProtocolError, errors.ForeignAnswerError])
def test_what_nobody_promised_may_have_been_an_accident(kind: type[errors.GatewayError]) -> None:
    repeated = [may_repeat(operations.LIST_FILES, kind("x"), number) for number in range(1, 6)]
    assert repeated == [True, True, True, False, False]


def test_what_is_cut_off_is_tried_once_more_where_there_is_no_other_way() -> None:
    error = errors.OperationTimeoutError("x", status=408)
    assert [may_repeat(operations.MKDIR, error, number) for number in (1, 2)] == [True, False]
    assert not any(may_repeat(operation, error, 1) for operation in OPERATIONS if operation.fallback)


def test_who_an_identity_provider_refuses_asks_it_once_more() -> None:
    error = errors.AuthError("x")
    assert [may_repeat(operations.TOKEN, error, number) for number in (1, 2)] == [True, False]
    assert not any(may_repeat(operation, error, 1) for operation in OPERATIONS)


@pytest.mark.parametrize(
    ("operation", "error", "answered", "kind"),
    [
        (operations.LIST_JOBS, errors.ForeignAnswerError("x", status=200), True, errors.UncertainError),
        (operations.CONNECT, errors.ForeignAnswerError("x", status=200), False, errors.ForeignAnswerError),
        (operations.LIST_JOBS, errors.ProtocolError("x"), True, errors.ProtocolError),
        (operations.SUBMIT, errors.ForeignAnswerError("x", status=200), True, errors.UncertainError),
        (operations.SUBMIT, errors.OperationTimeoutError("x", status=408), True, errors.UncertainError),
        (operations.SUBMIT, errors.TooLargeError("x", status=413), True, errors.UncertainError),
        (operations.EXTRACT, errors.TooLargeError("x", status=413), True, errors.UncertainError),
        (operations.SUBMIT, errors.ForbiddenError("x", status=403), True, errors.ForbiddenError),
        (operations.SUBMIT, errors.ForbiddenError("x", status=403, own=False), True, errors.UncertainError),
        (operations.SUBMIT, errors.NotFoundError("x", status=404, own=False), False, errors.UncertainError),
        (operations.LIST_JOBS, errors.NotFoundError("x", status=404, own=False), True, errors.UncertainError),
        (operations.CONNECT, errors.NotFoundError("x", status=404, own=False), False, errors.NotFoundError),
        (operations.SUBMIT, errors.AuthError("x", status=401, own=False), True, errors.AuthError),
        (operations.SUBMIT, errors.TransientError("x", status=429, own=False), True, errors.TransientError),
        (
            operations.EXTRACT,
            errors.OperationTimeoutError("x", status=408),
            True,
            errors.OperationTimeoutError,
        ),
        (operations.SUBMIT, errors.RejectedError("x", status=400), True, errors.RejectedError),
        (operations.SUBMIT, errors.TransientError("x", status=503), True, errors.TransientError),
    ],
)
def test_an_error_means_for_an_operation(
    operation: operations.Operation,
    error: errors.GatewayError,
    answered: bool,
    kind: type[errors.GatewayError],
) -> None:
    assert type(in_context(operation, error, answered=answered)) is kind


class TestPauses:
    @given(st.integers(1, 10_000))
    def test_they_grow_up_to_a_limit(self, attempt: int) -> None:
        pause = RetryPolicy(pause=0.5, pause_max=20).pause_before(attempt, None)
        assert 0.25 <= pause <= 20

    def test_they_differ_so_that_many_do_not_come_back_at_once(self) -> None:
        retry_policy = RetryPolicy()
        assert len({retry_policy.pause_before(5, None) for _ in range(20)}) > 1

    @given(st.floats(0, 600))
    def test_what_the_gateway_asks_for_is_obeyed(self, retry_after: float) -> None:
        assert retry_after <= RetryPolicy().pause_before(1, retry_after) <= retry_after + 0.25
