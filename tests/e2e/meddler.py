"""A proxy in front of a gateway that disturbs one kind of request, once."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
"""Headers of one connection."""

SUBMIT = re.compile(r"POST (/compute/[^/]+/jobs|/compute/jobs/path)$")


class Meddler:
    """Faults of submissions, and their number.

    Args:
        upstream: address of the gateway.
        kind: ``late`` cuts the connection of the first one and hands it on `seconds` later; ``503`` hands it
            on and answers as a proxy does that has lost its connection.
        seconds: see `kind`.
    """

    def __init__(self, upstream: str, kind: str, seconds: float = 0.0) -> None:
        self.upstream = urlsplit(upstream)
        self.kind = kind
        self.seconds = seconds
        self.submissions = 0
        self.answers: list[int] = []
        self._lock = threading.Lock()

    def is_hit(self, request: str) -> bool:
        if not SUBMIT.match(request):
            return False
        with self._lock:
            self.submissions += 1
            return self.submissions == 1

    def forward(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection(self.upstream.netloc, timeout=120)
        try:
            connection.request(method, self.upstream.path.rstrip("/") + path, body, headers)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in HOP}
            return answer.status, kept, answer.read()
        finally:
            connection.close()

    def forward_late(self, *request: Any) -> None:
        status, _, _ = self.forward(*request)
        self.answers.append(status)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    meddler: Meddler

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        request = self.command, self.path, headers, body
        hit = self.meddler.is_hit(f"{self.command} {urlsplit(self.path).path}")
        if hit and self.meddler.kind == "late":
            threading.Timer(self.meddler.seconds, self.meddler.forward_late, request).start()
            self.close_connection = True
            return
        status, kept, content = self.meddler.forward(*request)
        if hit:
            self.meddler.answers.append(status)
            status, kept, content = 503, {"Content-Type": "text/plain"}, b"upstream connect error"
        self.send_response_only(status)
        for name, value in kept.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - names that http.server looks for

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def meddling(meddler: Meddler) -> Iterator[str]:
    """Run the proxy; yields its address."""
    handler = type("Handler", (_Handler,), {"meddler": meddler})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
