"""The server in the foreground: signals, a child command, and the client's variables."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_KILL_DELAY = 10.0
_WAIT_STEP = 0.2


def export_lines(variables: Mapping[str, str]) -> str:
    """Return shell lines that export variables."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def write_env_file(path: Path, variables: Mapping[str, str]) -> None:
    """Write export lines atomically to a file that only its owner can read.

    Raises:
        OSError: the file cannot be written.
    """
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(export_lines(variables))
        Path(partial).replace(path)
    except OSError:
        Path(partial).unlink(missing_ok=True)
        raise


class StopRequest:
    """A flag that a signal handler sets to stop the process.

    A `threading.Event` could deadlock: the handler runs in the thread that waits, and may need the event's
    lock while the wait holds it.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Request the stop; may be called by a signal handler."""
        self._is_set = True

    def is_set(self) -> bool:
        """Return whether a stop was requested."""
        return self._is_set

    def wait(self) -> None:
        """Wait until a stop is requested.

        The wait proceeds in steps, as a signal just before `sleep` does not shorten it.
        """
        while not self._is_set:
            time.sleep(_WAIT_STEP)


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Record Ctrl-C, SIGTERM and SIGHUP as a request, without any other effect, while the context is open."""
    request = StopRequest()

    def note(_signum: int, _frame: FrameType | None) -> None:
        request.set()

    previous = {signum: signal.signal(signum, note) for signum in _STOP_SIGNALS}
    try:
        yield request
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def run_around(
    command: Sequence[str],
    variables: Mapping[str, str],
    stop: StopRequest,
    environment: Mapping[str, str] = os.environ,
) -> int:
    """Run a command with additional variables and return its exit code, 128 + n for signal n.

    The terminal sends Ctrl-C to the command directly. SIGTERM and SIGHUP are passed on; the command is killed
    if it runs 10 s longer.

    Args:
        command: the program and its arguments.
        variables: additional environment variables.
        stop: if it is set, nothing is run.
        environment: the command's environment without these variables.

    Raises:
        OSError: the command cannot be started.
    """
    process: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(signum: int, _frame: FrameType | None) -> None:
        if process is None:
            early.append(signum)
        elif signum != signal.SIGINT:
            process.send_signal(signum)
            threading.Thread(target=_kill_after_delay, args=(process,), daemon=True).start()

    previous = {signum: signal.signal(signum, pass_on) for signum in _STOP_SIGNALS}
    try:
        if stop.is_set() or early:
            return 128 + signal.SIGTERM
        process = subprocess.Popen(command, env={**environment, **variables})  # noqa: S603  the user's own command line
        for signum in early:
            pass_on(signum, None)
        code = _wait_in_steps(process)
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
    return code if code >= 0 else 128 - code


def _wait_in_steps(process: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return process.wait(_WAIT_STEP)
        except subprocess.TimeoutExpired:
            # Signal handlers run between the steps.
            continue


def _kill_after_delay(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_KILL_DELAY)
    except subprocess.TimeoutExpired:
        process.kill()
