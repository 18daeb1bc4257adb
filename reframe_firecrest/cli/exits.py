"""Exit codes: the same for all commands."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the exit code of a command says."""

    def __new__(cls, code: int, meaning: str) -> Exit:
        """Make a member of its code and what it means to a script."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    meaning: str

    DONE = 0, "all is done, or all is well"
    INCOMPLETE = 1, "part of it is not: something failed, is missing or is left, and is named"
    FAILED = 2, "nothing was done, and one line says why: options, settings, no such run, the gateway"
    STOPPED = 130, "stopped by Ctrl-C or SIGTERM"
