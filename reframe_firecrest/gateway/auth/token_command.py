"""Tokens from a command of the user's."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from reframe_firecrest.gateway.auth.tokens import Grant, parse_command_output
from reframe_firecrest.gateway.http import operations
from reframe_firecrest.model import errors, local_paths
from reframe_firecrest.model.units import format_duration
from reframe_firecrest.settings.credentials import TokenCommand

MAX_OUTPUT = 65536
"""Bytes that a token may have; those with long lists of groups are far smaller."""

LAST_READ = 1.0
"""Seconds for reading the rest of the pipes of a killed command."""

MAX_COMPLAINT = 200
"""Characters of the command's error message that are shown."""

_NO_RESOURCES = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


class CommandSource:
    """A command whose standard output is a token.

    It runs without a shell and without a terminal, in the directory in which ReFrame was started.
    """

    remedy = "check what 'token_command' prints, and its owner's permissions"

    def __init__(self, credentials: TokenCommand) -> None:
        self._words = credentials.token_command
        self._name = f"the token command {Path(self._words[0]).name!r}"
        self._has_given = False

    async def fetch(self) -> Grant:
        """Run the command.

        Raises:
            AuthError: the command does not exist.
            ProtocolError: its output is not a token.
            TransientError: it failed, since its exit code does not distinguish an outage from a mistake; or
                anything else went wrong with a command that has printed a token before.
        """
        timeout = operations.TOKEN_COMMAND.timeout
        process = await self._start()
        try:
            output, complaint, code = await asyncio.wait_for(
                _result(process), operations.TOKEN_COMMAND.timeout
            )
        except asyncio.TimeoutError:
            await _end(process)
            raise errors.TransientError(
                f"{self._name} gives no token: it has not ended within {format_duration(timeout)}; "
                "check that it asks for no input"
            ) from None
        except asyncio.CancelledError:
            await _end(process)
            raise
        if code:
            how = f"it ended with exit code {code}" if code > 0 else f"signal {-code} ended it"
            reason = _last_line(complaint, _secrets_in(output))
            raise errors.TransientError(f"{self._name} gives no token: {how}{': ' if reason else ''}{reason}")
        try:
            grant = parse_command_output(output if len(output) <= MAX_OUTPUT else b"")
        except ValueError:
            # The output is not shown, since it may contain a token.
            kind = errors.TransientError if self._has_given else errors.ProtocolError
            raise kind(
                f"{self._name} prints no token; check that it prints a token and "
                "nothing else, or a JSON object with access_token"
            ) from None
        self._has_given = True
        return grant

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            # In its own session, so that Ctrl-C does not reach it, since cancelling jobs needs a token, and
            # ReFrame, which waits for any child of its process group, does not reap it.
            return await asyncio.create_subprocess_exec(
                *self._words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                cwd=local_paths.started_in(),
            )
        except OSError as error:
            again = self._has_given or error.errno in _NO_RESOURCES
            kind = errors.TransientError if again else errors.AuthError
            raise kind(
                f"{self._name} can't be started: {error.strerror or error}; check 'token_command'"
            ) from None


async def _read(stream: asyncio.StreamReader | None, *, last: bool = False) -> bytes:
    """Read to the end; keep one byte more than is allowed, of the beginning or of the end."""
    kept = bytearray()
    while stream is not None and (chunk := await stream.read(MAX_OUTPUT)):
        kept += chunk
        del kept[slice(0, -MAX_OUTPUT - 1) if last else slice(MAX_OUTPUT + 1, None)]
    return bytes(kept)


async def _result(process: asyncio.subprocess.Process) -> tuple[bytes, bytes, int]:
    return await asyncio.gather(_read(process.stdout), _read(process.stderr, last=True), process.wait())


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(asyncio.TimeoutError):
        # A descendant that has left the group can still hold the pipes.
        await asyncio.wait_for(_result(process), LAST_READ)


def _secrets_in(output: bytes) -> list[str]:
    """Return what may be a token in the output of a failed command."""
    return re.findall(r"[^\s\"',:{}]{8,}", output.decode(errors="replace"))


def _last_line(complaint: bytes, secrets: Iterable[str]) -> str:
    lines = [line.strip() for line in complaint.decode(errors="replace").splitlines() if line.strip()]
    line = lines[-1] if lines else ""
    for secret in secrets:
        line = line.replace(secret, "***")
    return "".join(character for character in line if character.isprintable())[:MAX_COMPLAINT]
