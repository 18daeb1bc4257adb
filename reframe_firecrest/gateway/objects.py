"""Large files by way of an object store: parts side by side, straight from and to disk.

The gateway hands out presigned URLs; with them, data goes to and comes from the site's S3 storage without
passing the gateway. Sources: Amazon S3's API reference, "UploadPart", "CompleteMultipartUpload" and
"GetObject"; the recordings ``upload_big_s3_multipart`` and ``download_big_s3`` of a real gateway.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from xml.sax.saxutils import escape

import httpx

from reframe_firecrest import errors
from reframe_firecrest.gateway import policy, translate
from reframe_firecrest.gateway.answers import UploadForm, UploadUrls
from reframe_firecrest.gateway.disk import OpenFile, arriving, departing
from reframe_firecrest.gateway.policy import Operation, Patience
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.gateway.trouble import Trouble

Result = TypeVar("Result")

PARALLEL = 4
"""Parts under way at a time, whatever the number of files."""

CHUNK = 1 << 20
"""Bytes of each of them that are held in memory."""

FIRST_RANGE = 8 << 20
"""Bytes that are asked for first; what is beyond is fetched in `PARALLEL` ranges of at least as much."""

REPEATS = 4
"""Times that a request may break in a row before it has failed; a store out of reach is waited for."""

_TIMEOUT = httpx.Timeout(60.0, connect=10.0, read=120.0)
"""Seconds without any progress; a store takes its time to put parts together."""

_XML = "http://s3.amazonaws.com/doc/2006-03-01/"
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)$")
_UNKNOWN = -1


class Objects:
    """Sends files to object stores and fetches them from there.

    Args:
        http: makes the requests; it must add no credentials of the gateway's.
        patience: how long failures are ridden out.
        where: the gateway and system, as the user knows them.
    """

    def __init__(self, http: httpx.AsyncClient, patience: Patience, where: str) -> None:
        self._http = http
        self._patience = patience
        self._where = where
        self._slots = asyncio.Semaphore(PARALLEL)
        self._trouble = Trouble(where, patience.outage)
        self._answered = False

    async def put(self, local: Path, size: int, urls: UploadUrls, progress: Progress | None = None) -> None:
        """Send a file of `size` bytes in parts and have them put together.

        Raises:
            GatewayError: it failed for good, or for longer than patience lasts.
        """
        meter = _Meter(progress, size)
        with departing(local) as file:
            tags = await _side_by_side(
                self._put_part(
                    _Span(number * urls.part_size, min((number + 1) * urls.part_size, size)), file, url, meter
                )
                for number, url in enumerate(urls.parts)
            )
        await self._complete(urls.complete, tags)

    async def put_form(
        self, local: Path, size: int, form: UploadForm, progress: Progress | None = None
    ) -> None:
        """Send a file of `size` bytes in one piece, behind the fields of a form that the gateway has made.

        Source: Amazon S3's API reference, "POST Object".

        Raises:
            GatewayError: it failed for good, or for longer than patience lasts.
        """
        head, tail, content_type = _form_around(form.fields, local.name)
        headers = {
            **form.headers,
            "Content-Type": content_type,
            "Content-Length": str(len(head) + size + len(tail)),
        }

        async def content(span: _Span, file: OpenFile, meter: _Meter) -> AsyncGenerator[bytes, None]:
            yield head
            async with aclosing(_chunks(span, file, meter)) as chunks:
                async for chunk in chunks:
                    yield chunk
            yield tail

        async def ask() -> None:
            # All of it, from its beginning, each time.
            meter = _Meter(progress, size)
            span = _Span(0, size)
            try:
                async with self._slots, aclosing(content(span, file, meter)) as body:
                    answer = await self._http.post(
                        form.url, params=form.params, content=body, headers=headers, timeout=_TIMEOUT
                    )
            except BaseException:
                meter.add(-span.at)
                raise
            if not answer.is_success:
                meter.add(-size)
                raise translate.storage_error_of(policy.UPLOAD, answer, self._where)

        with departing(local) as file:
            await self._repeat(policy.UPLOAD, ask)

    async def get(self, url: str, local: Path, progress: Progress | None = None) -> None:
        """Fetch an object into a file, which appears under its name when all of it is there.

        Raises:
            GatewayError: it failed for good, or for longer than patience lasts.
        """
        meter = _Meter(progress)
        with arriving(local) as file:
            first = _Span(0, FIRST_RANGE)
            await self._get_span(first, file, url, meter)
            begin, size = first.end, meter.total
            step = max(FIRST_RANGE, -(-(size - begin) // PARALLEL))
            await _side_by_side(
                self._get_span(_Span(at, min(at + step, size)), file, url, meter)
                for at in range(begin, size, step)
            )

    async def reach(self, url: str) -> int:
        """Ask a storage for anything at all, once and without credentials; return its HTTP status.

        Raises:
            GatewayError: nothing answers there.
        """
        try:
            answer = await self._http.head(url, timeout=policy.REACH_STORAGE.timeout)
        except Exception as problem:  # noqa: BLE001 - translated
            raise translate.error_of(policy.REACH_STORAGE, problem, self._where) from None
        return answer.status_code

    # --- sending ------------------------------------------------------------------------------------

    async def _put_part(self, span: _Span, file: OpenFile, url: str, meter: _Meter) -> str:
        """Send one part; returns the store's name for its content."""

        async def ask() -> str:
            sent = _Span(span.at, span.end)
            try:
                answer = await self._put_chunks(sent, file, url, meter)
                return self._tag_of(answer)
            except BaseException:
                meter.add(span.at - sent.at)
                raise

        return await self._repeat(policy.UPLOAD, ask)

    async def _put_chunks(self, span: _Span, file: OpenFile, url: str, meter: _Meter) -> httpx.Response:
        headers = {"Content-Length": str(span.end - span.at)}
        async with self._slots, aclosing(_chunks(span, file, meter)) as content:
            return await self._http.put(url, content=content, headers=headers, timeout=_TIMEOUT)

    def _tag_of(self, answer: httpx.Response) -> str:
        if not answer.is_success:
            raise translate.storage_error_of(policy.UPLOAD, answer, self._where)
        tag: str = answer.headers.get("ETag", "")
        if not tag:
            raise self._not_s3(policy.UPLOAD, "takes a part and names no ETag for it")
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
            answer = await self._http.post(url, content=content, headers=headers, timeout=_TIMEOUT)
            if answer.status_code == 404 and before:
                # A request whose answer was lost has ended it; the file's size will show whether well.
                return
            # S3 can find out after it has begun its answer with 200 that it won't work.
            if not answer.is_success or "<Error>" in answer.text:
                raise translate.storage_error_of(policy.UPLOAD, answer, self._where)
            if "CompleteMultipartUploadResult" not in answer.text:
                raise self._not_s3(policy.UPLOAD, "does not say that the parts are together")

        await self._repeat(policy.UPLOAD, ask)

    # --- fetching -----------------------------------------------------------------------------------

    async def _get_span(self, span: _Span, file: OpenFile, url: str, meter: _Meter) -> None:
        """Fetch a range of an object, going on where it breaks; or all of it where there are no ranges."""

        async def ask() -> None:
            # A store that compresses on the fly would tell another length.
            headers = {"Accept-Encoding": "identity", "Range": f"bytes={span.at}-{span.end - 1}"}
            async with (
                self._slots,
                self._http.stream("GET", url, headers=headers, timeout=_TIMEOUT) as answer,
            ):
                await self._agree(span, answer, file, meter)
                await self._receive(span, answer, file, meter)

        await self._repeat(policy.DOWNLOAD, ask, lambda: span.at)

    async def _agree(self, span: _Span, answer: httpx.Response, file: OpenFile, meter: _Meter) -> None:
        """Learn from an answer's head which bytes will follow."""
        if answer.status_code not in (200, 206):
            await answer.aread()
            raise translate.storage_error_of(policy.DOWNLOAD, answer, self._where)
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            raise self._not_s3(policy.DOWNLOAD, "answers with a web page; is a proxy between it and here?")
        if answer.status_code == 200 and span.begin == 0:
            # No ranges here: all of it, from its beginning, each time.
            meter.add(-span.at)
            await file.truncate()
            span.at, span.end = 0, int(answer.headers.get("Content-Length", _UNKNOWN))
            meter.total = max(span.end, 0)
            return
        found = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
        begin, size = (int(found[1]), int(found[2])) if found else (_UNKNOWN, 0)
        if begin != span.at or meter.total not in (0, size):
            raise self._not_s3(policy.DOWNLOAD, "gives other bytes than it was asked for")
        meter.total, span.end = size, min(span.end, size)

    async def _receive(self, span: _Span, answer: httpx.Response, file: OpenFile, meter: _Meter) -> None:
        """Write what follows an answer's head."""
        held = bytearray()

        async def place() -> None:
            await file.write(held, span.at)
            span.at += len(held)
            meter.add(len(held))
            held.clear()

        try:
            async for piece in answer.aiter_raw():
                held += piece
                if len(held) >= CHUNK:
                    await place()
        except httpx.HTTPError:
            # What has come need not come again.
            await place()
            raise
        await place()
        if span.end == _UNKNOWN:
            span.end = span.at
        if span.at != span.end:
            raise errors.UncertainError(
                f"{policy.DOWNLOAD.name} on {self._where} failed: {span.at} bytes came where the S3 storage "
                f"promised {span.end}"
            )

    # --- either way ---------------------------------------------------------------------------------

    def _not_s3(self, operation: Operation, what: str) -> errors.ProtocolError:
        return errors.ProtocolError(f"{operation.name} on {self._where} failed: the S3 storage {what}")

    async def _repeat(
        self,
        operation: Operation,
        ask: Callable[[], Awaitable[Result]],
        position: Callable[[], int] = lambda: 0,
    ) -> Result:
        """Make a request, again if need be.

        Args:
            operation: what for.
            ask: makes it.
            position: how far it has come; as long as that grows there is nothing to be impatient about.
        """
        attempt = broken = 0
        reached, since = position(), 0.0
        while True:
            try:
                result = await ask()
            except Exception as problem:  # noqa: BLE001 - translated and raised or repeated below
                error = translate.error_of(operation, problem, self._where)
            else:
                self._answered = True
                self._trouble.succeeded(operation)
                return result
            if position() > reached:
                reached, attempt, broken = position(), 0, 0
                self._answered = True
                self._trouble.succeeded(operation)
            self._trouble.failed(operation, error)
            self._answered = self._answered or error.status is not None
            attempt += 1
            broken += isinstance(error, errors.UncertainError)
            since = time.monotonic() if attempt == 1 else since
            limit = self._patience.outage if self._answered else self._patience.first_contact
            pause = self._patience.pause_before(attempt, error.retry_after)
            if (
                isinstance(error, errors.FinalError)
                or broken > REPEATS
                or time.monotonic() + pause - since > limit
            ):
                raise error
            await asyncio.sleep(pause)


