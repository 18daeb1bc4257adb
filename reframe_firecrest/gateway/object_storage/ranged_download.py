"""Download of files from an object storage: in concurrent ranges, directly to disk.

Sources: Amazon S3's API reference, "GetObject"; the recording ``download_big_s3`` of a real gateway.
"""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from reframe_firecrest.gateway.http import error_translation, operations
from reframe_firecrest.gateway.http.http_client import is_html
from reframe_firecrest.gateway.http.limits import TooMuchError, current, for_file, limited
from reframe_firecrest.gateway.object_storage import storage_requests
from reframe_firecrest.gateway.object_storage.local_file import OpenFile, arriving
from reframe_firecrest.gateway.object_storage.storage_requests import (
    INTERCEPTED,
    ProgressMeter,
    Span,
    StorageClient,
)
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.model import errors
from reframe_firecrest.model.concurrency import all_or_none

FIRST_RANGE = 8 << 20
"""Bytes of the first range; the rest is downloaded in concurrent ranges of at least that size."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)$")
_UNKNOWN = -1


class RangedDownload:
    """Downloads files.

    Args:
        store: makes the requests.
    """

    def __init__(self, store: StorageClient) -> None:
        self._store = store

    async def get(self, url: str, local: Path, listed: int, progress: Progress | None = None) -> None:
        """Download an object into a file, which appears when it is complete.

        Args:
            url: presigned.
            local: the file.
            listed: bytes of the file in the listing; a download may not be much larger.
            progress: called for the file's bytes.

        Raises:
            GatewayError: it has failed for good, or for longer than the retry timeout.
        """
        with limited(for_file(self._store.limits, listed)):
            await self._get(url, local, ProgressMeter(progress))

    async def _get(self, url: str, local: Path, meter: ProgressMeter) -> None:
        with arriving(local) as file:
            first = Span(0, FIRST_RANGE)
            await self._get_span(first, file, url, meter)
            begin, size = first.end, meter.total
            step = max(FIRST_RANGE, -(-(size - begin) // storage_requests.PARALLEL))
            await all_or_none(
                self._get_span(Span(at, min(at + step, size)), file, url, meter)
                for at in range(begin, size, step)
            )

    async def _get_span(self, span: Span, file: OpenFile, url: str, meter: ProgressMeter) -> None:
        """Download a range of an object, with resumption; or all of it, if the storage has no ranges."""

        async def ask() -> None:
            # A storage that compresses on the fly would report another length.
            headers = {"Accept-Encoding": "identity", "Range": f"bytes={span.at}-{span.end - 1}"}
            async with (
                self._store.slots,
                self._store.http.stream(
                    "GET", url, headers=headers, timeout=storage_requests.TIMEOUT
                ) as answer,
            ):
                await self._agree(span, answer, file, meter)
                await self._receive(span, answer, file, meter)

        await self._store.repeat(operations.DOWNLOAD, ask, lambda: span.at)

    async def _agree(self, span: Span, answer: httpx.Response, file: OpenFile, meter: ProgressMeter) -> None:
        """Determine from the headers of an answer which bytes follow."""
        if answer.status_code not in (200, 206):
            await answer.aread()
            raise error_translation.translate_storage_error(operations.DOWNLOAD, answer, self._store.where)
        if is_html(answer):
            raise self._store.not_s3(operations.DOWNLOAD, INTERCEPTED)
        if answer.status_code == 200 and span.begin == 0:
            # Without ranges, each attempt downloads the whole object.
            meter.add(-span.at)
            await file.truncate()
            span.at, span.end = 0, int(answer.headers.get("Content-Length", _UNKNOWN))
            meter.total = max(span.end, 0)
            self._expect_allowed(span.end)
            return
        found = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
        begin, size = (int(found[1]), int(found[2])) if found else (_UNKNOWN, 0)
        if begin != span.at or meter.total not in (0, size):
            raise self._store.not_s3(operations.DOWNLOAD, "returns other bytes than requested")
        self._expect_allowed(size)
        meter.total, span.end = size, min(span.end, size)

    def _expect_allowed(self, size: int) -> None:
        bounds = current(self._store.limits)
        if size > bounds.size:
            raise TooMuchError(
                f"the file has {size} bytes, more than {bounds.size}, the limit {bounds.reason}"
            )

    async def _receive(
        self, span: Span, answer: httpx.Response, file: OpenFile, meter: ProgressMeter
    ) -> None:
        """Write the body of an answer to the file."""
        held = bytearray()

        async def flush() -> None:
            await file.write(held, span.at)
            span.at += len(held)
            meter.add(len(held))
            held.clear()

        try:
            async for piece in answer.aiter_raw():
                if span.end != _UNKNOWN and span.at + len(held) + len(piece) > span.end:
                    raise self._store.not_s3(operations.DOWNLOAD, "sends more bytes than it announced")
                held += piece
                if len(held) >= storage_requests.CHUNK:
                    await flush()
        except httpx.HTTPError:
            # Received bytes need not be received again.
            await flush()
            raise
        await flush()
        if span.end == _UNKNOWN:
            span.end = span.at
        if span.at != span.end:
            raise errors.UncertainError(
                f"{operations.DOWNLOAD.name} on {self._store.where} failed: {span.at} of {span.end} "
                "bytes were received from the S3 storage"
            )
