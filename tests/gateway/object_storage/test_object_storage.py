from __future__ import annotations

import asyncio
import logging
import re
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from reframe_firecrest.gateway.http import outage_log
from reframe_firecrest.gateway.http.http_client import CountingClient, TrafficCounter
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.object_storage import ranged_download
from reframe_firecrest.gateway.object_storage import storage_requests as store_module
from reframe_firecrest.gateway.object_storage.object_storage import ObjectStorage
from reframe_firecrest.gateway.object_storage.storage_requests import REPEATS
from reframe_firecrest.gateway.object_storage.upload_targets import UploadUrls
from reframe_firecrest.model import errors
from tests.gateway.helpers import FAST, SIGNATURE, never, run

Fault = httpx.Response | Exception | Callable[[httpx.Request], Any]

OBJECT = f"http://s3.test/object?{SIGNATURE}"
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
TOGETHER = httpx.Response(200, text="<CompleteMultipartUploadResult/>")


def s3_error(status: int, code: str, **headers: str) -> httpx.Response:
    text = f"<Error><Code>{code}</Code><Resource>/object?{SIGNATURE}</Resource></Error>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, text=text, headers=named)


def wait_for_four(store: Store, uploads: int) -> None:
    """Answer to no part before four are under way."""
    all_there = asyncio.Event()

    async def wait(_request: httpx.Request) -> httpx.Response:
        if store.in_flight == 4:
            all_there.set()
        await all_there.wait()
        return httpx.Response(200, headers={"ETag": '"1"'})

    for number in range(1, 10):
        store.faults[f"PUT /part/{number}"] = [wait] * uploads


class Store:
    """An object store of one object.

    Attributes:
        content: the object.
        ranges: whether it can give parts of it.
        faults: what becomes of requests instead, by "METHOD path", in this order.
        seen: all requests, in the order of their arrival.
        most_parts: how many parts travelled at a time.
    """

    def __init__(self, content: bytes = b"", *, ranges: bool = True) -> None:
        self.content = content
        self.ranges = ranges
        self.faults: dict[str, list[Fault]] = {}
        self.seen: list[httpx.Request] = []
        self.parts: dict[int, bytes] = {}
        self.completed = b""
        self.in_flight = self.most_parts = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        self.in_flight += request.method != "POST"
        self.most_parts = max(self.most_parts, self.in_flight)
        try:
            return await self._serve(request)
        finally:
            self.in_flight -= request.method != "POST"

    async def _serve(self, request: httpx.Request) -> httpx.Response:
        assert "authorization" not in request.headers
        faults = self.faults.get(f"{request.method} {request.url.path}", [])
        body = await request.aread()
        # Others get their turn, as with a network.
        await asyncio.sleep(0)
        if faults:
            fault = faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            if isinstance(fault, httpx.Response):
                return httpx.Response(fault.status_code, headers=fault.headers, content=fault.content)
            answer = fault(request)
            return await answer if isinstance(answer, Coroutine) else answer  # type: ignore[no-any-return]
        if request.method == "PUT":
            assert int(request.headers["Content-Length"]) == len(body)
            number = int(request.url.path.rpartition("/")[2])
            self.parts[number] = body
            return httpx.Response(200, headers={"ETag": f'"tag&{number}"'})
        if request.method == "POST":
            self.completed = body
            return TOGETHER
        return self.give(request)

    def give(self, request: httpx.Request, stop: int | None = None) -> httpx.Response:
        """Give what is asked for, or only the first `stop` bytes of it before the connection breaks."""
        begin, end = self.asked(request) if self.ranges else (0, len(self.content))
        headers = {"Content-Length": str(end - begin), "Content-Type": "binary/octet-stream"}
        if self.ranges:
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(self.content)}"
        content = self.content[begin:end]

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(content) if stop is None else stop, 7):
                yield content[at : min(at + 7, len(content) if stop is None else stop)]
            if stop is not None:
                raise httpx.RemoteProtocolError("peer closed connection")

        return httpx.Response(206 if self.ranges else 200, headers=headers, content=pieces())

    def asked(self, request: httpx.Request) -> tuple[int, int]:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers["Range"])
        assert found is not None
        return int(found[1]), min(int(found[2]) + 1, len(self.content))

    def spans(self) -> list[tuple[int, int]]:
        return [self.asked(request) for request in self.seen]

    def count(self, key: str) -> int:
        return sum(f"{request.method} {request.url.path}" == key for request in self.seen)


