"""Where files on this machine are."""

from __future__ import annotations

import os
from pathlib import Path

STARTED_IN = Path.cwd()
"""Where relative paths begin: ReFrame changes its directory whenever it submits a job."""


def local_path(text: str) -> Path:
    """Return the absolute path of a file that a user named, with ``~`` for the home directory."""
    return STARTED_IN / os.path.expanduser(text)  # noqa: PTH111 - Path's own raises where there is no home
