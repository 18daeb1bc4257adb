"""Conversion of file names, which may be any bytes, between the local and the remote side.

Locally, a name is a string for Python's file functions: decoded by the locale's encoding, with surrogates for
invalid bytes. In requests, archives and scripts, names are UTF-8. In a UTF-8 locale both are the same; with
``LC_ALL=C`` they differ for names outside ASCII.
"""

from __future__ import annotations

import locale
import os


def to_wire(name: str) -> str:
    """Return a local name or path for requests, archives and scripts."""
    try:
        return os.fsencode(name).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # The name is from a text, such as a settings file, and not from a directory.
        return name


def from_wire(name: str) -> str:
    """Return a name or path from a response, an archive or a text for Python's file functions."""
    try:
        return os.fsdecode(name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        # Lone surrogates that stand for no byte: no file can have the name, and using it raises an error.
        return name


def showable(text: str) -> str:
    """Escape the characters of a text that the locale's encoding can't represent."""
    if text.isascii():
        return text
    wire = to_wire(text).encode("utf-8", "backslashreplace").decode("utf-8")
    encoding = locale.getpreferredencoding(do_setlocale=False)
    return wire.encode(encoding, "backslashreplace").decode(encoding)
