"""Child processes with limits on time and output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firecrest_sandbox.errors import GatewayError, OperationTimeoutError, OutputLimitError

_INHERITED = frozenset(
    ("HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "SLURM_CONF", "TMPDIR", "TZ", "USER")
)
_INHERITED_PREFIXES = ("LC_", "LMOD_", "MODULE")
_CHUNK = 65536


def login_environment() -> dict[str, str]:
    """Return only the variables that a login sets.

    The server's own environment may contain secrets of a gateway, which jobs must not see.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }


@dataclass(frozen=True)
class Finished:
    """Output and exit status of a command."""

    stdout: bytes
    stderr: str
    status: int

    @property
    def text(self) -> str:
        """The output as text. Bytes that are not UTF-8 become U+FFFD, as in the real gateway."""
        return self.stdout.decode(errors="replace")


async def run_command(
    argv: Sequence[str],
    *,
    timeout: float,
    output_limit: int,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> Finished:
    """Run a command and return its result.

    Args:
        argv: the program and its arguments, without a shell.
        timeout: seconds after which the process group is killed.
        output_limit: bytes of standard output or standard error after which it is killed.
        stdin: standard input; empty by default.
        env: the complete environment; by default that of a login, with messages in English.
        cwd: the working directory.

    Raises:
        OperationTimeoutError: the command exceeded `timeout`.
        OutputLimitError: the command exceeded `output_limit`.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**login_environment(), "LC_ALL": "C"} if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except FileNotFoundError:
        return Finished(b"", f"bash: line 1: {argv[0]}: command not found", 127)
    failure: GatewayError | None = None

    def kill(reason: GatewayError) -> None:
        nonlocal failure
        failure = failure or reason
        signal_group(process.pid, signal.SIGKILL)

    timer = asyncio.get_running_loop().call_later(timeout, kill, OperationTimeoutError())
    try:
        stdout, stderr, _ = await asyncio.gather(
            _read(process.stdout, output_limit, kill),
            _read(process.stderr, output_limit, kill),
            _feed(process.stdin, stdin),
        )
        status = await process.wait()
    finally:
        timer.cancel()
        if process.returncode is None:
            signal_group(process.pid, signal.SIGKILL)
    if failure is not None:
        raise failure
    return Finished(stdout, stderr.decode(errors="replace"), status)


async def _read(
    stream: asyncio.StreamReader | None, limit: int, kill: Callable[[GatewayError], None]
) -> bytes:
    content = bytearray()
    # The pipe of a killed process must be read to its end, or asyncio does not notice the end of the process.
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        if len(content) <= limit:
            content += chunk
        if len(content) > limit:
            kill(OutputLimitError(limit))
    return bytes(content)


async def _feed(stream: asyncio.StreamWriter | None, content: bytes | None) -> None:
    if stream is None or content is None:
        return
    # A command may end before it has read its input.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(content)
        await stream.drain()
        stream.close()
        await stream.wait_closed()


def signal_group(leader: int, signum: int) -> None:
    """Send a signal to the process group of a leader; a group that has ended is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signum)


def signal_marked(variable: str, value: str, signum: int) -> bool:
    """Send a signal to all own processes with `variable=value` in their environment.

    This also finds children in other process groups and sessions. It needs `/proc`.

    Returns:
        Whether any process was found.
    """
    marker = f"{variable}={value}".encode()
    found = False
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if marker in environment.split(b"\0"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(entry.name), signum)
                found = True
    return found
