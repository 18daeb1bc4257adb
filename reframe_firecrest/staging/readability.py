"""Prediction, from a listing, of what can't be read on the system."""

from __future__ import annotations

from reframe_firecrest.model.remote_file import RemoteFile


def is_doubtful(entry: RemoteFile, owner: str) -> bool:
    """Tell whether a file's permissions probably keep its owner's processes, or ours, from reading it.

    Access control lists can only grant what the group's permissions show, so a file whose group may read it
    is never doubtful.

    Args:
        entry: the file.
        owner: the user whom the job ran as; empty if that is not known.
    """
    permissions = entry.permissions
    if len(permissions) < 9:
        return False
    if entry.owner and entry.owner == owner:
        return permissions[0] != "r"
    may_be_ours = not owner and permissions[0] == "r"
    return not may_be_ours and permissions[3] != "r" and permissions[6] != "r"


def described(entry: RemoteFile) -> str:
    """Describe whose a file is and what they may do with it."""
    return f"its permissions are {entry.permissions} and its owner is {entry.owner or 'not known'}"
