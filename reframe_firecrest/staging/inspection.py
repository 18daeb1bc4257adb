"""Inspection of files before they are sent. Each file is read once, in pieces."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.model.file_names import to_wire
from reframe_firecrest.staging.placeholder_index import mark_of

CHUNK = 1 << 20
"""Bytes of a file that are read at a time."""

_CONTROL = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
"""Control characters that do not occur in text. Bell, tab, line ends, backspace and escape occur in logs."""


@dataclass(frozen=True)
class Needles:
    """Byte strings to search for in files.

    Attributes:
        plain: spellings of local directories that are translated in texts.
        escaped: spellings that are not translated: with escaped slashes, as in URLs and some JSON.
        sources: spellings of directories of the tests' code, which are searched for in texts only.
    """

    plain: tuple[bytes, ...]
    escaped: tuple[bytes, ...]
    sources: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, roots: Iterable[str], sources: Iterable[str] = ()) -> Needles:
        """Return the byte strings for local directories.

        Args:
            roots: directories that are translated.
            sources: directories of the tests' code.
        """
        plain = _in_wire(roots)
        escaped = [
            root.replace(b"/", slash) for root in plain if root.count(b"/") > 1 for slash in _OTHER_SLASHES
        ]
        return cls(tuple(plain), tuple(escaped), tuple(_in_wire(sources)))

    @property
    def longest(self) -> int:
        """Length of the longest byte string."""
        return max(map(len, (*self.plain, *self.escaped, *self.sources)), default=0)


def _in_wire(paths: Iterable[str]) -> list[bytes]:
    return [to_wire(path).encode("utf-8", "surrogateescape") for path in paths]


_OTHER_SLASHES = (rb"\/", b"%2F", b"%2f")


@dataclass(frozen=True)
class Inspection:
    """Result of an inspection.

    Attributes:
        named: the file names a local directory.
        escaped: the file names a local directory in a spelling that is not translated.
        names_source: the file may be a text, and names a directory of the tests' code.
        binary: the file contains a zero byte.
        placeholder: the reason in the file, if it is a placeholder.
        digest: SHA-256 digest of its content, in hexadecimal, if requested.
    """

    named: bool = False
    escaped: bool = False
    names_source: bool = False
    binary: bool = False
    placeholder: str | None = None
    digest: str | None = None


def inspect(path: str, needles: Needles, *, digest: bool = False) -> Inspection:
    """Read a file once.

    Args:
        path: the file.
        needles: byte strings to search for.
        digest: compute the digest of its content.

    Raises:
        OSError: it can't be read.
    """
    hasher = hashlib.sha256() if digest else None
    named = escaped = names_source = binary = False
    kept, reason, at_start = max(needles.longest - 1, 0), None, True
    with Path(path).open("rb") as file:
        carried = b""
        while block := file.read(CHUNK):
            if hasher is not None:
                hasher.update(block)
            if at_start:
                reason, at_start = mark_of(block[: 4 * 4096]), False
            data = carried + block
            named = named or any(needle in data for needle in needles.plain)
            escaped = escaped or any(needle in data for needle in needles.escaped)
            binary = binary or b"\0" in block
            if not (names_source or binary):
                names_source = any(needle in data for needle in needles.sources)
            carried = data[max(len(data) - kept, 0) :]
    return Inspection(named, escaped, names_source, binary, reason, hasher.hexdigest() if hasher else None)


def digest_of(path: str) -> str:
    """Return the SHA-256 digest of a file's content, in hexadecimal.

    Raises:
        OSError: it can't be read.
    """
    found = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(CHUNK):
            found.update(block)
    return found.hexdigest()


def is_text(path: str) -> bool:
    """Return whether a file is text: no zero byte, and either valid UTF-8 or free of control characters.

    Raises:
        OSError: it can't be read.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8 = is_free = True
    with Path(path).open("rb") as file:
        while block := file.read(CHUNK):
            if b"\0" in block:
                return False
            is_free = is_free and _CONTROL.search(block) is None
            is_utf8 = is_utf8 and _decodes(decoder, block, final=False)
            if not (is_free or is_utf8):
                return False
    return is_free or (is_utf8 and _decodes(decoder, b"", final=True))


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True
