"""Names as a listing prints them, and times of jobs."""

from __future__ import annotations

import pytest

from reframe_firecrest.gateway.file_schemas import unquote_c
from reframe_firecrest.gateway.v2.schemas import parse_jobs


@pytest.mark.parametrize(
    ("printed", "path"),
    [
        # Measured: directories keep the quoting that the gateway takes off the last name.
        (r"col\:on/a", "col:on/a"),
        (r"quo\"te/a", 'quo"te/a'),
        (r"back\\slash/a", r"back\slash/a"),
        (r"new\nline/\303\251/x", "new\nline/é/x"),
        (r"\303\251/\303\251", "é/é"),
        ("plain/a b", "plain/a b"),
    ],
)
def test_directories_keep_their_full_quoting(printed: str, path: str) -> None:
    assert unquote_c(printed) == path


@pytest.mark.parametrize("start", [1_795_412_127, None])
def test_the_start_of_a_job_is_parsed(start: int | None) -> None:
    job = {"jobId": "7", "status": {"state": "RUNNING"}, "time": {"start": start, "elapsed": 4}}
    [part] = parse_jobs({"jobs": [job]})
    assert part.start == start
