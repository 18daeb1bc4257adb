"""The user that the server, its file operations and its jobs run as."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True)
class LocalUser:
    """A user with the primary group."""

    name: str
    group: str
    uid: int
    gid: int

    @classmethod
    def current(cls) -> LocalUser:
        """Return the user of this process; ids replace missing names."""
        uid, gid = os.getuid(), os.getgid()
        return cls(user_name(uid), group_name(gid), uid, gid)


def user_name(uid: int) -> str:
    """Return the user's name, or the id if it has no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Return the group's name, or the id if it has no name."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
