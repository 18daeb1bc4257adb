"""A sandbox for the command line: until it is told to stop, or around one command."""

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
_PATIENCE = 10.0
_STEP = 0.2


def export_lines(variables: Mapping[str, str]) -> str:
    """Return shell lines that set variables for later commands."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def write_env_file(path: Path, variables: Mapping[str, str]) -> None:
    """Write the lines to a file that only its owner can read, all at once.

    Raises:
        OSError: the file can't be written.
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
    """Whether the process was asked to stop, said by a signal handler.

    A plain flag: a handler that sets a `threading.Event` while its own thread is about to wait for it would
    wait for the event's lock for ever.
    """

    def __init__(self) -> None:
        self._asked = False

    def set(self) -> None:
        """Ask; may be called by a signal handler."""
        self._asked = True

    def is_set(self) -> bool:
        """Tell whether it was asked."""
        return self._asked

    def wait(self) -> None:
        """Wait until it is asked.

        In steps: a signal that comes just before a thread falls asleep is heard when it wakes up.
        """
        while not self._asked:
            time.sleep(_STEP)


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """While the context lasts, Ctrl-C, SIGTERM and SIGHUP are noted as a request and do nothing else."""
    asked = StopRequest()

    def note(_signum: int, _frame: FrameType | None) -> None:
        asked.set()

    previous = {signum: signal.signal(signum, note) for signum in _STOP_SIGNALS}
    try:
        yield asked
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def run_around(
    command: Sequence[str],
    variables: Mapping[str, str],
    stop: StopRequest,
    environment: Mapping[str, str] = os.environ,
) -> int:
    """Run a command with more variables and return its exit code, 128 + n for signal n.

    Ctrl-C reaches the command by itself; SIGTERM and SIGHUP are passed on to it, and a
    command that doesn't heed them is killed after ten seconds.

    Args:
        command: the program and its arguments.
        variables: what its environment has besides.
        stop: set if it was already asked to stop; then nothing is run.
        environment: what its environment has to begin with.

    Raises:
        OSError: the command can't be started.
    """
    process: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(signum: int, _frame: FrameType | None) -> None:
        if process is None:
            early.append(signum)
        elif signum != signal.SIGINT:
            process.send_signal(signum)
            threading.Thread(target=_kill_after_patience, args=(process,), daemon=True).start()

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
            return process.wait(_STEP)
        except subprocess.TimeoutExpired:
            # Signals are heard here.
            continue


def _kill_after_patience(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
