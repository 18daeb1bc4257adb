"""Objects and the parts of unfinished uploads, as files of a private directory."""

import asyncio
import hashlib
import secrets
import shutil
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from starlette.requests import ClientDisconnect

from firecrest_sandbox.object_storage.errors import StorageError
from firecrest_sandbox.object_storage.presigning import Presigner

_WRITE_SIZE = 1024 * 1024


class ObjectStore:
    """Objects below a directory outside the root that clients see.

    Args:
        directory: created on first use.
        presigner: signs the URLs and forms that allow access.
    """

    def __init__(self, directory: Path, presigner: Presigner) -> None:
        self.presigner = presigner
        self._directory = directory
        self._etags: dict[Path, str] = {}

    def new_upload(self) -> str:
        """Start a multipart upload and return its id."""
        upload_id = secrets.token_hex(16)
        self._upload(upload_id).mkdir(parents=True)
        return upload_id

    async def put_part(self, upload_id: str, number: int, request: Request) -> str:
        """Write a part from a request's body and return its ETag.

        An incomplete part is discarded. A part that is sent again replaces the previous one.

        Raises:
            StorageError: 404 or 400; the upload is unknown, or the body is incomplete.
        """
        digest = hashlib.md5(usedforsecurity=False)
        # A client may send a part again before the server notices that the first request was abandoned.
        partial = self._upload(upload_id) / f"{number}-{secrets.token_hex(8)}.partial"

        def write(content: bytes) -> None:
            with partial.open("ab") as file:
                file.write(content)
            digest.update(content)

        pending = bytearray()
        try:
            async for chunk in request.stream():
                pending += chunk
                if len(pending) >= _WRITE_SIZE:
                    await asyncio.to_thread(write, bytes(pending))
                    pending.clear()
            await asyncio.to_thread(write, bytes(pending))
        except FileNotFoundError:
            raise StorageError.no_such_upload() from None
        except ClientDisconnect:
            partial.unlink(missing_ok=True)
            raise StorageError(400, "IncompleteBody", "The body ends before its announced length.") from None
        etag = digest.hexdigest()
        partial.rename(partial.with_name(f"{number}-{etag}"))
        return etag

    def complete(self, upload_id: str, path: str, parts: list[tuple[int, str]]) -> str:
        """Assemble an object from its parts and return its ETag.

        Raises:
            StorageError: 404 or 400; the upload or one of the parts is unknown.
        """
        upload = self._upload(upload_id)
        if not upload.is_dir():
            raise StorageError.no_such_upload()
        files = [upload / f"{number}-{etag}" for number, etag in parts]
        if not files or parts != sorted(parts) or not all(file.is_file() for file in files):
            raise StorageError(400, "InvalidPart", "One or more parts could not be found.")
        target = self._object(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        assembled = upload / "assembled"
        with assembled.open("wb") as target_file:
            for file in files:
                with file.open("rb") as part:
                    shutil.copyfileobj(part, target_file, _WRITE_SIZE)
        digest = hashlib.md5(b"".join(bytes.fromhex(etag) for _, etag in parts), usedforsecurity=False)
        etag = self._etags[target] = f"{digest.hexdigest()}-{len(parts)}"
        assembled.rename(target)
        # An abandoned request may still be writing a part.
        shutil.rmtree(upload, ignore_errors=True)
        return etag

    def put(self, path: str, content: BinaryIO) -> str:
        """Store an object and return its ETag; an existing object is replaced atomically."""
        target = self._object(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.md5(usedforsecurity=False)
        partial = target.with_name(f"{target.name}-{secrets.token_hex(8)}.partial")
        with partial.open("wb") as file:
            while chunk := content.read(_WRITE_SIZE):
                digest.update(chunk)
                file.write(chunk)
        etag = self._etags[target] = digest.hexdigest()
        partial.rename(target)
        return etag

    def remove(self, path: str) -> None:
        """Remove an object; a missing object is no error."""
        self._object(path).unlink(missing_ok=True)

    def find(self, path: str) -> tuple[Path, str]:
        """Return an object's file and ETag.

        Raises:
            StorageError: 404; the object does not exist (yet).
        """
        file = self._object(path)
        if not file.is_file():
            raise StorageError(404, "NoSuchKey", "The specified key does not exist.")
        return file, self._etags[file]

    def _upload(self, upload_id: str) -> Path:
        return self._directory / "uploads" / upload_id

    def _object(self, path: str) -> Path:
        return self._directory / "objects" / hashlib.sha256(path.encode()).hexdigest()
