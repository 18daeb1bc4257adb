"""Where files on this machine are."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


@cache
def started_in() -> Path:
    """Return the directory in which the program was started, where relative paths begin.

    The first call has to come from there. ReFrame is elsewhere while it reads its configuration, and
    whenever it submits a job; it is there when it makes a scheduler.
    """
    return Path.cwd()


def local_path(text: str) -> Path:
    """Return the absolute path of a file that a user named, with ``~`` for the home directory."""
    return started_in() / os.path.expanduser(text)  # noqa: PTH111 - Path's own raises where there is no home
