"""Whatever answers, v1's gateway returns a value that makes sense or raises an error of ours."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.v1 import compute, tasks, transfers
from reframe_firecrest.gateway.v1.gateway import GatewayV1
from reframe_firecrest.model import errors
from tests.fuzzing import examples
from tests.gateway.any_answers import HEADERS, LONG, NO_JSON, NO_OBJECT, STATUSES, Long, as_json, nearly_right
from tests.gateway.helpers import following, make_settings, run, token
from tests.gateway.test_any_answer import IMPATIENT, Given, check_error, check_files, check_jobs
from tests.gateway.v1.helpers import queued, row, task

FORM = {
    "msg": {
        "parameters": {
            "url": "http://s3.test/b?X-Amz-Signature=5ec2e7",
            "data": {"key": "k", "policy": "5ec2e7"},
        }
    }
}
DATA: Sequence[Any] = (
    [row("7"), row("7_[0-9%2]", "PENDING")],
    {"0": queued("7")},
    {"jobid": "7", "job_file": "/s/job.sh", "job_file_err": "/h/7.err"},
    FORM,
    {"url": "http://s3.test/object?X-Amz-Signature=5ec2e7"},
    [{"NodeName": "n1", "State": ["IDLE"], "Partitions": ["p"], "ActiveFeatures": None}],
    [{"PartitionName": "p", "TotalNodes": "4", "TotalCPUs": "64"}],
)
RIGHT: Sequence[Any] = (
    {"task_id": "a1"},
    *({"task": task("a1", status, data)} for data in DATA for status in ("200", "111", "117")),
    {"task": task("a1", "400", "sbatch: error: no")},
    {"tasks": {"a1": task("a1", "200", DATA[0])}},
    {"output": [{"name": "a/b", "type": "-", "size": "5", "last_modified": "2026-01-01T00:00:00"}, "x"]},
    {"output": {"size": 10}},
    {
        "out": {
            "general": [{"name": "FIRECREST_VERSION", "value": "1.16.6"}],
            "utilities": [{"name": "UTILITIES_MAX_FILE_SIZE", "value": "5"}],
            "storage": [{"name": "FILESYSTEMS", "value": [{"system": "daint", "mounted": ["/s"]}]}],
        }
    },
    {"out": [{"system": "daint", "status": "available"}, {"service": "compute", "status": "no"}]},
    {"description": "Error on ls operation", "error": "no"},
)
BODIES = st.one_of(
    nearly_right(RIGHT).map(as_json),
    nearly_right(RIGHT).map(as_json),
    st.sampled_from([*NO_JSON, *NO_OBJECT]),
    st.sampled_from(LONG),
    st.binary(max_size=20),
)


def work_of(local: Path, large: Path) -> Mapping[str, Callable[[GatewayV1], Awaitable[object]]]:
    return {
        "connect": lambda gateway: gateway.connect(),
        "look": lambda gateway: gateway.status(),
        "exists": lambda gateway: gateway.exists("/s"),
        "cluster": lambda gateway: gateway.cluster(),
        "submit": lambda gateway: gateway.submit("/s/job.sh", "/s", None),
        "jobs": lambda gateway: gateway.jobs(0.0, (), ("7",)),
        "all jobs": lambda gateway: gateway.jobs(0.0),
        "job": lambda gateway: gateway.job("7"),
        "find": lambda gateway: gateway.find("/s/job.sh", "/s", "rfm", 1_800_000_000.0),
        "directory": lambda gateway: gateway.directory("7"),
        "cancel": lambda gateway: gateway.cancel("7"),
        "make_directory": lambda gateway: gateway.make_directory("/s"),
        "list_tree": lambda gateway: gateway.list_tree("/s"),
        "upload": lambda gateway: gateway.upload(local, "/s/a"),
        "upload by S3": lambda gateway: gateway.upload(large, "/s/a"),
        "download": lambda gateway: gateway.download("/s/a", local, size_hint=10),
        "download by S3": lambda gateway: gateway.download("/s/a", local, size_hint=10**9),
        "extract": lambda gateway: gateway.extract("/s/a.tgz", "/s"),
        "archive": lambda gateway: gateway.archive("/s", ["a", "b"], "/s/out"),
        "remove": lambda gateway: gateway.remove("/s"),
        "change_mode": lambda gateway: gateway.change_mode("/s", "700"),
    }


OPERATIONS = sorted(work_of(Path(), Path()))


async def carry_out(
    operation: str, given_answers: Sequence[Given]
) -> tuple[object, errors.GatewayError | None]:
    answers = itertools.cycle(given_answers)

    async def serve(request: httpx.Request) -> httpx.Response:
        if request.url.host == "idp.test":
            return token()
        await request.aread()
        return next(answers).response()

    with tempfile.TemporaryDirectory() as directory:
        local, large = Path(directory, "local"), Path(directory, "large")
        local.write_bytes(b"0123456789")
        large.write_bytes(b"0123456789")
        gateway = following(GatewayV1(Connection(make_settings(), IMPATIENT, httpx.MockTransport(serve))))
        if "S3" in operation:
            gateway.limit(4100)
        try:
            return await work_of(local, large)[operation](gateway), None
        except errors.GatewayError as error:
            return None, error
        finally:
            await gateway.close()


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUERY", "QUEUE_QUERY", "SUBMISSION"):
        monkeypatch.setattr(compute, name, 0.02)
    for name in ("PREPARATION", "INTERVAL"):
        monkeypatch.setattr(transfers, name, 0.02)
    monkeypatch.setattr(transfers, "SLOWEST", 1 << 60)
    monkeypatch.setattr(tasks, "GROWTH", 1.0)


@given(
    operation=st.sampled_from(OPERATIONS),
    given_answers=st.lists(st.builds(Given, STATUSES, HEADERS, BODIES), min_size=1, max_size=3),
)
@examples(150)
def test_every_outcome_is_a_value_or_an_error_of_ours(operation: str, given_answers: list[Given]) -> None:
    result, error = run(carry_out(operation, given_answers))
    if error is not None:
        check_error(error)
    elif operation in ("jobs", "all jobs", "job"):
        assert isinstance(result, list)
        check_jobs(result)
    elif operation == "list_tree":
        assert isinstance(result, list)
        check_files(result)


def test_an_answer_to_a_submission_that_cannot_be_read_leaves_open_whether_there_is_a_job() -> None:
    no_task = (b"{}", b'{"task_id": null}', b'{"task_id": "a/../b"}')
    bodies: tuple[bytes | Long, ...] = (*NO_JSON, *LONG, *no_task)
    for body in bodies:
        _, error = run(carry_out("submit", [Given(201, {}, body)]))
        assert isinstance(error, errors.UncertainError), body
