"""Identity of the process that writes a journal: kernel, namespaces, process id and start time.

Host names are not unique, and process ids are reused and differ between containers. The kernel's boot id is
random and new at each start of a machine (random(4)). Process ids and start times are comparable if the boot
id and the namespaces of process ids and of time agree (pid_namespaces(7), time_namespaces(7)).
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
"""Index of ``starttime`` among the fields of /proc/PID/stat after the command's name (proc(5))."""


@dataclass(frozen=True)
class ProcessIdentity:
    """Identity of a process on any machine.

    Attributes:
        boot: the kernel's boot id; empty if it could not be read.
        namespaces: namespaces of process ids and of time; empty if they could not be read.
        pid: the process id in these namespaces.
        started: start time in clock ticks since the machine's start; 0 if it could not be read.
    """

    boot: str
    namespaces: str
    pid: int
    started: int


class Process(str, Enum):
    """State of another process, as far as it can be seen."""

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
    """Return a hashed id of this machine's installation; empty if it has none.

    Cloned machines may share it. The original id is confidential (machine-id(5)).
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
    """Return a process's start time in clock ticks since the machine's start; 0 if it can't be read."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        # The command's name may contain blanks and parentheses.
        return int(stat.rpartition(")")[2].split()[_START_TIME])
    except (OSError, ValueError, IndexError):
        return 0


def own_identity() -> ProcessIdentity:
    """Return the identity of this process."""
    pid = os.getpid()
    return ProcessIdentity(boot_id(), namespaces(), pid, started_at(pid))


def look_for(process: ProcessIdentity) -> Process:
    """Look for a process; the result is unknown unless its kernel and namespaces are this process's own."""
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
