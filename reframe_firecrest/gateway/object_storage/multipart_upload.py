"""Upload of files to an object storage: in concurrent parts or in one piece, directly from disk.

Sources: Amazon S3's API reference, "UploadPart", "CompleteMultipartUpload" and "POST Object"; the recording
``upload_big_s3_multipart`` of a real gateway.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import escape

import httpx

from reframe_firecrest.gateway.http import error_translation, operations
from reframe_firecrest.gateway.http.http_client import is_html
from reframe_firecrest.gateway.http.limits import deadline, limited
from reframe_firecrest.gateway.object_storage import storage_requests
from reframe_firecrest.gateway.object_storage.local_file import OpenFile, departing
from reframe_firecrest.gateway.object_storage.storage_requests import (
    INTERCEPTED,
    ProgressMeter,
    Span,
    StorageClient,
)
from reframe_firecrest.gateway.object_storage.upload_targets import UploadForm, UploadUrls
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.model import errors
from reframe_firecrest.model.concurrency import all_or_none

PUT_TOGETHER = 900.0
"""Seconds that a storage may take to complete an upload; several minutes, as Amazon's documentation says."""

_XML = "http://s3.amazonaws.com/doc/2006-03-01/"


class MultipartUpload:
    """Uploads files.

    Args:
        store: makes the requests.
    """

    def __init__(self, store: StorageClient) -> None:
        self._store = store

    async def in_parts(
        self, local: Path, size: int, urls: UploadUrls, progress: Progress | None = None
    ) -> None:
        """Upload a file of `size` bytes in parts.

        Raises:
            GatewayError: it has failed for good, or for longer than the retry timeout.
        """
        meter = ProgressMeter(progress, size)
        with departing(local) as file:
            tags = await all_or_none(
                self._put_part(
                    Span(number * urls.part_size, min((number + 1) * urls.part_size, size)), file, url, meter
                )
                for number, url in enumerate(urls.parts)
            )
        await self._complete(urls.complete, tags)

    async def as_form(
        self, local: Path, size: int, form: UploadForm, progress: Progress | None = None
    ) -> None:
        """Upload a file of `size` bytes in one piece, with a form of the gateway's.

        Raises:
            GatewayError: it has failed for good, or for longer than the retry timeout.
        """
        head, tail, content_type = _form_around(form.fields, local.name)
        headers = {
            **form.headers,
            "Content-Type": content_type,
            "Content-Length": str(len(head) + size + len(tail)),
        }

        async def content(span: Span, file: OpenFile, meter: ProgressMeter) -> AsyncGenerator[bytes, None]:
            yield head
            async with aclosing(_chunks(span, file, meter)) as chunks:
                async for chunk in chunks:
                    yield chunk
            yield tail

        async def ask() -> None:
            # Each attempt uploads the whole file.
            meter = ProgressMeter(progress, size)
            span = Span(0, size)
            try:
                async with self._store.slots, aclosing(content(span, file, meter)) as body:
                    answer = await self._store.http.post(
                        form.url,
                        params=form.params,
                        content=body,
                        headers=headers,
                        timeout=storage_requests.TIMEOUT,
                    )
                self._expect_taken(answer)
            except BaseException:
                meter.add(-span.at)
                raise

        with departing(local) as file:
            await self._store.repeat(operations.UPLOAD, ask)

    def _expect_taken(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            raise error_translation.translate_storage_error(operations.UPLOAD, answer, self._store.where)
        if is_html(answer) and answer.content:
            raise self._store.not_s3(operations.UPLOAD, INTERCEPTED)

    async def _put_part(self, span: Span, file: OpenFile, url: str, meter: ProgressMeter) -> str:
        """Upload one part; return its ETag."""

        async def ask() -> str:
            sent = Span(span.at, span.end)
            try:
                answer = await self._put_chunks(sent, file, url, meter)
                return self._tag_of(answer)
            except BaseException:
                meter.add(span.at - sent.at)
                raise

        return await self._store.repeat(operations.UPLOAD, ask)

    async def _put_chunks(self, span: Span, file: OpenFile, url: str, meter: ProgressMeter) -> httpx.Response:
        headers = {"Content-Length": str(span.end - span.at)}
        async with self._store.slots, aclosing(_chunks(span, file, meter)) as content:
            return await self._store.http.put(
                url, content=content, headers=headers, timeout=storage_requests.TIMEOUT
            )

    def _tag_of(self, answer: httpx.Response) -> str:
        if not answer.is_success:
            raise error_translation.translate_storage_error(operations.UPLOAD, answer, self._store.where)
        tag: str = answer.headers.get("ETag", "")
        if not tag:
            raise self._store.not_s3(operations.UPLOAD, "accepts a part without returning an ETag")
        return tag if tag.startswith('"') else f'"{tag}"'

    async def _complete(self, url: str, tags: Iterable[str]) -> None:
        listed = "".join(
            f"<Part><ETag>{escape(tag)}</ETag><PartNumber>{number}</PartNumber></Part>"
            for number, tag in enumerate(tags, start=1)
        )
        body = f'<CompleteMultipartUpload xmlns="{_XML}">{listed}</CompleteMultipartUpload>'
        content, headers = body.encode(), {"Content-Type": "application/xml"}
        perhaps_done = False

        async def ask() -> None:
            nonlocal perhaps_done
            before, perhaps_done = perhaps_done, True
            # Storages send single blanks while they complete a large upload.
            with deadline(PUT_TOGETHER), limited(replace(self._store.limits, rate=0)):
                answer = await self._store.http.post(
                    url, content=content, headers=headers, timeout=storage_requests.TIMEOUT
                )
            if answer.status_code == 404 and before:
                # An earlier request, whose answer was lost, has completed it; the size is checked later.
                return
            # S3 can fail after it has begun its answer with status 200.
            if not answer.is_success or "<Error>" in answer.text:
                raise error_translation.translate_storage_error(operations.UPLOAD, answer, self._store.where)
            if "CompleteMultipartUploadResult" not in answer.text:
                raise self._store.not_s3(operations.UPLOAD, "does not confirm that the parts were joined")

        await self._store.repeat(operations.UPLOAD, ask)


def _form_around(fields: Mapping[str, str], name: str) -> tuple[bytes, bytes, str]:
    """Return the bytes before and after a file in a form, and the form's content type; see RFC 7578."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    tail = f"\r\n--{boundary}--\r\n"
    return "".join(parts).encode(), tail.encode(), f"multipart/form-data; boundary={boundary}"


async def _chunks(span: Span, file: OpenFile, meter: ProgressMeter) -> AsyncGenerator[bytes, None]:
    while span.at < span.end:
        chunk = await file.read(min(storage_requests.CHUNK, span.end - span.at), span.at)
        if not chunk:
            raise errors.FinalError(f"{file.name} on this machine has become shorter while it was sent")
        yield chunk
        span.at += len(chunk)
        meter.add(len(chunk))
