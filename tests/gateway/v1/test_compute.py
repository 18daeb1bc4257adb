"""Jobs over FirecREST v1: submitted by path, asked for by id, in as few questions as can be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from reframe_firecrest.gateway.v1 import compute, job_cache, tasks
from reframe_firecrest.gateway.v1.gateway import GatewayV1
from reframe_firecrest.model import errors
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import parts_of, summarise
from tests.gateway.helpers import answer, run
from tests.gateway.v1.helpers import (
    ACCOUNTING,
    QUEUE,
    SUBMIT,
    ApiV1,
    Begun,
    call,
    data_of,
    done,
    failed,
    make_gateway,
    queued,
    refusal,
    row,
)

SCRIPT = "/scratch/t/job.sh"
CANCEL = "DELETE /compute/jobs/7"


async def submit(gateway: GatewayV1) -> str:
    return await gateway.submit(SCRIPT, "/scratch/t", "g1")


def jobs(*ids: str) -> Any:
    return lambda gateway: gateway.jobs(0.0, (), ids)


def fails(kind: type[errors.GatewayError], api: ApiV1, method: Any) -> str:
    with pytest.raises(errors.GatewayError) as caught:
        call(api, method)
    assert type(caught.value) is kind, repr(caught.value)
    return str(caught.value)


class TestSubmission:
    def test_a_script_is_submitted_by_its_path_with_its_account(self) -> None:
        api = ApiV1({SUBMIT: done({"jobid": "82", "job_file": SCRIPT}, status=201)})
        assert call(api, submit) == "82"
        assert api.form(0) == {"targetPath": SCRIPT, "account": "g1"}
        assert api.requests[0].headers["x-machine-name"] == "daint"

    def test_a_script_that_lies_elsewhere_is_refused_since_its_job_would_run_there(self) -> None:
        line = fails(errors.RejectedError, ApiV1({}), lambda gateway: gateway.submit(SCRIPT, "/other", None))
        assert "runs a job in the directory of its script" in line

    def test_a_path_that_is_refused_there_is_named_with_the_character(self) -> None:
        line = fails(
            errors.RejectedError, ApiV1({}), lambda gateway: gateway.submit("/a(b)/job.sh", "/a(b)", None)
        )
        assert line == "FirecREST v1 refuses the path '/a(b)/job.sh': it contains '('"

    def test_what_sbatch_refuses_is_refused(self) -> None:
        api = ApiV1({SUBMIT: failed(str(data_of("submit_bad_partition")), status=201)})
        assert "Invalid partition name specified" in fails(errors.RejectedError, api, submit)

    @pytest.mark.parametrize(
        "text",
        [
            "sbatch: Warning: can't run 1 processes on 2 nodes, setting nnodes to 1",
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller",
            "Finished with errors",
        ],
    )
    def test_any_other_message_of_sbatch_leaves_it_open_whether_there_is_a_job(self, text: str) -> None:
        api = ApiV1({SUBMIT: failed(text, status=201)})
        assert text in fails(errors.UncertainError, api, submit)
        assert api.count(SUBMIT) == 1

    def test_a_task_that_never_ends_leaves_it_open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compute, "SUBMISSION", 0.05)
        api = ApiV1({SUBMIT: Begun(("100", "http://127.0.0.1:5003"), status=201)})
        assert "has not finished" in fails(errors.UncertainError, api, submit)
        assert api.count(SUBMIT) == 1

    @pytest.mark.parametrize("data", [{"jobid": None}, {"result": "Job submitted"}, "text", None])
    def test_an_answer_without_an_id_leaves_it_open(self, data: object) -> None:
        api = ApiV1({SUBMIT: done(data, status=201)})
        fails(errors.UncertainError, api, submit)
        assert api.count(SUBMIT) == 1

    @pytest.mark.parametrize("body", [{}, [], {"task_id": "a/b"}])
    def test_an_answer_without_a_task_leaves_it_open(self, body: object) -> None:
        fails(errors.UncertainError, ApiV1({SUBMIT: answer(201, body)}), submit)

    def test_a_script_that_is_not_there_is_reported_with_its_path(self) -> None:
        api = ApiV1({SUBMIT: refusal(X_Invalid_Path=f"{SCRIPT} is an invalid path.")})
        assert SCRIPT in fails(errors.NotFoundError, api, submit)


class TestAccounting:
    def test_many_jobs_are_one_question_and_more_than_the_gateway_takes_are_several(self) -> None:
        ids = [str(number) for number in range(1, 601)]
        api = ApiV1({ACCOUNTING: done([row("1")])})
        assert [part.job_id for part in call(api, jobs(*ids))] == ["1"] * 3
        asked = [given["jobs"].split(",") for given in api.params(ACCOUNTING)]
        assert sorted(map(len, asked)) == [100, 250, 250]
        assert sorted((one for chunk in asked for one in chunk), key=int) == ids

    def test_one_malformed_id_does_not_blind_the_others(self) -> None:
        api = ApiV1({ACCOUNTING: done([row("82")])})
        (part,) = call(api, jobs("82", "abc", "82"))
        assert part.job_id == "82"
        assert api.params(ACCOUNTING) == [{"jobs": "82"}]

    def test_recorded_jobs_are_understood(self) -> None:
        api = ApiV1({ACCOUNTING: done(data_of("poll_several"))})
        parts = {part.job_id: part for part in call(api, jobs("82", "93", "94", "95"))}
        assert [(part.state, part.exit_code, part.nodes) for part in parts.values()] == [
            ("COMPLETED", 0, "nid001"),
            ("RUNNING", 0, "nid001"),
            ("FAILED", 3, "nid001"),
            ("PENDING", 0, ""),
        ]
        assert parts["93"].end is None
        assert parts["93"].elapsed == 6.0
        assert parts["95"].start is None
        assert summarise([parts["94"]]).settled

    def test_the_running_job_gives_the_clock_of_the_others_end_times(self) -> None:
        begun = time.time()
        recorded: Any = data_of("poll_several")
        _, running, ended, _ = recorded
        zone = 5 * 3600
        start = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begun + zone - 6))
        end = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begun + zone - 3))
        data = [{**running, "start_time": start}, {**ended, "termination_time": end}]
        parts = call(ApiV1({ACCOUNTING: done(data)}), jobs("93", "94"))
        assert parts[1].end == pytest.approx(begun - 3, abs=2)
        assert parts[0].start == pytest.approx(begun - 6, abs=2)

    @pytest.mark.parametrize("name", ["poll_right_after_submit", "poll_only_unknown"])
    def test_what_the_accounting_has_only_just_heard_of_is_not_there_yet(self, name: str) -> None:
        assert call(ApiV1({ACCOUNTING: done(data_of(name))}), jobs("82")) == []

    def test_an_array_is_one_entry_while_it_waits_and_then_one_for_each_task(self) -> None:
        (waiting,) = call(ApiV1({ACCOUNTING: done(data_of("poll_array_pending"))}), jobs("97"))
        assert (waiting.job_id, waiting.base_id, waiting.state) == ("97_[0-9%2]", "97", "PENDING")
        running = call(ApiV1({ACCOUNTING: done(data_of("poll_array_running"))}), jobs("96"))
        assert len(parts_of("96", running)) > 1

    def test_a_cancelled_job_is_cancelled_whoever_did_it(self) -> None:
        parts = call(ApiV1({ACCOUNTING: done(data_of("poll_cancelled"))}), jobs("93"))
        assert {part.state for part in parts} == {"CANCELLED"}

    def test_a_job_that_has_another_name_now_is_another_job(self) -> None:
        api = ApiV1({ACCOUNTING: [done([row("7", "RUNNING")]), done([row("7", name="other")])]})
        assert call(api, jobs("7"), jobs("7")) == []

    def test_what_fails_in_the_accounting_is_asked_again(self) -> None:
        lost = failed("sacct: error: slurm_persist_conn_open_without_init: Connection refused")
        api = ApiV1({ACCOUNTING: [lost, done([row("7")])]})
        (part,) = call(api, jobs("7"))
        assert part.job_id == "7"

    def test_what_the_accounting_refuses_is_reported(self) -> None:
        api = ApiV1({ACCOUNTING: failed("sacct: fatal: Bad job/step specified: 7x")})
        assert "Bad job/step" in fails(errors.RejectedError, api, jobs("7"))

    def test_a_job_that_breaks_an_answer_is_left_out_and_breaks_no_other(self) -> None:
        # Its name has what separates the columns, or its answer is too long.
        def rows(ids: list[str]) -> Begun:
            return failed("Command output exceeded buffer limit") if "8" in ids else done([*map(row, ids)])

        api = ByIds(rows)
        found = call(api, jobs("7", "8", "9"))
        assert sorted(part.job_id for part in found) == ["7", "9"]
        asked = len(api.seen)
        again = call(api, jobs("7", "8", "9"), jobs("7", "8", "9"))
        assert sorted(part.job_id for part in again) == ["7", "9"]
        assert len(api.seen) <= 2 * asked + 1
        fails(errors.TooLargeError, api, lambda gateway: gateway.job("8"))

    def test_what_breaks_every_answer_is_reported_soon(self) -> None:
        api = ByIds(lambda _ids: failed("Command output exceeded buffer limit"))
        fails(errors.TooLargeError, api, jobs(*map(str, range(1, 201))))
        assert len(api.seen) < 20


class ByIds(ApiV1):
    """Answers each question for the accounting by the ids in it."""

    def __init__(self, rows: Callable[[list[str]], Begun]) -> None:
        super().__init__({})
        self._table = {ACCOUNTING: [lambda request: self._begin(rows(_ids_in(request)))(request)]}


def _ids_in(request: httpx.Request) -> list[str]:
    return str(request.url.params["jobs"]).split(",")


class TestQueue:
    def test_where_the_queue_cannot_be_read_jobs_are_listed_by_name(self) -> None:
        broken = failed("Command output exceeded buffer limit")
        rows = [row("7", "RUNNING"), row("8", "RUNNING", name="other")]
        api = ApiV1({QUEUE: broken, ACCOUNTING: done(rows)})
        (part,) = call(api, lambda gateway: gateway.jobs(0.0, instead=["rfm"]))
        assert part.job_id == "7"
        fails(errors.TooLargeError, ApiV1({QUEUE: broken}), jobs())

    def test_all_active_jobs_are_reported_with_their_directories(self) -> None:
        api = ApiV1({QUEUE: done(data_of("poll_active_ids"))})
        parts = call(api, jobs())
        assert [(part.job_id, part.working_directory, part.reason) for part in parts] == [
            ("95", "/scratch/fireuser/v1test/jobs", "BeginTime"),
            ("93", "/scratch/fireuser/v1test/jobs", None),
        ]
        assert (parts[1].elapsed, parts[1].limit, parts[1].nodes) == (17.0, 1800.0, "nid001")

    def test_a_transfer_job_of_ours_is_reported_with_what_it_works_on(self) -> None:
        name = "reframe-firecrest:/scratch/run/.transfer/in-1.tgz#a1"
        parts = call(ApiV1({QUEUE: done({"0": queued("8", name=name)})}), jobs())
        assert parts[0].working_directory == "/scratch/run/.transfer/in-1.tgz"

    def test_a_job_that_the_accounting_does_not_know_is_looked_for_in_the_queue(self) -> None:
        api = ApiV1({ACCOUNTING: done({}), QUEUE: done({"0": queued("7")})})
        (part,) = call(api, lambda gateway: gateway.job("7"))
        assert (part.state, part.reason) == ("PENDING", "Resources")
        # Without the scripts, each of which would be a command.
        assert api.params(QUEUE) == [{"jobs": "7", "userJobs": "false"}]

    def test_a_jobs_directory_is_where_its_script_lies(self) -> None:
        api = ApiV1({QUEUE: [done({"0": queued("7")}), failed(str(data_of("poll_active_purged_id")))]})
        assert call(api, lambda gateway: gateway.directory("7")) == "/scratch/t7"
        assert api.params(QUEUE) == [{"jobs": "7"}]
        api = ApiV1({QUEUE: failed(str(data_of("poll_active_purged_id")))})
        assert call(api, lambda gateway: gateway.directory("7")) == ""

    def test_a_job_that_no_service_knows_is_unknown(self) -> None:
        api = ApiV1({ACCOUNTING: done({}), QUEUE: failed(str(data_of("poll_active_purged_id")))})
        assert call(api, lambda gateway: gateway.job("7")) == []

    def test_a_job_that_waits_for_long_is_asked_why_now_and_then(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(job_cache, "REASONS_EVERY", 0.0)
        held = queued("7", nodelist="(launch failed requeued held)")
        api = ApiV1({ACCOUNTING: done([row("7", "PENDING")]), QUEUE: done({"0": held})})
        assert call(api, jobs("7"))[0].reason is None
        (part,) = call(api, jobs("7"), jobs("7"))
        assert part.reason == "launch failed requeued held"

    def test_what_the_queue_does_not_report_takes_nothing_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(job_cache, "REASONS_EVERY", 0.0)
        api = ApiV1({ACCOUNTING: done([row("7", "PENDING")]), QUEUE: refusal("no", status=403)})
        (part,) = call(api, jobs("7"), jobs("7"))
        assert (part.state, part.reason) == ("PENDING", None)
        assert api.count(QUEUE) == 1

    def test_jobs_are_not_asked_why_all_the_time(self) -> None:
        api = ApiV1({ACCOUNTING: done([row("7", "PENDING")])})
        call(api, jobs("7"), jobs("7"), jobs("7"))
        assert api.count(QUEUE) == 0

    def test_a_job_that_runs_for_long_is_asked_once_how_long_it_may(self) -> None:
        running = row("7", "RUNNING", elapsed_time="00:02:00", termination_time="Unknown")
        reported = queued("7", "RUNNING", start_time="2:00", time_left="1-00:00:00", nodelist="nid001")
        api = ApiV1({ACCOUNTING: done([running]), QUEUE: done({"0": reported})})
        (part,) = call(api, jobs("7"), jobs("7"), jobs("7"), jobs("7"))
        assert part.limit == 86_520.0
        assert api.count(QUEUE) == 1


class TestCancel:
    def test_a_job_is_cancelled(self) -> None:
        api = ApiV1({CANCEL: done(data_of("cancel_running"))})
        call(api, lambda gateway: gateway.cancel("7"))
        assert api.count(CANCEL) == 1

    @pytest.mark.parametrize("name", ["cancel_finished", "cancel_again", "cancel_unknown"])
    def test_a_job_that_is_gone_need_not_be_cancelled(self, name: str) -> None:
        api = ApiV1({CANCEL: failed(str(data_of(name)))})
        call(api, lambda gateway: gateway.cancel("7"))
        assert api.count(CANCEL) == 1

    def test_a_refusal_is_reported(self) -> None:
        text = "scancel: error: Kill job error on job id 7: Access/permission denied"
        api = ApiV1({CANCEL: failed(text)})
        assert "permission denied" in fails(errors.ForbiddenError, api, lambda gateway: gateway.cancel("7"))


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at tasks late enough for a slow machine to have begun all of them."""
    monkeypatch.setattr(tasks, "FIRST_LOOK", 0.4)


