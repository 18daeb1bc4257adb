"""Limits of size and rate: all requests to all servers use one client."""

from __future__ import annotations

import asyncio
import gzip
import os
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from reframe_firecrest.gateway.http import bodies, http_client, limits
from reframe_firecrest.gateway.http.bodies import check_json
from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.http_client import CountingClient, TrafficCounter
from reframe_firecrest.gateway.http.limits import Limits, StalledError, TooMuchError
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.object_storage import local_file, storage_requests
from reframe_firecrest.gateway.object_storage.object_storage import ObjectStorage
from reframe_firecrest.gateway.object_storage.upload_targets import UploadUrls
from reframe_firecrest.gateway.v1.gateway import GatewayV1
from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.model import errors
from tests.gateway.helpers import make_settings, run, token

MB = 10**6
ONCE = RetryPolicy(first_contact=0.0, outage=0.0, pause=0.0, pause_max=0.0)
PATIENT = RetryPolicy(first_contact=60.0, outage=60.0, pause=0.0, pause_max=0.0)
OBJECT = "http://s3.test/object?X-Amz-Signature=5ec2e7"


class Endless(httpx.AsyncByteStream):
    """A body without an end; it counts what is taken of it."""

    def __init__(self, piece: bytes = bytes(1 << 16), most: int = 1 << 40) -> None:
        self.piece = piece
        self.taken = 0
        self.most = most
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += len(self.piece)
            assert self.taken < self.most, "nothing limits it"
            yield self.piece

    async def aclose(self) -> None:
        self.closed = True


class Clock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(limits, "clock", made)
    return made


