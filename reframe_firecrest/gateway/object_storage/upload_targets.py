"""Presigned destinations of an upload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class UploadUrls:
    """Presigned URLs for the parts of a file; they are secrets.

    Attributes:
        parts: URLs in the order of the parts.
        complete: URL for the request that completes the upload.
        part_size: bytes of each part but the last.
    """

    parts: Sequence[str] = field(repr=False)
    complete: str = field(repr=False)
    part_size: int


@dataclass(frozen=True)
class UploadForm:
    """A form to upload a file in one piece; all of it is secret.

    Attributes:
        fields: of the form, before the file.
        params: of the URL's query.
        headers: of the request.
    """

    url: str = field(repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
