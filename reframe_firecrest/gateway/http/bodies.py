"""Bodies of requests and answers, kept within limits; every received byte passes through here.

The limits are checked for each piece, before it is in memory. Decompression stops at the limit too.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import cast

import anyio
import httpx

from reframe_firecrest.gateway.http import limits
from reframe_firecrest.gateway.http.limits import ERROR_SIZE, HEAD, Limits, Pace, TooMuchError

PIECE = 1 << 16
"""Bytes that are decompressed or sent at a time."""

MOST_DEPTH = 100
"""Levels that a JSON answer may be nested; FirecREST's have fewer than ten."""

MOST_VALUES = 5_000_000
"""Values that a JSON answer may have: each takes about 60 bytes of memory."""

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_OPENING, _CLOSING = b"[{", b"]}"
_OTHERS = bytes(set(range(256)) - set(_OPENING + _CLOSING))
_STEPS = {**dict.fromkeys(_OPENING, 1), **dict.fromkeys(_CLOSING, -1)}


class Received(httpx.AsyncByteStream):
    """The body of an answer, decompressed while it is received.

    Args:
        stream: the body as it was sent.
        bounds: its limits.
        gzipped: the body is compressed.
        cut: truncate the body at the limit instead of raising an error.
        count: called with the bytes of each piece that is received.
    """

    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        bounds: Limits,
        *,
        gzipped: bool,
        cut: bool,
        count: Callable[[int], None],
    ) -> None:
        self._stream = stream
        self._limits = bounds
        self._gzipped = gzipped
        self._cut = cut
        self._count = count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = given = 0
        decode = _Gunzip() if self._gzipped else _Identity()
        async for raw in self._paced():
            received += len(raw)
            for piece in decode(raw):
                given += len(piece)
                if max(received, given) > self._limits.size:
                    if self._cut:
                        return
                    raise self._too_much()
                yield piece
            # Compressed data can have no content at all.
            if received > self._limits.size:
                raise self._too_much()
        decode.end()

    async def _paced(self) -> AsyncIterator[bytes]:
        pace = Pace(self._limits.rate)
        pieces = aiter(self._stream)
        while True:
            begun = limits.clock()
            try:
                with anyio.fail_after(pace.left):
                    raw = await anext(pieces)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise pace.stalled() from None
            self._count(len(raw))
            pace.moved(len(raw), limits.clock() - begun)
            yield raw

    def _too_much(self) -> TooMuchError:
        bounds = self._limits
        return TooMuchError(f"the answer has more than {bounds.size} bytes, the limit {bounds.reason}")

    async def aclose(self) -> None:
        """Close the connection, or return it to the pool if the body was read."""
        await self._stream.aclose()


class _Identity:
    """A body that is not compressed."""

    def __call__(self, raw: bytes) -> Iterator[bytes]:
        yield raw

    def end(self) -> None:
        """Accept the end anywhere."""


class _Gunzip:
    """A gzipped body, decompressed piece by piece."""

    def __init__(self) -> None:
        self._state = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._begun = False

    def __call__(self, raw: bytes) -> Iterator[bytes]:
        self._begun = self._begun or bool(raw)
        while raw and not self._state.eof:
            try:
                piece = self._state.decompress(raw, PIECE)
            except zlib.error:
                raise httpx.DecodingError("no gzip data") from None
            raw = self._state.unconsumed_tail
            if piece:
                yield piece

    def end(self) -> None:
        """Refuse a truncated body."""
        if self._begun and not self._state.eof:
            raise httpx.DecodingError("gzip data without an end")


class Sent(httpx.AsyncByteStream):
    """The body of a request, in pieces that the server must accept at the minimum rate.

    Args:
        stream: the body.
        pace: watches the rate.
        scope: its deadline is extended with each piece; after the body, it is that for the answer's headers.
    """

    def __init__(self, stream: httpx.AsyncByteStream, pace: Pace, scope: anyio.CancelScope) -> None:
        self._stream = stream
        self._pace = pace
        self._scope = scope

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # Reading from this machine's disk may be slow.
        self._allow(None)
        async for part in self._stream:
            for at in range(0, len(part), PIECE):
                piece = part[at : at + PIECE]
                self._allow(self._pace.left)
                begun = limits.clock()
                yield piece
                self._pace.moved(len(piece), limits.clock() - begun)
            self._allow(None)
        self._allow(HEAD)

    def _allow(self, seconds: float | None) -> None:
        self._scope.deadline = float("inf") if seconds is None else anyio.current_time() + seconds

    async def aclose(self) -> None:
        """Close the body."""
        await self._stream.aclose()


def receive(response: httpx.Response, usual: Limits, count: Callable[[int], None]) -> httpx.Response:
    """Return an answer whose body is kept within limits.

    Args:
        response: the answer; its body must not have been read.
        usual: the limits, if none are set for this request.
        count: called with the bytes of each piece that is received.

    Raises:
        DecodingError: its compression was not requested.
    """
    bounds = limits.current(usual)
    failed = response.status_code >= 400
    if failed:
        bounds = replace(bounds, size=min(bounds.size, ERROR_SIZE))
    gzipped = _is_gzipped(response)
    # httpx would decompress each piece at once, regardless of the resulting size.
    headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
    stream = cast("httpx.AsyncByteStream", response.stream)
    return httpx.Response(
        response.status_code,
        headers=headers,
        stream=Received(stream, bounds, gzipped=gzipped, cut=failed, count=count),
        request=response.request,
        extensions=response.extensions,
    )


def _is_gzipped(response: httpx.Response) -> bool:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    # An object that is stored compressed is returned as it is stored.
    if encoding == "identity" or response.request.headers.get("Accept-Encoding") == "identity":
        return False
    if encoding not in ("gzip", "x-gzip"):
        raise httpx.DecodingError("an encoding that was not requested", request=response.request)
    return True


def check_json(content: bytes) -> None:
    """Refuse JSON that would take far more memory as Python values.

    Raises:
        TooMuchError: it has too many levels or values.
    """
    if content.lstrip()[:1] not in (b"[", b"{"):
        return
    if _values_in(content) <= MOST_DEPTH:
        return
    structure = _STRING.sub(b"", content)
    if _values_in(structure) > MOST_VALUES:
        raise TooMuchError(f"the answer has more than {MOST_VALUES} values, the limit")
    brackets = structure.translate(None, _OTHERS)
    if max(itertools.accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MOST_DEPTH:
        raise TooMuchError(f"the answer is nested more than {MOST_DEPTH} levels deep, the limit")


def _values_in(content: bytes) -> int:
    """Return an upper bound of the number of values in JSON."""
    return content.count(b",") + content.count(b"[") + content.count(b"{")
