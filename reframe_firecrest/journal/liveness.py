"""Whether the process that writes a journal is still there.

The kernel tells: the process holds a lock on the file and loses it when it ends, however that happens. A
process id could tell less, since another container or host has its own, and ids are given again. Where there
are no locks, or where they may hold on one host only and the journal is another host's, the age of its last
line decides: a session writes one a minute.
"""

from __future__ import annotations

import fcntl
import socket
import time
from enum import Enum
from pathlib import Path

from reframe_firecrest.journal.reading import Story

SILENCE = 6 * 3600.0
"""Seconds without a line after which a session counts as gone where nothing else tells."""


class Standing(str, Enum):
    """How a session stands."""

    GOES_ON = "goes on"
    ENDED = "ended"
    KILLED = "killed"


def is_held(path: Path) -> bool | None:
    """Tell whether a process holds the lock on a journal; None where that can't be told."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def standing_of(story: Story) -> Standing:
    """Tell how the session stands that writes, or wrote, a journal."""
    if story.closed is not None:
        return Standing.ENDED
    held = is_held(story.path)
    if held:
        return Standing.GOES_ON
    if held is False and story.opened.locked and story.opened.host == socket.gethostname():
        return Standing.KILLED
    return Standing.KILLED if time.time() - story.last > SILENCE else Standing.GOES_ON
