"""Paths of v1."""

from __future__ import annotations

import re

_PATHS = re.compile(
    r"/(utilities|tasks|reservations|storage/xfer-(external|internal)"
    r"|compute/(jobs|acct|nodes|partitions|reservations)"
    r"|status/(parameters|services|filesystems|systems/.+))(/|$)"
)


def serves(path: str) -> bool:
    """Return whether a path belongs to v1. `/status/systems`, which both versions have, belongs to v2."""
    return _PATHS.match(path) is not None


def service_of(path: str) -> str:
    """Return the service of a v1 path."""
    return path.split("/", 2)[1]
