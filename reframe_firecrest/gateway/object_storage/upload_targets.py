"""Presigned destinations of an upload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class UploadUrls:
    """Where the parts of a file go; the URLs are secrets.

    Attributes:
        parts: presigned, in the order of the parts.
        complete: presigned, for the request that puts them together.
        part_size: bytes of each part but the last.
    """

    parts: Sequence[str] = field(repr=False)
    complete: str = field(repr=False)
    part_size: int


@dataclass(frozen=True)
class UploadForm:
    """Where a file goes in one piece, behind the fields of a form; all of it is secret.

    Attributes:
        fields: of the form, before the file.
        params: of the URL's query.
        headers: of the request.
    """

    url: str = field(repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
