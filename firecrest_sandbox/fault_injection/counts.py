"""Counts of requests, their bytes and their concurrency."""

from __future__ import annotations

import re
import threading
from collections import Counter

from pydantic import BaseModel, Field

_FOLDED = (
    (re.compile(r"^/auth/.*$"), "token"),
    (re.compile(r"^/storage/(?!xfer-(external|internal)/).*$"), "storage"),
    (re.compile(r"/jobs/(?!(path|upload)$)[^/]+"), "/jobs/{id}"),
    (re.compile(r"^/tasks/[^/]+$"), "/tasks/{id}"),
    (re.compile(r"^/compute/nodes/[^/]+$"), "/compute/nodes/{name}"),
    (re.compile(r"^/status/(systems|services|filesystems)/[^/]+$"), r"/status/\1/{name}"),
    (
        re.compile(
            r"^/(status/(?!systems/|services/|filesystems/)|filesystem/|compute/(?!jobs/|nodes/))[^/]+/"
        ),
        r"/\1{system}/",
    ),
)


def shape(method: str, path: str) -> str:
    """Return the request's method and path, with placeholders for names and ids.

    A token request is `POST token`, a request to the object storage `PUT storage`. Other requests keep their
    path: `GET /compute/{system}/jobs/{id}`.
    """
    for pattern, replacement in _FOLDED:
        path = pattern.sub(replacement, path)
    return f"{method} {path}"


class Stats(BaseModel):
    """Counts since the start or the last reset; sizes of bodies in bytes."""

    total: int = 0
    by_shape: dict[str, int] = Field(default_factory=dict)
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_in_by_shape: dict[str, int] = Field(default_factory=dict)
    bytes_out_by_shape: dict[str, int] = Field(default_factory=dict)
    max_in_flight: int = 0
    in_flight: int = 0
    rate_limited: int = 0
    faults: dict[str, int] = Field(default_factory=dict)


class RequestCounts:
    """Counters that any thread may read and reset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight = 0
        self._clear()

    def _clear(self) -> None:
        self._shapes: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._bytes_in: Counter[str] = Counter()
        self._bytes_out: Counter[str] = Counter()
        self._rate_limited = 0
        self._max_in_flight = self._in_flight

    def begin(self, label: str) -> None:
        """Count a request of this shape at its arrival."""
        with self._lock:
            self._shapes[label] += 1
            self._in_flight += 1
            self._max_in_flight = max(self._max_in_flight, self._in_flight)

    def end(self) -> None:
        """Count the end of a request."""
        with self._lock:
            self._in_flight -= 1

    def received(self, label: str, size: int) -> None:
        """Add bytes received in bodies of requests of this shape."""
        with self._lock:
            self._bytes_in[label] += size

    def sent(self, label: str, size: int) -> None:
        """Add bytes sent in answers to requests of this shape."""
        with self._lock:
            self._bytes_out[label] += size

    def limited(self) -> None:
        """Count a request that the rate limit refused."""
        with self._lock:
            self._rate_limited += 1

    def fault(self, kind: str, label: str) -> None:
        """Count a fault in a request of this shape."""
        with self._lock:
            self._faults[f"{kind} {label}"] += 1

    def read(self) -> Stats:
        """Return the counts."""
        with self._lock:
            return Stats(
                total=self._shapes.total(),
                by_shape=dict(self._shapes.most_common()),
                bytes_in=self._bytes_in.total(),
                bytes_out=self._bytes_out.total(),
                bytes_in_by_shape=dict(self._bytes_in),
                bytes_out_by_shape=dict(self._bytes_out),
                max_in_flight=self._max_in_flight,
                in_flight=self._in_flight,
                rate_limited=self._rate_limited,
                faults=dict(self._faults),
            )

    def reset(self) -> None:
        """Set all counts to zero, except the requests in flight."""
        with self._lock:
            self._clear()
