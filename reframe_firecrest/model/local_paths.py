"""Paths of local files that users name."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


@cache
def started_in() -> Path:
    """Return the directory in which the program was started, the base of relative paths.

    The first call must be made while this is the working directory. ReFrame changes its working directory to
    read its configuration and to submit a job, but not to create a scheduler.
    """
    return Path.cwd()


def local_path(text: str) -> Path:
    """Return the absolute path of a file that a user named, with ``~`` for the home directory."""
    return started_in() / os.path.expanduser(text)  # noqa: PTH111 - Path's own raises where there is no home