class TestTasks:
    @pytest.mark.usefixtures("unhurried")
    def test_those_that_wait_together_are_asked_for_together(self) -> None:
        api = ApiV1({SUBMIT: done({"jobid": "82"}, status=201)})

        async def work() -> list[str]:
            gateway = make_gateway(api)
            try:
                return await asyncio.gather(*(submit(gateway) for _ in range(6)))
            finally:
                await gateway.close()

        assert run(work()) == ["82"] * 6
        assert max(len(ids) for ids in api.looks) > 1
        assert len(api.looks) < 12

    def test_a_single_one_is_asked_for_by_its_path(self) -> None:
        api = ApiV1({SUBMIT: done({"jobid": "82"}, status=201)})
        call(api, submit)
        assert api.count("GET /tasks") == 0
        assert {len(ids) for ids in api.looks} == {1}

    def test_where_a_question_for_several_is_slow_each_is_asked_for_alone(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tasks, "SLOW", -1.0)
        api = ApiV1({SUBMIT: done({"jobid": "82"}, status=201)})

        async def work() -> list[str]:
            gateway = make_gateway(api)
            try:
                return await asyncio.gather(*(submit(gateway) for _ in range(3)))
            finally:
                await gateway.close()

        assert run(work()) == ["82"] * 3
        assert {len(ids) for ids in api.looks} == {1}

    def test_a_task_that_is_gone_leaves_it_open(self) -> None:
        api = ApiV1({SUBMIT: Begun(("301", ""), status=201)})
        assert "no longer knows" in fails(errors.UncertainError, api, submit)

    @pytest.mark.usefixtures("unhurried")
    def test_an_error_of_a_query_is_reported_to_all_waiting_callers(self) -> None:
        api = ApiV1({SUBMIT: done({"jobid": "82"}, status=201), "GET /tasks": refusal("no", status=403)})

        async def work() -> list[Any]:
            gateway = make_gateway(api)
            try:
                return await asyncio.gather(*(submit(gateway) for _ in range(3)), return_exceptions=True)
            finally:
                await gateway.close()

        found = run(work())
        assert [type(one) for one in found] == [errors.UncertainError] * 3


