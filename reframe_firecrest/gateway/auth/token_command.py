"""Runs the user's command that prints a token."""

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
from reframe_firecrest.gateway.http import policy
from reframe_firecrest.model import errors
from reframe_firecrest.settings import local_paths
from reframe_firecrest.settings.credentials import TokenCommand

MAX_OUTPUT = 65536
"""Bytes that a token may have: some carry long lists of groups, but none is near this."""

LAST_READ = 1.0
"""Seconds for which the pipes of a killed command are read to their end."""

MAX_COMPLAINT = 200
"""Characters of the command's complaint that are shown."""

_NO_RESOURCES = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


class CommandSource:
    """A command whose standard output is a token.

    It runs without a shell and without a terminal, in the directory in which ReFrame was started.
    """

    remedy = "check what 'token_command' prints and what its owner may do there"

    def __init__(self, credentials: TokenCommand) -> None:
        self._words = credentials.token_command
        self._name = f"the token command {Path(self._words[0]).name!r}"
        self._has_given = False

    async def fetch(self) -> Grant:
        """Run it.

        Raises:
            AuthError: there is no such command.
            ProtocolError: what it prints is no token.
            TransientError: it failed: it can't tell an outage from a mistake. So is anything else that goes
                wrong with a command that has given a token before.
        """
        process = await self._start()
        try:
            output, complaint, code = await asyncio.wait_for(_result(process), policy.TOKEN_COMMAND.timeout)
        except asyncio.TimeoutError:
            await _end(process)
            raise errors.TransientError(
                f"{self._name} gives no token: it has not ended within {policy.TOKEN_COMMAND.timeout:.0f} s"
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
            # What it printed is not shown: there may be a token in it.
            kind = errors.TransientError if self._has_given else errors.ProtocolError
            raise kind(
                f"{self._name} prints no token; it has to print a token and nothing else, "
                "or a JSON object with access_token"
            ) from None
        self._has_given = True
        return grant

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            # A session of its own: Ctrl-C must not reach the command, since cancelling jobs needs a token,
            # and ReFrame, which waits for any child of its process group, must not take its exit code away.
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
    """Read to the end, but keep no more than tells that it is too much: of the beginning or of the end."""
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
    """Return what may be a token in the output of a command that failed all the same."""
    return re.findall(r"[^\s\"',:{}]{8,}", output.decode(errors="replace"))


def _last_line(complaint: bytes, secrets: Iterable[str]) -> str:
    lines = [line.strip() for line in complaint.decode(errors="replace").splitlines() if line.strip()]
    line = lines[-1] if lines else ""
    for secret in secrets:
        line = line.replace(secret, "***")
    return "".join(character for character in line if character.isprintable())[:MAX_COMPLAINT]
