"""Answers of an API that is right, nearly right, or nothing of the kind."""

from __future__ import annotations

import copy
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.gateway.helpers import SYSTEM

JOB = {
    "jobId": "7",
    "name": "t",
    "status": {"state": "COMPLETED", "stateReason": "None", "exitCode": 0},
    "time": {"start": 1, "end": 2, "submission": 1, "elapsed": 1, "limit": 60},
    "nodes": "nid[001-002]",
    "allocationNodes": 2,
    "workingDirectory": "/scratch/t",
}
FILE = {"name": "a/b", "type": "-", "size": "5", "lastModified": "2026-01-01T00:00:00", "linkTarget": None}
TRANSFER = {
    "transferJob": {"jobId": 9, "logs": {"errorLog": "/home/me/log"}},
    "transferDirectives": {
        "downloadUrl": "http://s3.test/object?X-Amz-Signature=5ec2e7",
        "partsUploadUrls": ["http://s3.test/part?X-Amz-Signature=5ec2e7"],
        "completeUploadUrl": "http://s3.test/all?X-Amz-Signature=5ec2e7",
        "maxPartSize": 100,
    },
}
SYSTEMS = {
    "systems": [
        {
            "name": SYSTEM,
            "scheduler": {"version": "22.05.8"},
            "servicesHealth": [{"serviceType": "ssh", "healthy": False, "message": "no"}],
            "lastHealthCheck": "2026-01-01T00:00:00Z",
            "probing": {"intervalCheck": 60},
            "fileSystems": [{"path": "/s"}],
            "dataOperation": {
                "max_ops_file_size": 5_242_880,
                "data_transfer": {"serviceType": "s3", "publicUrl": "http://s3.test"},
            },
        }
    ]
}
NODE = {"name": "n1", "state": ["IDLE"], "partitions": "a,b", "features": None, "cpus": 4, "idleCpus": 4}
RIGHT: Sequence[Any] = (
    SYSTEMS,
    {"jobs": [JOB]},
    {"jobId": 7},
    {"output": [FILE, {**FILE, "type": "l", "linkTarget": "b"}]},
    {"output": {"size": 10}},
    TRANSFER,
    {"nodes": [NODE], "partitions": [{"name": "p", "totalNodes": 1, "cpus": 4}]},
    {"reservations": [{"name": "r", "nodeList": "n1"}], "accounts": [{"name": "a", "default": True}]},
    {"jobs": [{"script": "#!/bin/sh"}]},
    {"errorType": "error", "message": "no", "causedBy": ["because"], "data": None},
)

ODD_TEXTS = [
    "0" * 30,
    "-1",
    "nid[0-9999999999]",
    "nid[",
    "9" * 5000,
    "\ud800",
    "a\nb",
    r"a\777\xg\\",
    "\x1b[31m",
    "nid\x1bc001",
    "n[1 - 3000000]",
    "n[\uff11-\uff13]",
    "n[+1-3]",
    "n[1_0-9_9]",
    "../../etc",
    "[red]",
    "a\u202eb",
]
ODD_URLS = ["not a url", "http://", "http://[", "http://s3.test/\n", "ftp://s3.test/x", "/"]
ODD_NUMBERS = [2**31, 2**63, 2**64, -(2**63), 10**40, 10**400, 1e308, math.nan, math.inf]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([*ODD_TEXTS, *ODD_URLS]),
    st.sampled_from(ODD_NUMBERS),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: Sequence[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *itertools.chain.from_iterable(places_in(item, (*path, key)) for key, item in inner)]


@st.composite
def nearly_right(draw: st.DrawFn, right: Sequence[Any] = RIGHT) -> Any:
    """Take a right answer and change or remove something in it."""
    answer = copy.deepcopy(draw(st.sampled_from(right)))
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(places_in(answer)))
        if not path:
            return draw(ANYTHING)
        holder = answer
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()):
            del holder[path[-1]]
        else:
            holder[path[-1]] = draw(ANYTHING)
    return answer


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


@dataclass(frozen=True)
class Long:
    """A body that is shown by how it is made."""

    unit: bytes
    times: int
    before: bytes = b""
    after: bytes = b""

    @property
    def content(self) -> bytes:
        return self.before + self.unit * self.times + self.after


NO_JSON = (
    b"",
    b"<html>It works!</html>",
    b"\xff\xfe\x00",
    b"{",
    b'{"a":',
    b"<CompleteMultipartUploadResult/>",
)
NO_OBJECT = (b"null", b"[]", b"{}", b"0", b'"x"', b"<Error><Code>InternalError</Code></Error>")
NESTED = b"[" * 900 + b"]" * 900
LONG = (
    *(
        Long(b"[", 60_000),
        Long(b'{"message":', 60_000),
        Long(b"1", 5000),
        Long(b"7", 5000, b'{"jobId":', b"}"),
    ),
    *(
        Long(NESTED, 1, before, b"}")
        for before in (b'{"jobId":', b'{"message":', b'{"causedBy":', b'{"output":')
    ),
    Long(NESTED, 1, b'{"jobs":[{"jobId":', b',"status":{"state":"R"}}]}'),
    Long(NESTED, 1, b'{"nodes":[{"name":"n","state":', b"}]}"),
)
BODIES = st.one_of(
    nearly_right().map(as_json),
    nearly_right().map(as_json),
    st.builds(lambda value, part: as_json(value)[: int(part * 200)], nearly_right(), st.floats(0, 1)),
    st.sampled_from([*NO_JSON, *NO_OBJECT]),
    st.sampled_from(LONG),
    st.binary(max_size=20),
)
ODD_TIMES = ["nan", "inf", "-5", "1e400", "x", "", "3", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 5000]
RANGES = ["bytes 0-9/10", f"bytes 0-9/{'9' * 5000}", f"bytes 0-9/{2**64}", "bytes 5-1/0"]
HEADERS = st.dictionaries(
    st.sampled_from(
        ["retry-after", "ratelimit-reset", "content-length", "content-range", "etag", "location"]
    ),
    st.sampled_from([*ODD_TIMES, *RANGES, '"tag"', "\xe9"]),
    max_size=2,
)
STATUSES = st.one_of(
    st.sampled_from([200, 201, 204, 206]), st.sampled_from([200, 201]), st.integers(200, 599)
)


def content_of(body: bytes | Long) -> bytes:
    return body.content if isinstance(body, Long) else body