def bomb(size: int) -> bytes:
    """Compress zeroes, a thousand to one."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(packer.compress(bytes(MB)) for _ in range(size // MB)), packer.flush()])


def client_for(answer: Callable[[httpx.Request], Any], bounds: Limits | None = None) -> CountingClient:
    return CountingClient(TrafficCounter(), bounds, transport=httpx.MockTransport(answer))


def fetch(answer: httpx.Response, bounds: Limits | None = None) -> httpx.Response:
    async def work() -> httpx.Response:
        async with client_for(lambda _: answer, bounds) as client:
            return await client.get("http://gateway.test/x")

    return run(work())


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class TestSizes:
    def test_a_body_without_end_is_left_at_the_limit(self) -> None:
        body = Endless(most=3 * MB)
        with pytest.raises(TooMuchError, match=r"more than 1000000 bytes, the limit 'max_response_size'"):
            fetch(httpx.Response(200, stream=body), Limits(size=MB))
        assert body.closed

    def test_a_compressed_answer_takes_no_more_memory_than_the_limit(self) -> None:
        content = bomb(100 * MB)
        answer = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Endless(content))

        def work() -> None:
            with pytest.raises(TooMuchError):
                fetch(answer, Limits(size=10 * MB))

        assert peak_of(work) < 40 * MB

    def test_what_is_compressed_several_times_is_refused(self) -> None:
        content = gzip.compress(bomb(10 * MB))
        answer = httpx.Response(200, headers={"Content-Encoding": "gzip, gzip"}, stream=Endless(content))
        with pytest.raises(httpx.DecodingError):
            fetch(answer)

    def test_compressed_data_without_content_is_left_at_the_limit(self) -> None:
        head = zlib.compressobj(9, zlib.DEFLATED, 31)
        empty = head.compress(b"x") + head.flush(zlib.Z_FULL_FLUSH)
        body = Endless(b"\x00\x00\x00\xff\xff" * 10_000, most=5 * MB)

        async def pieces() -> AsyncIterator[bytes]:
            yield empty
            async for piece in body:
                yield piece

        answer = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=pieces())
        with pytest.raises(TooMuchError):
            fetch(answer, Limits(size=MB))

    @pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
    def test_a_compressed_answer_is_read(self, encoding: str) -> None:
        content = gzip.compress(b'{"systems": []}')
        answer = httpx.Response(200, headers={"Content-Encoding": encoding}, stream=httpx.ByteStream(content))
        assert fetch(answer).json() == {"systems": []}

    @pytest.mark.parametrize(
        "content", [gzip.compress(b"x" * 1000)[:-9], b"no gzip"], ids=["cut off", "no gzip"]
    )
    def test_a_damaged_compressed_answer_is_noticed(self, content: bytes) -> None:
        answer = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(content))
        with pytest.raises(httpx.DecodingError):
            fetch(answer)

    def test_of_an_error_the_beginning_is_read_and_the_status_counts(self) -> None:
        body = Endless(b"no " * 1000, most=2 * MB)
        response = fetch(httpx.Response(503, stream=body))
        assert response.status_code == 503
        assert 0 < len(response.content) <= limits.ERROR_SIZE
        assert body.closed

    def test_received_bytes_are_counted_whatever_length_the_answer_states(self) -> None:
        counts = TrafficCounter()

        async def work() -> None:
            answer = httpx.Response(
                200, headers={"Content-Length": "many"}, stream=httpx.ByteStream(b"x" * 50)
            )
            async with CountingClient(counts, transport=httpx.MockTransport(lambda _: answer)) as client:
                await client.get("http://gateway.test/x")

        run(work())
        assert counts.bytes_received == 50

    @pytest.mark.parametrize(
        "content", [b"[" * 200 + b"]" * 200, b'{"a":' * 200 + b"1" + b"}" * 200, b" " * 9 + b"[" * 60_000]
    )
    def test_deep_json_is_refused_before_it_is_decoded(self, content: bytes) -> None:
        with pytest.raises(TooMuchError, match="nested more than 100 levels"):
            check_json(content)

    def test_json_of_very_many_values_is_refused_before_it_is_decoded(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bodies, "MOST_VALUES", 1000)
        with pytest.raises(TooMuchError, match="more than 1000 values"):
            check_json(b"[" + b"[]," * 1000 + b"[]]")

    @pytest.mark.parametrize(
        "content", [b'["' + b"[{" * 500 + b'\\"]", {}]', b"", b"<" * 500, b"[]" * 400, b'"' + b"[" * 900]
    )
    def test_brackets_in_texts_are_no_levels(self, content: bytes) -> None:
        check_json(content)


def gateway_of(
    version: str, serve: Callable[[httpx.Request], Any], retry_policy: RetryPolicy = ONCE
) -> GatewayV1 | GatewayV2:
    def answer(request: httpx.Request) -> Any:
        return token() if request.url.host == "idp.test" else serve(request)

    settings = make_settings(max_response_size=MB, api_version=version)
    connection = Connection(settings, retry_policy, httpx.MockTransport(answer))
    kind = GatewayV1 if version == "1" else GatewayV2
    return kind(connection)


def ask(
    version: str,
    serve: Callable[[httpx.Request], Any],
    what: str,
    *args: Any,
    retry_policy: RetryPolicy = ONCE,
) -> errors.GatewayError:
    async def work() -> None:
        gateway = gateway_of(version, serve, retry_policy)
        try:
            await getattr(gateway, what)(*args)
        finally:
            await gateway.close()

    with pytest.raises(errors.GatewayError) as caught:
        run(work())
    return caught.value


@pytest.mark.parametrize("version", ["1", "2"])
class TestGateways:
    @pytest.mark.parametrize("what", ["connect", "status"])
    def test_an_answer_without_end_is_final_after_two_requests(self, version: str, what: str) -> None:
        asked = []

        def serve(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return httpx.Response(200, stream=Endless(most=3 * MB))

        error = ask(version, serve, what, retry_policy=PATIENT)
        assert isinstance(error, errors.LimitExceededError)
        assert str(error).endswith("more than 1000000 bytes, the limit 'max_response_size'")
        # One accident must not end all tests of a run, and each request costs as many bytes.
        assert len(asked) == 2

    def test_a_submission_with_such_an_answer_may_have_been_carried_out(self, version: str) -> None:
        error = ask(
            version,
            lambda _: httpx.Response(201, stream=Endless(most=3 * MB)),
            "submit",
            "/s/job.sh",
            "/s",
            None,
        )
        assert isinstance(error, errors.UncertainError)

    def test_an_error_of_a_gigabyte_is_one_short_line(self, version: str) -> None:
        error = ask(
            version, lambda _: httpx.Response(400, stream=Endless(b'{"message": "no', 3 * MB)), "status"
        )
        assert len(str(error)) < 1000

    def test_the_identity_provider_is_held_to_it_too(self, version: str) -> None:
        async def work() -> None:
            transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless(most=3 * MB)))
            connection = Connection(make_settings(max_response_size=MB, api_version=version), ONCE, transport)
            with pytest.raises(errors.ProtocolError, match="gives no token: the answer has more than"):
                await connection.authenticate()
            await connection.close()

        run(work())


def objects_for(serve: Callable[[httpx.Request], Any], retry_policy: RetryPolicy = ONCE) -> ObjectStorage:
    return ObjectStorage(client_for(serve), retry_policy, "'daint' at gw")


class TestDownloads:
    @pytest.fixture(autouse=True)
    def little(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "UNASKED", MB)
        monkeypatch.setattr(storage_requests, "CHUNK", 1 << 16)

    def get(self, target: Path, serve: Callable[[httpx.Request], Any]) -> errors.GatewayError:
        with pytest.raises(errors.GatewayError) as caught:
            run(objects_for(serve).get(OBJECT, target, 100))
        assert not list(target.parent.iterdir())
        return caught.value

    def test_an_object_without_length_and_end_does_not_fill_the_disk(self, tmp_path: Path) -> None:
        body = Endless(most=3 * MB)
        error = self.get(tmp_path / "x", lambda _: httpx.Response(200, stream=body))
        assert isinstance(error, errors.LimitExceededError)
        assert "the limit for what was listed with 100 bytes" in str(error)

    @pytest.mark.parametrize(
        ("status", "headers"),
        [(200, {"Content-Length": str(10**15)}), (206, {"Content-Range": f"bytes 0-9/{10**15}"})],
    )
    def test_an_object_far_larger_than_listed_is_not_begun(
        self, tmp_path: Path, status: int, headers: dict[str, str]
    ) -> None:
        body = Endless()
        error = self.get(tmp_path / "x", lambda _: httpx.Response(status, headers=headers, stream=body))
        assert isinstance(error, errors.LimitExceededError)
        assert body.taken == 0

    def test_more_bytes_than_announced_are_not_taken(self, tmp_path: Path) -> None:
        body = Endless(most=2 * MB)
        error = self.get(
            tmp_path / "x",
            lambda _: httpx.Response(206, headers={"Content-Range": "bytes 0-9/10"}, stream=body),
        )
        assert isinstance(error, errors.ProtocolError)
        assert "more bytes than it announced" in str(error)

    def test_a_disk_is_not_filled_to_its_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.fstatvfs

        def nearly_full(descriptor: int) -> os.statvfs_result:
            values = list(real(descriptor))
            # block size, fragment size, blocks, free, available
            values[:5] = [4096, 4096, 1_000_000, 45_000, 45_000]
            return os.statvfs_result(values)

        monkeypatch.setattr(os, "fstatvfs", nearly_full)
        monkeypatch.setattr(local_file, "SMALL", 0)
        content = b"x" * 100
        answer = httpx.Response(200, headers={"Content-Length": "100"}, content=content)
        error = self.get(tmp_path / "x", lambda _: answer)
        assert isinstance(error, errors.FinalError)
        assert "its disk would have less than 195 MiB left" in str(error)


class TestPace:
    def trickle(self, clock: Clock, every: float, size: int = 1) -> httpx.AsyncByteStream:
        class Trickle(Endless):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                async for piece in super().__aiter__():
                    clock.now += every
                    yield piece

        return Trickle(bytes(size), most=1000 * size)

    def test_an_answer_that_trickles_has_stalled(self, clock: Clock) -> None:
        with pytest.raises(StalledError, match=r"2 bytes in 2 min, less than 'min_transfer_rate'"):
            fetch(httpx.Response(200, stream=self.trickle(clock, 119.0)))

    def test_what_is_slow_but_fast_enough_arrives(self, clock: Clock) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(10):
                clock.now += 119.0
                yield bytes(121_000)

        assert len(fetch(httpx.Response(200, content=pieces())).content) == 1_210_000
        assert clock.now > 1000

    def test_without_a_minimum_rate_anything_goes(self, clock: Clock) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(10):
                clock.now += 119.0
                yield b"x"

        assert len(fetch(httpx.Response(200, content=pieces()), Limits(rate=0)).content) == 10

    def test_a_body_that_is_silent_has_stalled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "WINDOW", 0.01)

        async def silent() -> AsyncIterator[bytes]:
            yield b"x"
            await asyncio.Event().wait()

        with pytest.raises(StalledError):
            fetch(httpx.Response(200, content=silent()))

    def test_a_head_that_never_ends_has_stalled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http_client, "HEAD", 0.01)
        monkeypatch.setattr(bodies, "HEAD", 0.01)

        async def never(_request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

        async def work() -> None:
            async with client_for(never) as client:
                with pytest.raises(StalledError):
                    await client.get("http://gateway.test/x")

        run(work())

    def test_an_upload_that_is_taken_too_slowly_has_stalled(self, clock: Clock) -> None:
        class Slow(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                assert isinstance(request.stream, httpx.AsyncByteStream)
                async for _ in request.stream:
                    clock.now += 125.0
                return httpx.Response(200)

        async def work() -> None:
            async with CountingClient(TrafficCounter(), Limits(rate=1000), transport=Slow()) as client:
                with pytest.raises(StalledError):
                    await client.put("http://s3.test/x", content=bytes(1 << 20))

        run(work())

    def test_a_slow_disk_of_ours_is_no_stall(self, clock: Clock) -> None:
        async def content() -> AsyncIterator[bytes]:
            for _ in range(5):
                clock.now += 500.0
                yield b"x"

        async def take(request: httpx.Request) -> httpx.Response:
            assert isinstance(request.stream, httpx.AsyncByteStream)
            return httpx.Response(200, content=await request.aread())

        async def work() -> None:
            async with client_for(take) as client:
                assert (await client.put("http://s3.test/x", content=content())).content == b"xxxxx"

        run(work())

    def test_a_stalled_download_resumes_where_it_was(
        self, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "UNASKED", MB)
        seen = []

        def serve(request: httpx.Request) -> httpx.Response:
            begin = int(request.headers["Range"].removeprefix("bytes=").partition("-")[0])
            seen.append(begin)
            reported = {"Content-Range": f"bytes {begin}-9/10"}
            body = self.trickle(clock, 70.0) if len(seen) == 1 else httpx.ByteStream(bytes(10 - begin))
            return httpx.Response(206, headers=reported, stream=body)

        run(objects_for(serve, RetryPolicy(outage=1e9, pause=0.0)).get(OBJECT, tmp_path / "x", 10))
        assert seen == [0, 1]
        assert (tmp_path / "x").read_bytes() == bytes(10)

    @pytest.mark.parametrize("every", [119.0, 61.0, 10.0])
    def test_a_storage_that_trickles_for_ever_is_given_up(
        self, tmp_path: Path, clock: Clock, every: float
    ) -> None:
        """A small amount arrives each time, which must not count as progress."""
        asked = []

        def serve(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            assert len(asked) < 30
            begin = int(request.headers["Range"].removeprefix("bytes=").partition("-")[0])
            reported = {"Content-Range": f"bytes {begin}-8388607/{10**8}"}
            return httpx.Response(206, headers=reported, stream=self.trickle(clock, every))

        with pytest.raises(errors.UncertainError, match="the transfer stalled"):
            run(objects_for(serve, RetryPolicy(outage=1e9, pause=0.0)).get(OBJECT, tmp_path / "x", 10**8))
        assert clock.now < 1800

    def test_parts_are_put_together_as_slowly_as_it_takes(self, tmp_path: Path, clock: Clock) -> None:
        async def blanks() -> AsyncIterator[bytes]:
            for _ in range(20):
                clock.now += 30.0
                yield b" "
            yield b"<CompleteMultipartUploadResult/>"

        source = tmp_path / "source"
        source.write_bytes(b"x" * 10)

        def serve(request: httpx.Request) -> httpx.Response:
            if request.method == "PUT":
                return httpx.Response(200, headers={"ETag": '"1"'})
            return httpx.Response(200, content=blanks())

        run(objects_for(serve).put(source, 10, UploadUrls(["http://s3.test/1"], "http://s3.test/c", 10)))
