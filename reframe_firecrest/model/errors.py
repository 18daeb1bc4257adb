"""Errors of this package.

    FirecrestError
    ├── SettingsError             a setting is missing or wrong; the message names its source and the remedy
    ├── StagingError              a local stage directory can't be packed or unpacked
    │   ├── DamagedArchiveError   an archive was damaged in transit; another download may succeed
    │   └── HostileArchiveError   a received file or path is unsafe or invalid here
    ├── DetectionError            a node's or a configuration's description can't be used
    ├── ModulesError              a snapshot of modules can't be used
    ├── RunError                  a run is unknown, or its files and jobs must not be touched
    ├── ReportError               ReFrame's report can't be used, or the page can't be written
    ├── PipelineError            the pipeline that ReFrame generated can't be used
    ├── DemoError                 a file of the demonstration is missing
    ├── JobLostError              Slurm does not know the job any more
    ├── JobHeldError              Slurm will not start the job, or not again
    └── GatewayError              the remote side failed
        ├── TransientError        the request had no effect; retrying is safe
        ├── UncertainError        the request may have had an effect; check before retrying
        │   └── OutageError       a service that the gateway needs is down
        └── FinalError            retrying does not help
            ├── AuthError         the identity provider or the gateway rejects the credentials
            ├── NotFoundError     no such path, job or system
            ├── ForbiddenError    the user lacks permission
            ├── UnlistableError   jobs can't be listed, but single jobs can be requested
            ├── TooLargeError     above the limit for a direct transfer
            │   └── LimitExceededError   a response is larger or deeper than this package allows
            ├── OperationTimeoutError   the gateway aborted the operation; its results are incomplete
            ├── RejectedError     Slurm or the gateway refused a valid request
            │   └── NoSpaceError  the system's disk is full, or the user's quota exceeded
            └── ProtocolError     a response that violates the API
                └── ForeignAnswerError   a response that is not FirecREST's, or is incomplete

The class decides about retrying: `TransientError` is retried, `UncertainError` only if the operation is
idempotent, and `FinalError` never.
"""

from __future__ import annotations

import typing

from reframe_firecrest.model.file_names import showable

ErrorKind = typing.TypeVar("ErrorKind", bound="GatewayError")

LONGEST = 4000
"""Largest length of an error's text in characters: quotations from the remote side can have any length."""


def one_line(text: str) -> str:
    """Escape a text to one printable line.

    Names and messages from the remote side may contain newlines, control sequences and invalid text.
    """
    text = showable(text)
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )


class FirecrestError(Exception):
    """Root of all errors of this package; its text is one printable line."""

    def __init__(self, message: str = "") -> None:
        text = one_line(message[:LONGEST])
        super().__init__(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")


class SettingsError(FirecrestError):
    """A setting is missing or wrong."""


class StagingError(FirecrestError):
    """A stage directory can't be packed or unpacked."""


class DamagedArchiveError(StagingError):
    """An archive was damaged in transit; another download may succeed."""


class HostileArchiveError(StagingError):
    """A received file or path is unsafe or invalid on this machine."""


class DetectionError(FirecrestError):
    """The description of a node, or of a configuration's partitions, can't be used."""


class ModulesError(FirecrestError):
    """A snapshot of a system's modules can't be used."""


class RunError(FirecrestError):
    """A run is unknown, or its files and jobs must not be touched."""


class ReportError(FirecrestError):
    """ReFrame's report can't be used, or the page can't be written."""


class PipelineError(FirecrestError):
    """The pipeline that ReFrame generated can't be used."""


class DemoError(FirecrestError):
    """A file of the demonstration is missing."""


class JobLostError(FirecrestError):
    """Slurm does not know the job any more, or has not known it for `job_lost_timeout`."""


class JobHeldError(FirecrestError):
    """Slurm will not start the job, or not again."""


class GatewayError(FirecrestError):
    """The remote side failed.

    Args:
        message: one line for the user.
        status: HTTP status of the response, if any.
        retry_after: value of the header ``Retry-After`` in seconds, if any.
        own: the response, if any, is FirecREST's, and not that of a proxy in front of it.
        detail: the complete text from the remote side, for matching; by default the message, which is cut.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        own: bool = True,
        detail: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.own = own
        self.detail = detail or message

    def as_kind(self, kind: type[ErrorKind]) -> ErrorKind:
        """Return the same failure as an error of another class."""
        return kind(
            str(self),
            status=self.status,
            retry_after=self.retry_after,
            own=self.own,
            detail=self.detail,
        )


class TransientError(GatewayError):
    """The request had no effect; retrying is safe."""


class UncertainError(GatewayError):
    """The request may have had an effect; check before retrying."""


class OutageError(UncertainError):
    """A service that the gateway needs on the system is down; repeated answers do not make it final."""


class FinalError(GatewayError):
    """Retrying does not help."""


class AuthError(FinalError):
    """The identity provider or the gateway rejects the credentials."""


class NotFoundError(FinalError):
    """No such path, job or system."""


class ForbiddenError(FinalError):
    """The user lacks permission on the system."""


class UnlistableError(FinalError):
    """The gateway can't list jobs, but single jobs can be requested."""


class TooLargeError(FinalError):
    """The file is above the gateway's limit for a direct transfer."""


class LimitExceededError(TooLargeError):
    """A response is larger or deeper than this package allows."""


class OperationTimeoutError(FinalError):
    """The gateway aborted the operation; its results are incomplete."""


class RejectedError(FinalError):
    """Slurm or the gateway refused a valid request."""


class NoSpaceError(RejectedError):
    """The system's disk is full, or the user's quota exceeded."""


class ProtocolError(FinalError):
    """A response violates the API."""


class ForeignAnswerError(ProtocolError):
    """A response is not FirecREST's, such as a proxy's page, or is incomplete.

    It is final only if FirecREST has never answered, because the URL may be wrong then.
    """
