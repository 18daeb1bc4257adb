"""Identity of the process that writes a journal: where it runs, its number, and when it started.

Host names are no identity, and process ids are reused and differ between containers. The kernel's boot id
is random and new at each start of a machine (random(4)); with the namespaces of process ids and of time it
says where a process id and a start time mean the same (pid_namespaces(7), time_namespaces(7)).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MACHINE_ID = Path("/etc/machine-id")
_NAMESPACES = ("pid", "time")
_START_TIME = 19
"""Place of ``starttime`` among the fields of /proc/PID/stat behind the command's name (proc(5))."""


@dataclass(frozen=True)
class ProcessIdentity:
    """A process on some machine.

    Attributes:
        boot: the kernel's boot id; empty if it could not be read.
        namespaces: of process ids and of time; empty if they could not be read.
        pid: the process id in these namespaces.
        started: clock ticks from the machine's start to the process's; 0 if they could not be read.
    """

    boot: str
    namespaces: str
    pid: int
    started: int


class Process(str, Enum):
    """Knowledge of another process."""

    RUNS = "runs"
    GONE = "gone"
    UNKNOWN = "unknown"


def boot_id() -> str:
    """Return the kernel's boot id; empty if it can't be read."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def machine() -> str:
    """Return an id of this machine's installation; empty if it has none.

    Machines that were cloned can share it. The original must not be shown (machine-id(5)), so it is hashed.
    """
    try:
        installed = _MACHINE_ID.read_bytes().strip()
    except OSError:
        return ""
    return hashlib.sha256(b"reframe-firecrest" + installed).hexdigest()[:16] if installed else ""


def namespaces() -> str:
    """Return the namespaces of process ids and of time; empty if they can't be read."""
    try:
        return " ".join(os.readlink(f"/proc/self/ns/{kind}") for kind in _NAMESPACES)  # noqa: PTH115
    except OSError:
        return ""


def started_at(pid: int) -> int:
    """Return when a process started, in clock ticks; 0 if that can't be read."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        # The command's name may hold blanks and parentheses.
        return int(stat.rpartition(")")[2].split()[_START_TIME])
    except (OSError, ValueError, IndexError):
        return 0


def own_identity() -> ProcessIdentity:
    """Return the identity of this process."""
    pid = os.getpid()
    return ProcessIdentity(boot_id(), namespaces(), pid, started_at(pid))


def look_for(process: ProcessIdentity) -> Process:
    """Look for a process; unknown unless it is, or was, visible from here."""
    here = boot_id(), namespaces()
    if not all(here) or here != (process.boot, process.namespaces):
        return Process.UNKNOWN
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return Process.GONE
    except (PermissionError, OverflowError):
        pass
    started = started_at(process.pid)
    if not started or not process.started:
        return Process.UNKNOWN
    return Process.RUNS if started == process.started else Process.GONE