class Reader(httpx.AsyncBaseTransport):
    """Reads what is sent as it comes, which `httpx.MockTransport` does not, and gives zeroes.

    Attributes:
        chunks: sizes of what came at a time.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.chunks: list[int] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return TOGETHER
        if request.method == "PUT":
            assert isinstance(request.stream, httpx.AsyncByteStream)
            async for chunk in request.stream:
                self.chunks.append(len(chunk))
            return httpx.Response(200, headers={"ETag": '"1"'})
        begin, last = map(int, request.headers["Range"].removeprefix("bytes=").split("-"))

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(begin, last + 1, 1 << 16):
                yield bytes(min(1 << 16, last + 1 - at))

        reported = {
            "Content-Range": f"bytes {begin}-{last}/{self.size}",
            "Content-Length": str(last + 1 - begin),
        }
        return httpx.Response(206, headers=reported, content=pieces())


def make_objects(store: Any, retry_policy: RetryPolicy = FAST) -> ObjectStorage:
    transport = store if isinstance(store, Reader) else httpx.MockTransport(store)
    return ObjectStorage(CountingClient(TrafficCounter(), transport=transport), retry_policy, "'daint' at gw")


def urls_for(content: Sequence[int] | bytes, part_size: int) -> UploadUrls:
    count = -(-len(content) // part_size)
    parts = [f"http://s3.test/part/{number}?{SIGNATURE}" for number in range(1, count + 1)]
    return UploadUrls(parts, f"http://s3.test/complete?{SIGNATURE}", part_size)


CONTENT = bytes(range(256)) * 10


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def put(store: Store, source: Path, part_size: int = 300, **options: Any) -> None:
    progress = options.pop("progress", None)
    work = make_objects(store, **options).put(source, len(CONTENT), urls_for(CONTENT, part_size), progress)
    run(work)


def fails(kind: type[errors.GatewayError], work: Callable[..., None], *arguments: Any, **options: Any) -> str:
    """Return the one line of an error, which contains no secret."""
    with pytest.raises(errors.GatewayError) as caught:
        work(*arguments, **options)
    assert type(caught.value) is kind, repr(caught.value)
    line = str(caught.value)
    assert "\n" not in line
    assert SIGNATURE not in line
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return line


TRANSIENT = [
    s3_error(503, "SlowDown"),
    s3_error(429, "TooManyRequests"),
    s3_error(500, "InternalError"),
    s3_error(400, "RequestTimeout"),
    httpx.ConnectError("refused"),
    httpx.ReadError("reset"),
    httpx.WriteError("broken pipe"),
    httpx.WriteTimeout("slow"),
]


class TestSending:
    def test_parts_are_put_together_in_their_order_by_quoted_tags(self, source: Path) -> None:
        store = Store()
        put(store, source)
        assert b"".join(store.parts[number] for number in sorted(store.parts)) == CONTENT
        assert len(store.parts) == 9
        listed = ElementTree.fromstring(store.completed)
        assert listed.tag == f"{NAMESPACE}CompleteMultipartUpload"
        found = [(part[1].text, part[0].text) for part in listed]
        assert found == [(str(number), f'"tag&{number}"') for number in range(1, 10)]

    def test_a_tag_that_comes_without_quotes_gets_them(self, source: Path) -> None:
        store = Store()
        store.faults["PUT /part/1"] = [httpx.Response(200, headers={"ETag": "bare"})]
        put(store, source)
        assert b'<ETag>"bare"</ETag>' in store.completed

    def test_four_parts_travel_at_a_time(self, source: Path) -> None:
        store = Store()
        wait_for_four(store, uploads=1)
        put(store, source)
        assert store.most_parts == 4

    def test_two_files_at_a_time_send_no_more_parts_at_a_time(self, source: Path) -> None:
        store = Store()
        wait_for_four(store, uploads=2)

        async def work() -> None:
            both = make_objects(store)
            await asyncio.gather(*(both.put(source, len(CONTENT), urls_for(CONTENT, 300)) for _ in "12"))

        run(work())
        assert store.most_parts == 4

    def test_a_part_comes_from_the_disk_in_chunks(
        self, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store_module, "CHUNK", 100)
        reader = Reader(0)
        run(make_objects(reader).put(source, len(CONTENT), urls_for(CONTENT, 350)))
        assert (max(reader.chunks), sum(reader.chunks)) == (100, len(CONTENT))

    @pytest.mark.parametrize("fault", TRANSIENT, ids=str)
    def test_a_part_that_fails_for_the_moment_is_sent_again_alone(self, source: Path, fault: Fault) -> None:
        store = Store()
        store.faults["PUT /part/3"] = [fault, fault]
        put(store, source)
        assert b"".join(store.parts[number] for number in sorted(store.parts)) == CONTENT
        assert store.count("PUT /part/3") == 3
        assert len(store.seen) == 9 + 2 + 1

    def test_a_pause_that_the_store_asks_for_is_made(
        self, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses: list[float | None] = []

        class Noting(RetryPolicy):
            def pause_before(self, attempt: int, retry_after: float | None) -> float:
                pauses.append(retry_after)
                return 0.0

        store = Store()
        store.faults["PUT /part/3"] = [s3_error(503, "SlowDown", retry_after="7")]
        put(store, source, retry_policy=Noting())
        assert pauses == [7.0]

    def test_what_breaks_time_and_again_has_failed(self, source: Path) -> None:
        store = Store()
        store.faults["PUT /part/3"] = [httpx.WriteError("broken pipe")] * 100
        line = fails(errors.UncertainError, put, store, source)
        assert line == "uploading on 'daint' at gw failed: the connection broke (WriteError)"
        assert store.count("PUT /part/3") == REPEATS + 1
        assert store.count("POST /complete") == 0

    def test_a_store_out_of_reach_is_waited_for_no_longer_than_patience_lasts(self, source: Path) -> None:
        store, retry_policy = Store(), RetryPolicy(first_contact=0.0, outage=1.0)

        def refuse(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

        store.faults = {f"PUT /part/{number}": [refuse] for number in range(1, 10)}
        line = fails(errors.TransientError, put, store, source, retry_policy=retry_policy)
        assert "s3.test can't be reached from here" in line

    def test_a_store_that_is_away_for_long_is_reported(
        self, source: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(outage_log, "WARN_AFTER", 0.0)
        store = Store()
        store.faults["PUT /part/1"] = [s3_error(503, "SlowDown")]
        put(store, source)
        said = [record.getMessage() for record in caplog.records if record.name == outage_log.__name__]
        assert "the S3 storage answers HTTP 503 (SlowDown); this has lasted for " in said[0]
        assert said[1].startswith("uploading on 'daint' at gw works again")

    def test_a_store_that_refuses_is_not_asked_again(self, source: Path) -> None:
        store = Store()
        store.faults["PUT /part/3"] = [s3_error(403, "AccessDenied")]
        line = fails(errors.ForbiddenError, put, store, source)
        assert line == "uploading on 'daint' at gw failed: the S3 storage answers HTTP 403 (AccessDenied)"
        assert store.count("PUT /part/3") == 1

    def test_the_other_parts_are_given_up_when_one_is_refused(self, source: Path) -> None:
        store = Store()
        store.faults["PUT /part/1"] = [never]
        store.faults["PUT /part/2"] = [s3_error(403, "AccessDenied")]
        fails(errors.ForbiddenError, put, store, source)
        assert store.in_flight == 0

    def test_a_store_that_names_no_tag_is_none(self, source: Path) -> None:
        store = Store()
        store.faults["PUT /part/3"] = [httpx.Response(200)]
        assert "without returning an ETag" in fails(errors.ProtocolError, put, store, source)

    @pytest.mark.parametrize("lost", [httpx.ReadError("reset"), s3_error(500, "InternalError")], ids=str)
    def test_an_upload_that_was_ended_by_the_first_of_two_requests_is_fine(
        self, source: Path, lost: Fault
    ) -> None:
        store = Store()
        store.faults["POST /complete"] = [lost, s3_error(404, "NoSuchUpload")]
        put(store, source)
        assert store.count("POST /complete") == 2

    def test_an_upload_that_nobody_has_ended_must_be_there(self, source: Path) -> None:
        store = Store()
        store.faults["POST /complete"] = [s3_error(404, "NoSuchUpload")]
        fails(errors.NotFoundError, put, store, source)

    def test_a_success_that_turns_out_to_be_none_is_asked_for_again(self, source: Path) -> None:
        store = Store()
        store.faults["POST /complete"] = [s3_error(200, "InternalError")]
        put(store, source)
        assert store.count("POST /complete") == 2

    @pytest.mark.parametrize("fault", [s3_error(200, "InvalidPart"), httpx.Response(200, text="<html>")])
    def test_a_success_in_other_words_is_none(self, source: Path, fault: Fault) -> None:
        store = Store()
        store.faults["POST /complete"] = [fault]
        fails(errors.ProtocolError, put, store, source)

    def test_a_file_that_shrinks_meanwhile_is_reported(self, source: Path) -> None:
        store = Store()
        source.write_bytes(CONTENT[:1000])
        line = fails(errors.FinalError, put, store, source)
        assert line == f"{source} on this machine has become shorter while it was sent"

    def test_progress_is_reported_and_taken_back_where_a_part_has_to_travel_again(self, source: Path) -> None:
        store, reported = Store(), list[tuple[int, int]]()
        store.faults["PUT /part/1"] = [httpx.WriteError("broken pipe")]
        put(store, source, 2000, progress=lambda *state: reported.append(state))
        assert {total for _, total in reported} == {len(CONTENT)}
        done = [done for done, _ in reported]
        assert done[-1] == max(done) == len(CONTENT)
        assert done != sorted(done)


@pytest.fixture
def ranged(monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(ranged_download, "FIRST_RANGE", 100)
    return Store(CONTENT)


def get(store: Any, target: Path, **options: Any) -> None:
    progress = options.pop("progress", None)
    run(make_objects(store, **options).get(OBJECT, target, len(CONTENT), progress))


class TestFetching:
    @pytest.fixture
    def target(self, tmp_path: Path) -> Path:
        return tmp_path / "target"

    def test_a_small_object_takes_one_request(self, target: Path) -> None:
        store = Store(CONTENT)
        get(store, target)
        assert target.read_bytes() == CONTENT
        assert len(store.seen) == 1
        assert store.seen[0].headers["Accept-Encoding"] == "identity"

    def test_a_large_one_comes_in_a_few_ranges_side_by_side(self, ranged: Store, target: Path) -> None:
        all_there = asyncio.Event()

        async def wait(request: httpx.Request) -> httpx.Response:
            if ranged.in_flight == 4:
                all_there.set()
            await all_there.wait()
            return ranged.give(request)

        ranged.faults["GET /object"] = [ranged.give, wait, wait, wait, wait]
        get(ranged, target)
        assert target.read_bytes() == CONTENT
        assert ranged.spans() == [(0, 100), (100, 715), (715, 1330), (1330, 1945), (1945, 2560)]

    def test_what_is_little_larger_takes_no_more_ranges_than_it_is_worth(
        self, ranged: Store, target: Path
    ) -> None:
        ranged.content = CONTENT[:250]
        get(ranged, target)
        assert target.read_bytes() == CONTENT[:250]
        assert ranged.spans() == [(0, 100), (100, 200), (200, 250)]

    @pytest.mark.parametrize("fault", TRANSIENT, ids=str)
    def test_a_range_that_fails_for_the_moment_is_fetched_again_alone(
        self, ranged: Store, target: Path, fault: Fault
    ) -> None:
        ranged.faults["GET /object"] = [ranged.give, fault, fault]
        get(ranged, target)
        assert target.read_bytes() == CONTENT
        assert len(ranged.seen) == 5 + 2

    def test_what_breaks_is_gone_on_with_where_it_broke(self, ranged: Store, target: Path) -> None:
        ranged.faults["GET /object"] = [
            lambda request: ranged.give(request, 40),
            ranged.give,
            lambda request: ranged.give(request, 15),
        ]
        get(ranged, target)
        assert target.read_bytes() == CONTENT
        assert sorted(ranged.spans())[:4] == [(0, 100), (40, 100), (100, 715), (115, 715)]

    def test_a_transfer_that_progresses_may_break_any_number_of_times(self, target: Path) -> None:
        store = Store(CONTENT)
        store.faults["GET /object"] = [lambda request: store.give(request, 10)] * 50
        get(store, target, retry_policy=RetryPolicy(outage=0.5, pause=0.0))
        assert target.read_bytes() == CONTENT

    def test_what_comes_no_further_has_failed(self, target: Path) -> None:
        store = Store(CONTENT)
        store.faults["GET /object"] = [lambda request: store.give(request, 0)] * 50
        line = fails(errors.UncertainError, get, store, target)
        assert line == "downloading on 'daint' at gw failed: the connection broke (RemoteProtocolError)"
        assert len(store.seen) == REPEATS + 1

    def test_an_answer_that_ends_early_without_a_word_is_noticed(self, target: Path) -> None:
        store = Store(CONTENT)

        def short(request: httpx.Request) -> httpx.Response:
            whole = store.give(request)

            async def pieces() -> AsyncIterator[bytes]:
                yield CONTENT[:1000]

            return httpx.Response(206, headers=whole.headers, content=pieces())

        store.faults["GET /object"] = [short]
        get(store, target)
        assert target.read_bytes() == CONTENT
        assert store.spans() == [(0, 2560), (1000, 2560)]

    @pytest.mark.parametrize("stop", [0, 1000])
    def test_without_ranges_all_of_it_is_fetched_anew(self, target: Path, stop: int) -> None:
        store, reported = Store(CONTENT, ranges=False), list[tuple[int, int]]()
        store.faults["GET /object"] = [lambda request: store.give(request, stop)]
        get(store, target, progress=lambda *state: reported.append(state))
        assert target.read_bytes() == CONTENT
        assert len(store.seen) == 2
        assert reported[-1] == (len(CONTENT), len(CONTENT))

    def test_without_ranges_and_length_the_end_is_the_end(self, target: Path) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield CONTENT

        get(lambda _: httpx.Response(200, content=pieces()), target)
        assert target.read_bytes() == CONTENT

    @pytest.mark.parametrize(
        "reported",
        ["", "bytes 10-2559/2560", "bytes */2560", "bytes 0-2559/*", "bytes 0-99/2560, 200-299/2560"],
    )
    def test_other_bytes_than_those_asked_for_are_refused(self, target: Path, reported: str) -> None:
        answer = httpx.Response(206, content=CONTENT, headers={"Content-Range": reported})
        line = fails(errors.ProtocolError, get, lambda _: answer, target)
        assert "returns other bytes than requested" in line

    def test_an_object_that_changes_its_size_is_refused(self, ranged: Store, target: Path) -> None:
        def grown(request: httpx.Request) -> httpx.Response:
            answer = ranged.give(request)
            answer.headers["Content-Range"] = answer.headers["Content-Range"].replace("/2560", "/9999")
            return answer

        ranged.faults["GET /object"] = [ranged.give, grown]
        fails(errors.ProtocolError, get, ranged, target)

    def test_a_web_page_is_not_taken_for_the_file(self, target: Path) -> None:
        page = httpx.Response(200, html="<h1>Please log in</h1>")
        assert "a web page" in fails(errors.ProtocolError, get, lambda _: page, target)

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (httpx.Response(302), errors.ProtocolError),
            (s3_error(403, "AccessDenied"), errors.ForbiddenError),
            (s3_error(404, "NoSuchKey"), errors.NotFoundError),
            (s3_error(416, "InvalidRange"), errors.RejectedError),
        ],
    )
    def test_a_refusal_is_reported_after_one_request_and_leaves_nothing(
        self, target: Path, answer: httpx.Response, kind: type[errors.GatewayError]
    ) -> None:
        store = Store(CONTENT)
        store.faults["GET /object"] = [answer]
        line = fails(kind, get, store, target)
        assert f"the S3 storage answers HTTP {answer.status_code}" in line
        assert len(store.seen) == 1
        assert not list(target.parent.iterdir())

    def test_the_file_appears_when_all_of_it_is_there(self, ranged: Store, target: Path) -> None:
        def look(request: httpx.Request) -> httpx.Response:
            assert not target.exists()
            return ranged.give(request)

        ranged.faults["GET /object"] = [look] * 5
        get(ranged, target)
        assert list(target.parent.iterdir()) == [target]

    def test_a_fetch_that_is_given_up_leaves_nothing(self, target: Path) -> None:
        begun = asyncio.Event()

        async def stuck(request: httpx.Request) -> httpx.Response:
            begun.set()
            return await never(request)

        async def work() -> None:
            task = asyncio.create_task(make_objects(stuck).get(OBJECT, target, 0))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        run(work())
        assert not list(target.parent.iterdir())

    def test_progress_is_reported(self, ranged: Store, target: Path) -> None:
        reported: list[tuple[int, int]] = []
        get(ranged, target, progress=lambda *state: reported.append(state))
        assert [done for done, _ in reported] == sorted(done for done, _ in reported)
        assert {total for _, total in reported} == {2560}
        assert reported[-1][0] == 2560


class TestEitherWay:
    def test_no_secret_is_logged(
        self, source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = Store(CONTENT)
        store.faults = {
            "PUT /part/2": [s3_error(503, "SlowDown")],
            "GET /object": [s3_error(503, "SlowDown")],
        }
        with caplog.at_level(logging.DEBUG):
            put(store, source)
            get(store, tmp_path / "target")
        assert "s3.test/part/2" in caplog.text
        assert SIGNATURE not in caplog.text

    def test_urls_are_not_printed(self) -> None:
        assert SIGNATURE not in repr(urls_for(CONTENT, 300))

    def test_a_large_file_needs_little_memory(self, tmp_path: Path) -> None:
        size = 64 << 20
        source = tmp_path / "source"
        with source.open("wb") as file:
            file.truncate(size)

        async def work() -> None:
            both = make_objects(Reader(size))
            await both.put(source, size, urls_for(range(size), 16 << 20))
            await both.get(OBJECT, tmp_path / "target", size)

        tracemalloc.start()
        try:
            run(work())
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()
        assert (tmp_path / "target").stat().st_size == size
