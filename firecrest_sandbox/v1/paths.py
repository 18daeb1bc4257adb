"""Which paths are v1's."""

from __future__ import annotations

import re

_PATHS = re.compile(
    r"/(utilities|tasks|reservations|storage/xfer-(external|internal)"
    r"|compute/(jobs|acct|nodes|partitions|reservations)"
    r"|status/(parameters|services|filesystems|systems/.+))(/|$)"
)


def serves(path: str) -> bool:
    """Tell whether a path is v1's; the only one that both generations have, `/status/systems`, is v2's."""
    return _PATHS.match(path) is not None


def service_of(path: str) -> str:
    """Return the name of the service that a path of v1 belongs to."""
    return path.split("/", 2)[1]
