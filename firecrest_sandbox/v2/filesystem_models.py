"""Requests and answers of `filesystem/ops`."""

from enum import Enum

from pydantic import AliasChoices, Field

from firecrest_sandbox.filesystem.archives import Compression
from firecrest_sandbox.filesystem.listing import File, FileStat
from firecrest_sandbox.v2.models import CamelModel


class SourceRequest(CamelModel):
    """A request with one path, named `sourcePath`, `source_path` or `path`."""

    path: str | None = Field(default=..., validation_alias=AliasChoices("sourcePath", "source_path", "path"))


class ChmodRequest(SourceRequest):
    """A new mode, in octal."""

    mode: str


class ChownRequest(SourceRequest):
    """A new owner, a new group, or both."""

    owner: str = ""
    group: str = ""


class MkdirRequest(SourceRequest):
    """A new directory."""

    parent: bool = False


class SymlinkRequest(SourceRequest):
    """A new symbolic link to the path."""

    link_path: str


class CompressRequest(SourceRequest):
    """An archive to create."""

    target_path: str
    match_pattern: str | None = None
    dereference: bool = False
    compression: Compression = Compression.GZIP


class ExtractRequest(SourceRequest):
    """An archive to unpack."""

    target_path: str
    compression: Compression = Compression.GZIP


class ContentUnit(str, Enum):
    """Unit of positions in a file."""

    LINES = "lines"
    BYTES = "bytes"


class FileContent(CamelModel):
    """A part of a file."""

    content: str
    content_type: ContentUnit
    start_position: int
    end_position: int


class Checksum(CamelModel):
    """A file's checksum."""

    algorithm: str = "SHA-256"
    checksum: str


class ListingAnswer(CamelModel):
    """Directory entries."""

    output: list[File] | None = None


class FileAnswer(CamelModel):
    """One directory entry."""

    output: File | None = None


class ContentAnswer(CamelModel):
    """A part of a file."""

    output: FileContent | None = None


class TextAnswer(CamelModel):
    """Text."""

    output: str | None = None


class ChecksumAnswer(CamelModel):
    """A checksum."""

    output: Checksum | None = None


class StatAnswer(CamelModel):
    """A file's inode."""

    output: FileStat | None = None
