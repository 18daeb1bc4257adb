"""Names of files on the two sides, which may be any bytes.

Inside, a name is what Python's functions for files take: decoded by the locale's encoding, with surrogates
for bytes that are no text in it. On the wire, in archives and in scripts, names are UTF-8. In a UTF-8 locale
the two are the same; with ``LC_ALL=C`` they differ for every name beyond ASCII.
"""

from __future__ import annotations

import locale
import os


def to_wire(name: str) -> str:
    """Return a name or path as it goes over the wire and into texts."""
    try:
        return os.fsencode(name).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # It comes from a text, such as a settings file, and not from a directory.
        return name


def from_wire(name: str) -> str:
    """Return a name or path from the wire or from a text as Python's functions for files take it."""
    try:
        return os.fsdecode(name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        # It has halves of characters in it, so no file can have it; what uses it finds out.
        return name


def showable(text: str) -> str:
    """Return a text as any terminal and log of this process can show it: what can't be shown is escaped."""
    if text.isascii():
        return text
    whole = to_wire(text).encode("utf-8", "backslashreplace").decode("utf-8")
    encoding = locale.getpreferredencoding(do_setlocale=False)
    return whole.encode(encoding, "backslashreplace").decode(encoding)
