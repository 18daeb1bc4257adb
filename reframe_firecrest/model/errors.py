"""Everything that can go wrong, as a tree.

    FirecrestError
    ├── SettingsError             a setting is missing or wrong; the line says which, where and how to mend it
    ├── StagingError              the local side: a stage directory that can't be packed or unpacked
    │   ├── DamagedArchiveError   an archive that did not come as it was packed; it may the next time
    │   └── HostileArchiveError   what comes from the remote side and must not, or can't, have its place here
    ├── DetectionError            what a node or a configuration tells can't be used
    ├── RunError                  a run is not known, or what is said to be its own must not be touched
    ├── ReportError               ReFrame's report can't be used, or a page of it not be written
    ├── DemoError                 what the demonstration runs is not there
    ├── JobLostError              Slurm has forgotten the job, or not known it for longer than the grace time
    ├── JobHeldError              Slurm will never start the job, or not again
    └── GatewayError              the remote side
        ├── TransientError        nothing happened there; asking again is safe
        ├── UncertainError        something may have happened there; look before repeating
        │   └── OutageError       because something is away that the gateway needs there
        └── FinalError            repeating won't help
            ├── AuthError         the identity provider or the gateway refuses who we are
            ├── NotFoundError     no such path, job or system
            ├── ForbiddenError    the user may not do that there
            ├── UnlistableError   no list of jobs can be had; single jobs can be asked for
            ├── TooLargeError     above the limit for a direct transfer
            │   └── LimitExceededError   an answer is larger or deeper than this side allows
            ├── OperationTimeoutError   the gateway cut the operation off; what it left behind is incomplete
            ├── RejectedError     Slurm or the gateway understood the request and said no
            │   └── NoSpaceError  the disk is full there, or the user's quota used up
            └── ProtocolError     an answer that is not what the API promises
                └── ForeignAnswerError   no answer of FirecREST's: a proxy's page, or half an answer

Whether to repeat is read from the class: `TransientError` yes, `UncertainError` only if the operation
may be done twice, `FinalError` never.
"""

from __future__ import annotations

import typing

from reframe_firecrest.model.file_names import showable

ErrorKind = typing.TypeVar("ErrorKind", bound="GatewayError")

LONGEST = 4000
"""Characters of an error's text: what it quotes from the remote side can be of any length."""


def one_line(text: str) -> str:
    """Write a text so that it is one line that any terminal and log can show.

    Names and messages of the remote side may hold newlines, control sequences and bytes that are no text.
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
    """An archive did not come as it was packed; it may the next time."""


class HostileArchiveError(StagingError):
    """What comes from the remote side must not, or can't, have the place that it is meant for."""


class DetectionError(FirecrestError):
    """What a node tells of itself, or a configuration of its partitions, can't be used."""


class RunError(FirecrestError):
    """A run is not known, or what is said to be its own must not be touched."""


class ReportError(FirecrestError):
    """ReFrame's report can't be used, or a page of it not be written."""


class DemoError(FirecrestError):
    """What the demonstration runs is not there."""


class JobLostError(FirecrestError):
    """Slurm has forgotten the job, or not known it for longer than the grace time."""


class JobHeldError(FirecrestError):
    """Slurm will never start the job, or not again."""


class GatewayError(FirecrestError):
    """The remote side failed.

    Args:
        message: one line for the user.
        status: the HTTP status, if there was an answer.
        retry_after: seconds after which the gateway wants to be asked again, if it said so.
        own: the answer, if there was one, is FirecREST's; otherwise a proxy's in front of it.
        detail: all that the remote side said, to search in; the message is cut. Without it, the message.
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
    """Nothing happened on the remote side; asking again is safe."""


class UncertainError(GatewayError):
    """Something may have happened on the remote side; look before repeating."""


class OutageError(UncertainError):
    """Something that the gateway needs on the system is away, however often that is the answer."""


class FinalError(GatewayError):
    """Repeating won't help."""


class AuthError(FinalError):
    """The identity provider or the gateway refuses who we are."""


class NotFoundError(FinalError):
    """No such path, job or system."""


class ForbiddenError(FinalError):
    """The user may not do that there."""


class UnlistableError(FinalError):
    """No list of jobs can be had from the gateway, although single jobs can be asked for."""


class TooLargeError(FinalError):
    """Above the gateway's limit for a direct transfer."""


class LimitExceededError(TooLargeError):
    """An answer is larger or deeper than this side allows."""


class OperationTimeoutError(FinalError):
    """The gateway cut the operation off; what it left behind is incomplete."""


class RejectedError(FinalError):
    """Slurm or the gateway understood the request and said no."""


class NoSpaceError(RejectedError):
    """The disk is full there, or the user's quota is used up."""


class ProtocolError(FinalError):
    """An answer that is not what the API promises."""


class ForeignAnswerError(ProtocolError):
    """No answer of FirecREST's: a proxy's page, or half an answer.

    It is final only where FirecREST has never answered, so that the URL may be wrong.
    """