@dataclass
class _Span:
    """A range of a file.

    Attributes:
        at: how far it has come.
        end: behind the last byte.
        begin: where it began.
    """

    at: int
    end: int
    begin: int = field(init=False)

    def __post_init__(self) -> None:
        self.begin = self.at


class _Meter:
    """Counts the bytes of a transfer for whoever wants to know."""

    def __init__(self, progress: Progress | None, total: int = 0) -> None:
        self.total = total
        self._done = 0
        self._progress = progress

    def add(self, size: int) -> None:
        self._done += size
        if self._progress is not None:
            self._progress(self._done, self.total)


def _form_around(fields: Mapping[str, str], name: str) -> tuple[bytes, bytes, str]:
    """Return what stands before and behind a file in a form, and the form's content type; see RFC 7578."""
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


async def _chunks(span: _Span, file: OpenFile, meter: _Meter) -> AsyncGenerator[bytes, None]:
    while span.at < span.end:
        chunk = await file.read(min(CHUNK, span.end - span.at), span.at)
        if not chunk:
            raise errors.FinalError(f"{file.name} on this machine has become shorter while it was sent")
        yield chunk
        span.at += len(chunk)
        meter.add(len(chunk))


async def _side_by_side(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Do things at the same time; when one fails, the others are given up before it is raised."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
