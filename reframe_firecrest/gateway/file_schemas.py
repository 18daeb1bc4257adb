"""Directory entries and file sizes, as both versions of the API send them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import BeforeValidator, Field

from reframe_firecrest.gateway.field_types import Answer, Bytes, Line
from reframe_firecrest.model.file_names import from_wire
from reframe_firecrest.model.remote_file import FileKind, RemoteFile

_IfText = Annotated[str, BeforeValidator(lambda value: value if isinstance(value, str) else "")]


class File(Answer):
    """An entry of a listing; FirecREST v1 has other names for some fields."""

    name: str
    type: str
    size: Bytes
    mtime: Line = Field(alias="lastModified")
    target: str | None = Field(default=None, alias="linkTarget")
    permissions: _IfText = ""
    user: _IfText = ""


_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, '"': 34, "\\": 92, ":": 58}
_ESCAPED_NAME = re.compile(r"\\([0-7]{3}|[abfnrtv])")
_ESCAPED_DIRECTORY = re.compile(r"\\([0-7]{3}|[abfnrtv\"\\:])")


def unquote_c(path: str) -> str:
    """Undo the C quoting of names that ``ls`` prints, as far as the gateway has not undone it.

    In the last part of a path, the gateway removes the backslash before a quote or a backslash, so a name
    that contains a backslash is ambiguous; control and non-ASCII characters remain escaped. In the
    directories before it, all escapes remain, and ``:`` is one of them (measured).
    """
    if "\\" not in path:
        return path
    *directories, name = path.split("/")
    parts = [_unescape(directory, _ESCAPED_DIRECTORY) for directory in directories]
    return "/".join([*parts, _unescape(name, _ESCAPED_NAME)])


def _unescape(text: str, escaped: re.Pattern[str]) -> str:
    out = bytearray()
    at = 0
    for match in escaped.finditer(text):
        out += text[at : match.start()].encode("utf-8", "surrogateescape")
        code = match.group(1)
        out.append(_ESCAPES[code] if code in _ESCAPES else int(code, 8) & 255)
        at = match.end()
    out += text[at:].encode("utf-8", "surrogateescape")
    return out.decode("utf-8", "surrogateescape")


def to_remote_files(files: Iterable[File]) -> list[RemoteFile]:
    """Convert the entries of a listing."""
    kinds = {kind.value: kind for kind in FileKind}
    return [
        RemoteFile(
            path=from_wire(unquote_c(entry.name)),
            kind=kinds.get(entry.type, FileKind.OTHER),
            size=entry.size,
            mtime=entry.mtime,
            target=None if entry.target is None else from_wire(unquote_c(entry.target)),
            permissions=entry.permissions,
            owner=entry.user,
        )
        for entry in files
    ]


class _Stat(Answer):
    size: Bytes


class _StatAnswer(Answer):
    output: _Stat


def parse_size(answer: object) -> int:
    """Return the file's size in bytes from the answer of ``ops/stat``."""
    return _StatAnswer.model_validate(answer).output.size
