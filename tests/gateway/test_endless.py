"""Memory and disk usage with a hostile server, over real sockets in a separate process."""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

MB = 1 << 20
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Serve = Callable[[asyncio.StreamWriter], Awaitable[None]]

CLIENT = """
import asyncio, resource, sys
from pathlib import Path
import httpx
from reframe_firecrest.model import errors
from reframe_firecrest.gateway.http import limits
from reframe_firecrest.gateway.object_storage.object_storage import ObjectStorage
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.http.http_client import CountingClient, TrafficCounter

limits.UNASKED = 32 << 20

async def work(url, target):
    async with CountingClient(TrafficCounter()) as client:
        try:
            if target:
                objects = ObjectStorage(client, RetryPolicy(0.0, 0.0, 0.0, 0.0), "'daint' at gw")
                await objects.get(url, Path(target), 10)
            else:
                (await client.get(url, timeout=30)).json()
        except (ValueError, RecursionError, httpx.HTTPError, errors.GatewayError) as error:
            return type(error).__name__
        return "taken"

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = asyncio.run(work(*sys.argv[1:]))
print(result, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


async def for_ever(writer: asyncio.StreamWriter, head: bytes, piece: bytes) -> None:
    writer.write(head)
    while True:
        writer.write(piece)
        await writer.drain()


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


async def endless_chunks(writer: asyncio.StreamWriter) -> None:
    await for_ever(writer, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk(bytes(MB)))


async def until_closed(writer: asyncio.StreamWriter) -> None:
    await for_ever(writer, HEAD + b"\r\n", bytes(MB))


async def endless_head(writer: asyncio.StreamWriter) -> None:
    await for_ever(writer, HEAD, b"X-More: " + b"x" * 1000 + b"\r\n")


async def gzip_bomb(writer: asyncio.StreamWriter) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join([*(packer.compress(b" " * MB) for _ in range(1000)), packer.flush()])
    writer.write(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)
    await writer.drain()


def answer_of(content: bytes) -> Serve:
    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content)
        await writer.drain()

    return serve


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await serve(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"


def ask(serve: Serve, target: str = "") -> tuple[str, int]:
    """Send a request from a separate process; return its outcome and memory usage in MiB."""

    async def work() -> bytes:
        async with served(serve) as url:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", CLIENT, url, target, stdout=asyncio.subprocess.PIPE
            )
            output, _ = await process.communicate()
            return output

    result, memory = asyncio.run(asyncio.wait_for(work(), 120)).split()
    return result.decode(), int(memory)


@pytest.mark.parametrize(
    ("serve", "result"),
    [
        (endless_chunks, "TooMuchError"),
        (until_closed, "TooMuchError"),
        (gzip_bomb, "TooMuchError"),
        (endless_head, "RemoteProtocolError"),
        (answer_of(b"[" * MB + b"]" * MB), "TooMuchError"),
        (answer_of(b"[" + b"[]," * (20 * MB) + b"[]]"), "TooMuchError"),
        (answer_of(b"[" + b"9" * (4 * MB) + b"]"), "ValueError"),
    ],
    ids=["chunks", "no length", "gzip", "head", "deep", "many values", "digits"],
)
def test_no_answer_takes_the_memory_of_a_run(serve: Serve, result: str) -> None:
    found, memory = ask(serve)
    assert found == result
    assert memory < 300


@pytest.mark.parametrize("serve", [endless_chunks, until_closed], ids=["chunks", "no length"])
def test_no_object_takes_the_disk_of_a_run(serve: Serve, tmp_path: Path) -> None:
    found, memory = ask(serve, str(tmp_path / "object"))
    assert found == "LimitExceededError"
    assert memory < 100
    assert not list(tmp_path.iterdir())
