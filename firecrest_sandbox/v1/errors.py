"""Errors of FirecREST v1: a body with `description` and `error`, and one of many headers.

The tables are those of the recorded gateway (eth-cscs/firecrest 1.16.6). The first rule that matches a
command's message applies. A missing file is 400, not 404.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firecrest_sandbox.errors import (
    CommandError,
    GatewayError,
    OperationTimeoutError,
    OutputLimitError,
    PathError,
)

TIMED_OUT = "Command has finished with timeout signal"
_MISSING = "No such file"
_NO_ACCESS = "User does not have permissions to access path"


@dataclass(frozen=True)
class _Rule:
    """Texts of an error message, and the header for a message with all of them."""

    texts: tuple[str, ...]
    header: str
    value: str

    def matches(self, message: str) -> bool:
        return all(text in message for text in self.texts)


_RULES = (
    _Rule(("cannot access",), "X-Invalid-Path", "path is an invalid path"),
    _Rule((_MISSING, "cannot stat"), "X-Not-Found", "sourcePath not found"),
    _Rule((_MISSING, "cannot create"), "X-Invalid-Path", "sourcePath and/or targetPath are invalid paths"),
    _Rule((_MISSING, "cannot move"), "X-Invalid-Path", "sourcePath and/or targetPath are invalid paths"),
    _Rule((_MISSING, "cannot remove"), "X-Invalid-Path", "path is an invalid path."),
    _Rule((_MISSING,), "X-Invalid-Path", "path is an invalid path"),
    _Rule(("cannot open",), "X-Permission-Denied", _NO_ACCESS),
    _Rule(("Permission denied",), "X-Permission-Denied", _NO_ACCESS),
    _Rule(("File exists", "mkdir: cannot create directory"), "X-Exists", "targetPath already exists"),
    _Rule(("File exists", "ln: failed to create symbolic link"), "X-Exists", "targetPath already exists"),
    _Rule(("Not a directory",), "X-Not-A-Directory", "targetPath is not a directory"),
    _Rule(("directory",), "X-A-Directory", "path is a directory, can't checksum directories"),
    _Rule(("overwrite",), "X-Exists", "targetPath already exists"),
    _Rule(("not permitted",), "X-Permission-Denied", _NO_ACCESS),
    _Rule(("invalid group",), "X-Invalid-Group", "group is an invalid group"),
    _Rule(("invalid user",), "X-Invalid-Owner", "owner is an invalid user"),
    _Rule(("invalid mode",), "X-Invalid-Mode", "mode is an invalid mode"),
)
_PROBE_RULES = (
    _Rule((_MISSING,), "X-Invalid-Path", "{path} is an invalid path."),
    _Rule(
        ("Permission denied",),
        "X-Permission-Denied",
        "User does not have permissions to access machine or path",
    ),
    _Rule(("Not a directory",), "X-Not-A-Directory", "{path} is not a directory"),
    _Rule(("directory",), "X-A-Directory", "{path} is a directory"),
)


class RefusedError(Exception):
    """Refusal of a request, with a status, a body and headers."""

    def __init__(
        self, status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = dict(body)
        self.headers = dict(headers or {})

    @classmethod
    def because(cls, description: str, error: str, headers: Mapping[str, str] | None = None) -> RefusedError:
        """Return the usual refusal: status 400 with two texts."""
        return cls(400, {"description": description, "error": error}, headers)


def message_of(error: GatewayError) -> str:
    """Return v1's message for a failed command: its error output without line breaks."""
    if isinstance(error, CommandError):
        return joined(error.stderr)
    if isinstance(error, OperationTimeoutError):
        return TIMED_OUT
    if isinstance(error, OutputLimitError):
        return f"Command output exceeded buffer limit ({error.limit})"
    if isinstance(error, PathError):
        # The real gateway relies on the system's permissions.
        return f"{error.path}: Permission denied"
    return error.message


def joined(text: str) -> str:
    """Return a text without line breaks, as in v1's tasks and errors."""
    return text.replace("\n", "")


def operation_refused(error: GatewayError, description: str) -> RefusedError:
    """Return the refusal of a file operation whose command failed."""
    text = message_of(error)
    if isinstance(error, OperationTimeoutError):
        header = {"X-Timeout": TIMED_OUT}
    else:
        matching = (rule for rule in _RULES if rule.matches(text))
        match = next(matching, _Rule((), "X-Error", _for_header(text)))
        header = {match.header: match.value}
    return RefusedError.because(description, text, header)


def probe_headers(error: GatewayError, path: str) -> dict[str, str]:
    """Return the header of the refusal for a path without read or write access."""
    text = message_of(error)
    if isinstance(error, OperationTimeoutError):
        return {"X-Timeout": TIMED_OUT}
    for rule in _PROBE_RULES:
        if rule.matches(text):
            return {rule.header: _for_header(rule.value.format(path=path))}
    return {"X-Error": _for_header(text)}


def _for_header(text: str) -> str:
    return text.encode("latin-1", "replace").decode("latin-1")
