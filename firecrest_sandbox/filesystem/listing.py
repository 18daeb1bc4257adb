"""Parser of `ls -l --quoting-style=c`, with the quirks of the real gateway."""

from __future__ import annotations

import re
import shlex

from firecrest_sandbox.v2.models import CamelModel

LS = ("ls", "-l", "--quoting-style=c", "--time-style=+%Y-%m-%dT%H:%M:%S")

_HEADING = re.compile(r'^"(?P<directory>.+)":$')
_ENTRY = re.compile(
    r"^(?P<type>\S)(?P<permissions>\S+)\s+\d+\s+(?P<user>\S+)\s+(?P<group>\S+)\s+"
    r"(?P<size>\d+)\s+(?P<modified>[\dT:-]+)\s+(?P<names>\".+)$"
)


class File(CamelModel):
    """A directory entry. The size is text; the time is local, without a time zone."""

    name: str
    type: str
    link_target: str | None = None
    user: str
    group: str
    permissions: str
    last_modified: str
    size: str


class FileStat(CamelModel):
    """A file's inode; times in epoch seconds."""

    mode: int
    ino: int
    dev: int
    nlink: int
    uid: int
    gid: int
    size: int
    atime: int
    ctime: int
    mtime: int


def parse(output: str) -> list[File]:
    """Return the entries.

    In a recursive listing, names are relative to the first directory. As in the real gateway, characters that
    C quoting escapes stay escaped, except `"` and the backslash.
    """
    top: str | None = None
    prefix = ""
    files = []
    for line in output.splitlines():
        if heading := _HEADING.match(line):
            directory = heading["directory"].rstrip("/") + "/"
            top = top or directory
            prefix = directory.removeprefix(top)
        elif entry := _ENTRY.match(line):
            name, *target = shlex.split(entry["names"])
            files.append(
                File(
                    name=prefix + name,
                    type=entry["type"],
                    link_target=target[1] if len(target) == 2 else None,
                    user=entry["user"],
                    group=entry["group"],
                    permissions=entry["permissions"],
                    last_modified=entry["modified"],
                    size=entry["size"],
                )
            )
    return files
