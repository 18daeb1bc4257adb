"""Submissions without an answer: identification of the job, and conditions for another attempt."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from reframe_firecrest.gateway.v1 import job_schemas, schemas
from reframe_firecrest.gateway.v1.submission_search import UnansweredSubmission, days_before, found_in
from reframe_firecrest.model import errors
from tests.gateway.helpers import run
from tests.gateway.v1.helpers import (
    ACCOUNTING,
    QUEUE,
    SUBMIT,
    ApiV1,
    Begun,
    call,
    done,
    exchanges,
    failed,
    make_gateway,
    queued,
    row,
    task,
)

SCRIPT = "/scratch/run/t/job.sh"
SINCE = 1_800_000_000.0
BEFORE = "2027-01-13T08:00:00"
LATER = "2027-01-15T08:00:05"


def find(
    tasks: list[dict[str, object]] | None = None,
    queue: list[dict[str, str]] | None = None,
    accounting: list[dict[str, str]] | None = None,
    newest: int = 0,
) -> list[str] | None:
    known = {str(number): one for number, one in enumerate(tasks or [])}
    return found_in(
        UnansweredSubmission(SCRIPT, "rfm", SINCE, newest),
        schemas.parse_tasks({"tasks": known}),
        job_schemas.parse_queued(queue or []),
        job_schemas.parse_accounted(accounting or []),
    )


def submission(job_id: str, script: str) -> dict[str, object]:
    return task("1", "200", {"jobid": job_id, "job_file": script})


def ended(job_id: str, name: str = "rfm", end: str = LATER) -> dict[str, str]:
    return row(job_id, name=name, termination_time=end)


def test_a_running_job_is_identified_by_its_script() -> None:
    others = [queued("7"), queued("8", job_file=SCRIPT), queued("9", job_file="/scratch/run/u/job.sh")]
    assert find(queue=others) == ["8"]


def test_a_pending_array_is_identified_by_its_number() -> None:
    assert find(queue=[queued("8_[0-9%2]", job_file=SCRIPT)]) == ["8"]


def test_an_ended_job_is_identified_by_the_gateways_own_task() -> None:
    assert find(tasks=[submission("7", "/x"), submission("8", SCRIPT)], accounting=[ended("9")]) == ["8"]


def test_where_no_service_knows_a_job_there_is_none() -> None:
    assert find(queue=[queued("7")], accounting=[ended("7"), ended("6", name="other")]) == []


def test_a_job_that_the_gateway_has_missed_is_identified_by_a_unique_name() -> None:
    assert find(accounting=[ended("8")]) == ["8"]


def test_among_several_of_its_name_it_can_not_be_identified() -> None:
    assert find(accounting=[ended("8"), ended("9")]) is None


@pytest.mark.parametrize(
    "other",
    [
        {"tasks": [submission("9", "/scratch/run/u/job.sh")]},
        {"queue": [queued("9", job_file="/scratch/run/u/job.sh")]},
    ],
)
def test_jobs_that_come_from_other_scripts_are_none_of_them(other: Any) -> None:
    assert find(accounting=[ended("8"), ended("9")], **other) == ["8"]


def test_jobs_that_were_there_before_are_none_of_them() -> None:
    assert find(accounting=[ended("6")], newest=6) == []
    assert find(accounting=[ended("6", end=BEFORE)]) == []


def test_a_job_of_which_the_accounting_has_only_just_heard_may_be_it() -> None:
    stub = row("8", "PENDING", name="allocation", partition="", termination_time="Unknown")
    assert find(accounting=[stub, ended("9")]) is None


def test_as_long_as_a_submission_is_under_way_nothing_is_certain() -> None:
    under_way = task("1", "100", "http://127.0.0.1:5003", "2026-11-23T06:04:17")
    question = task("2", "100", "Queued", "2026-11-23T06:04:19")
    assert find(tasks=[under_way, question]) is None
    assert find(tasks=[question]) == []


def test_what_submits_another_script_need_not_be_waited_for() -> None:
    under_way = task("1", "100", "http://127.0.0.1:5003", "2026-11-23T06:04:17")
    lost = UnansweredSubmission(SCRIPT, "rfm", SINCE, others=frozenset(["1"]))
    assert found_in(lost, schemas.parse_tasks({"tasks": {"0": under_way}}), [], []) == []


def test_a_submission_that_has_lost_its_service_is_under_way_no_more() -> None:
    stuck = task("1", "100", "http://127.0.0.1:5003", "2026-11-23T06:04:17")
    assert find(tasks=[stuck, task("2", "100", "Queued", "2026-11-23T06:14:17")]) == []


def test_a_script_with_an_equals_sign_is_compared_as_the_gateway_cuts_it() -> None:
    lost = UnansweredSubmission("/scratch/a=1/job.sh", "rfm", SINCE)
    rows = job_schemas.parse_queued([queued("8", job_file="/scratch/a")])
    assert found_in(lost, [], rows, []) == ["8"]


def test_tasks_that_report_something_else_are_passed_over() -> None:
    strange = [task("1", "200", {"job_file": 7, "jobid": []}), task("2", "200", None), task("3", "200", [])]
    assert find(tasks=strange) == []


def test_recorded_tasks_are_understood() -> None:
    body = exchanges("tasks_all_count")[-1]["response"]["body"]
    assert (
        found_in(UnansweredSubmission("/none", "rfm", SINCE), schemas.parse_tasks(body), [], []) is not None
    )


def test_the_accounting_is_asked_from_two_days_before() -> None:
    assert days_before(SINCE) == "2027-01-13"


def test_a_gateway_looks_in_three_places() -> None:
    api = ApiV1(
        {
            SUBMIT: done({"jobid": "6"}, status=201),
            QUEUE: done({}),
            ACCOUNTING: done([ended("6"), ended("8")]),
        },
        known=[submission("7", "/x")],
    )
    found = call(
        api,
        lambda gateway: gateway.submit(SCRIPT, "/scratch/run/t", None),
        lambda gateway: gateway.find(SCRIPT, "/scratch/run/t", "rfm", 4_000_000_000.0),
    )
    assert found == []
    assert api.params(QUEUE) == [{}]
    assert api.params(ACCOUNTING) == [{"starttime": "2096-09-30"}]


def test_a_gateway_is_asked_again_as_long_as_a_submission_is_under_way() -> None:
    under_way = task("1", "100", "http://127.0.0.1:5003", "2026-11-23T06:04:17")
    api = ApiV1({QUEUE: done({}), ACCOUNTING: done([])}, known=[under_way])
    with pytest.raises(errors.TransientError, match="may still be about to submit"):
        call(api, lambda gateway: gateway.find(SCRIPT, "/scratch/run/t", "rfm", SINCE))


def test_a_gateway_that_is_busy_with_known_submissions_of_others_need_not_be_asked_again() -> None:
    under_way = task(f"{0:032x}", "100", "http://127.0.0.1:5003", "2026-11-23T06:04:17")
    api = ApiV1(
        {SUBMIT: done({"jobid": "6"}, status=201), QUEUE: done({}), ACCOUNTING: done([])}, known=[under_way]
    )
    found = call(
        api,
        lambda gateway: gateway.submit("/scratch/run/u/job.sh", "/scratch/run/u", None),
        lambda gateway: gateway.find(SCRIPT, "/scratch/run/t", "rfm", SINCE),
    )
    assert found == []


def test_many_that_look_at_the_same_time_share_their_looks() -> None:
    api = ApiV1({QUEUE: done({"0": queued("8", job_file=SCRIPT)}), ACCOUNTING: done([])})

    async def work() -> list[list[str] | None]:
        gateway = make_gateway(api)
        try:
            finds = (gateway.find(SCRIPT, "/scratch/run/t", "rfm", SINCE) for _ in range(5))
            first = await asyncio.gather(*finds)
            return [*first, await gateway.find(SCRIPT, "/scratch/run/t", "rfm", SINCE)]
        finally:
            await gateway.close()

    assert run(work()) == [["8"]] * 6
    assert api.count(QUEUE) == 3


BROKEN = failed("Command output exceeded buffer limit")


@pytest.mark.parametrize(
    ("queue", "accounting", "found"),
    [
        (BROKEN, done([ended("8", name="other")]), None),
        (done([]), BROKEN, None),
        (BROKEN, BROKEN, None),
        (done([queued("8", job_file=SCRIPT)]), BROKEN, ["8"]),
    ],
)
def test_a_source_that_cannot_be_read_leaves_open_whether_there_is_a_job(
    queue: Begun, accounting: Begun, found: list[str] | None
) -> None:
    api = ApiV1({QUEUE: queue, ACCOUNTING: accounting})
    directory = SCRIPT.rpartition("/")[0]
    assert call(api, lambda gateway: gateway.find(SCRIPT, directory, "rfm", SINCE)) == found