def test_the_cluster_is_asked_for_at_the_same_time() -> None:
    api = ApiV1(
        {
            "GET /compute/nodes": done(data_of("nodes")),
            "GET /compute/partitions": done(data_of("partitions")),
            "GET /compute/reservations": done(data_of("reservations")),
        }
    )
    found = call(api, lambda gateway: gateway.cluster())
    assert [(node.name, node.states, node.partitions) for node in found.nodes][2:] == [
        ("nid003", ("IDLE",), ("normal", "debug")),
        ("nid004", ("IDLE", "RESERVED"), ("normal", "debug")),
    ]
    assert [(part.name, part.nodes, part.cpus) for part in found.partitions] == [
        ("normal", 4, 64),
        ("debug", 2, 32),
    ]
    assert [(one.name, one.nodes) for one in found.reservations] == [("lab_res", "nid004")]


def test_scripts_and_accounts_are_not_told() -> None:
    async def ask(gateway: GatewayV1) -> tuple[str, list[Any]]:
        return await gateway.script("7"), list(await gateway.accounts())

    assert call(ApiV1({}), ask) == ("", [])


def part_of(**more: str) -> JobPart:
    (part,) = call(ApiV1({ACCOUNTING: done([row("7", **more)])}), jobs("7"))
    assert isinstance(part, JobPart)
    return part


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:50", 50.0), ("1-02:03:04", 93784.0), ("0:17", 17.0), ("INVALID", 0.0), ("", 0.0)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert part_of(elapsed_time=text).elapsed == seconds
