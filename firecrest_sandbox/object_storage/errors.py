"""Refusals of the object store."""

from __future__ import annotations


class StorageError(Exception):
    """A request is refused; the code and the message are S3's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    @classmethod
    def no_such_upload(cls) -> StorageError:
        """Return the refusal of an unknown or completed multipart upload."""
        return cls(404, "NoSuchUpload", "The specified upload does not exist.")
