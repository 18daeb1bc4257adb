"""Child processes with limits: on their time, on their output, and on their survival."""

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
    """Return the variables that a login would set, and nothing else.

    The sandbox's own environment may hold a gateway's secrets; no job sees them.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    stdout: bytes
    stderr: str
    status: int

    @property
    def text(self) -> str:
        """The output as text; what isn't UTF-8 becomes U+FFFD, as the real gateway does it."""
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
    """Run a command to its end.

    Args:
        argv: the program and its arguments; no shell sees them.
        timeout: seconds after which the command and its children are killed.
        output_limit: bytes of standard output or error after which they are killed.
        stdin: what the command reads; nothing by default.
        env: the whole environment; the one of a login by default, with messages in English.
        cwd: the working directory.

    Raises:
        OperationTimeoutError: it ran longer than `timeout`.
        OutputLimitError: it printed more than `output_limit`.
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
    # What a killed process has left in the pipe has to be read, or its end is never noticed.
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        if len(content) <= limit:
            content += chunk
        if len(content) > limit:
            kill(OutputLimitError(limit))
    return bytes(content)


async def _feed(stream: asyncio.StreamWriter | None, content: bytes | None) -> None:
    if stream is None or content is None:
        return
    # A command may end without having read all that it was given.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(content)
        await stream.drain()
        stream.close()
        await stream.wait_closed()


def signal_group(leader: int, signum: int) -> None:
    """Send a signal to the process group that a process leads; one that has ended is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signum)


def signal_marked(variable: str, value: str, signum: int) -> bool:
    """Send a signal to all processes of ours that have `variable=value` in their environment.

    Children that moved to a process group or a session of their own are found this way.
    Without `/proc` none is found. Returns whether any was.
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
