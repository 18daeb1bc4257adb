"""Values of a gateway's answers have a grammar; no other text gets to a terminal, a path or a file."""

from __future__ import annotations

import dataclasses
import io
import logging
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from reframe_firecrest.commands.detect.configuration import configuration
from reframe_firecrest.commands.detect.survey import make_survey
from reframe_firecrest.commands.status.table import _table, render
from reframe_firecrest.gateway import field_types
from reframe_firecrest.gateway.v1 import job_schemas, system_schemas
from reframe_firecrest.gateway.v1 import schemas as v1_answers
from reframe_firecrest.gateway.v1.clock import SystemClock
from reframe_firecrest.gateway.v1.job_mapping import part_of_accounted, part_of_queued
from reframe_firecrest.gateway.v2 import cluster_schemas, schemas, systems
from reframe_firecrest.journal.cases import CaseStatus
from reframe_firecrest.journal.job_status import JobStatus
from reframe_firecrest.journal.summary import SessionSummary
from reframe_firecrest.model import errors
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.system import AccountInfo, Cluster, SystemInfo
from tests.fuzzing import examples
from tests.gateway.any_answers import JOB, NODE, SYSTEMS
from tests.gateway.v1.helpers import queued, row, task

HOSTILE = (
    "nid\x1bc001",
    "a\nb",
    "a\x9b31mb",
    "a\u202eb",
    "a\u2028b",
    "a\x00b",
    "\ud800",
    "[red]a[/red]",
    "../../etc",
    "a;rm -rf /",
    "$(rm)",
    "a' 'b",
    '"""\nimport os',
    "\uff11\uff12",
    "-x",
    "x" * 100_000,
)
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))


@pytest.fixture(autouse=True)
def reported_anew() -> Iterator[None]:
    field_types._report.cache_clear()
    yield
    field_types._report.cache_clear()


def jobs_of(**changes: Any) -> list[JobPart]:
    good = {**JOB, "jobId": "1"}
    return schemas.parse_jobs({"jobs": [good, {**JOB, **changes}]})


class TestJobs:
    @pytest.mark.parametrize("job_id", ["7", "7_3", "7_[0-9%2]", "7_[1,3,...]", "7+0", "7+1.batch", 7])
    def test_slurms_ids_are_read(self, job_id: str | int) -> None:
        assert jobs_of(jobId=job_id)[1].job_id == str(job_id)

    @pytest.mark.parametrize("job_id", [*HOSTILE, "", "7/../8", "7?x", "7#", "7 8", "7\n", None, {}, 10**400])
    def test_a_job_whose_id_is_none_is_left_out_and_hides_no_other(
        self, job_id: object, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(3):
            assert [part.job_id for part in jobs_of(jobId=job_id)] == ["1"]
        # Once is enough: the next list has it too.
        [record] = caplog.records
        assert (
            record.getMessage()
            == "the gateway's answers contain a job with an invalid 'jobId'; it is ignored"
        )

    def test_an_answer_of_wrong_jobs_only_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="jobId"):
            schemas.parse_jobs({"jobs": [{**JOB, "jobId": "../8"}]})

    @pytest.mark.parametrize(
        ("reported", "state"),
        [
            ("CANCELLED by 1001", "CANCELLED"),
            ("CANCELLED+", "CANCELLED"),
            (["RUNNING", "COMPLETING"], "RUNNING,COMPLETING"),
        ],
    )
    def test_states_are_read_without_decoration(self, reported: object, state: str) -> None:
        assert jobs_of(status={"state": reported})[1].state == state

    @pytest.mark.parametrize("state", ["RUN\x1bNING", "RUNNING\nX", "[red]", "\uff32"])
    def test_a_job_in_a_state_that_is_none_is_left_out(self, state: str) -> None:
        assert len(jobs_of(status={"state": state})) == 1

    @pytest.mark.parametrize(
        "nodes", ["nid\x1bc001", "n[1 - 3000000]", "n[+1-3]", "n[1_0-9_9]", "n[\uff11-\uff13]"]
    )
    def test_a_job_counts_whatever_its_nodes_are(self, nodes: str, caplog: pytest.LogCaptureFixture) -> None:
        assert jobs_of(nodes=nodes)[1].nodes == ""
        assert "node set that is not valid" in caplog.text

    @pytest.mark.parametrize("code", [10**400, -(10**20), "\uff11", 1.5])
    def test_a_job_with_an_impossible_exit_code_is_left_out(self, code: object) -> None:
        assert len(jobs_of(status={"state": "FAILED", "exitCode": code})) == 1

    def test_a_name_of_another_job_may_be_anything(self) -> None:
        [_, other] = jobs_of(name="a|b\x1b[31m")
        assert other.name == "a|b\\x1b[31m"


class TestOthers:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_nodes_partitions_reservations_and_accounts_need_names(self, name: str) -> None:
        assert [
            node.name for node in cluster_schemas.parse_nodes({"nodes": [NODE, {**NODE, "name": name}]})
        ] == ["n1"]
        found = [{"name": "p"}, {"name": name}]
        assert len(cluster_schemas.parse_partitions({"partitions": found})) == 1
        assert len(cluster_schemas.parse_reservations({"reservations": found})) == 1
        assert len(cluster_schemas.parse_accounts({"accounts": found})) == 1
        assert len(system_schemas.parse_nodes([{"NodeName": "n1"}, {"NodeName": name}])) == 1
        assert len(system_schemas.parse_partitions([{"PartitionName": "p"}, {"PartitionName": name}])) == 1

    @pytest.mark.parametrize("feature", HOSTILE)
    def test_a_feature_that_is_none_is_left_out_and_the_node_stays(self, feature: str) -> None:
        [node] = cluster_schemas.parse_nodes({"nodes": [{**NODE, "features": ["gpu", feature]}]})
        assert node.features == ("gpu",)

    @pytest.mark.parametrize("state", ["DOWN*", "IDLE~", "MIXED-", "idle+drain", "ALLOCATED$"])
    def test_a_nodes_states_may_have_signs(self, state: str) -> None:
        [node] = cluster_schemas.parse_nodes({"nodes": [{**NODE, "state": state}]})
        assert node.states == (state.upper(),)

    def test_a_node_whose_state_is_none_does_not_seem_idle(self) -> None:
        odd = {**NODE, "name": "n2", "state": ["DOWN\x1b"]}
        assert [node.name for node in cluster_schemas.parse_nodes({"nodes": [NODE, odd]})] == ["n1"]
        reported = [{"NodeName": "n1", "State": ["IDLE"]}, {"NodeName": "n2", "State": ["DOWN\x1b"]}]
        assert [node.name for node in system_schemas.parse_nodes(reported)] == ["n1"]

    @pytest.mark.parametrize("task_id", ["..", ".", "a/../b", "", "a\n", "\x1b"])
    def test_a_task_has_an_id_that_leads_nowhere_else(self, task_id: str) -> None:
        with pytest.raises(ValueError, match="task_id"):
            v1_answers.parse_task_id({"task_id": task_id})

    @pytest.mark.parametrize("value", ["1e999", "nan", "9" * 5000])
    def test_impossible_limits_are_an_error(self, value: str) -> None:
        reported = {"out": {"u": [{"name": "UTILITIES_MAX_FILE_SIZE", "value": value}]}}
        with pytest.raises((ValueError, ArithmeticError)):
            system_schemas.parse_parameters(reported)

    def test_an_error_is_a_line_of_limited_length(self) -> None:
        text = str(errors.GatewayError("\x1b" * 10**6))
        assert text.isprintable()
        assert len(text) <= errors.LONGEST + 3


def is_plain(text: str) -> bool:
    return all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in text)


def texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from texts_in(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts_in(key)
            yield from texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)


def v1_parts(text: str) -> list[JobPart]:
    changed = dict.fromkeys(("jobid", "name", "state", "nodelist", "partition", "job_file"), text)
    made = []
    for field in changed:
        made += [
            part_of_accounted(found, SystemClock())
            for found in job_schemas.parse_accounted([row("1"), {**row("7"), field: text}])
        ]
        made += [
            part_of_queued(found)
            for found in job_schemas.parse_queued([queued("1"), {**queued("7"), field: text}])
        ]
    return made


def look_with(text: str) -> list[object]:
    system = SYSTEMS["systems"][0]
    services = [{"serviceType": text, "path": text, "message": text}]
    changed: list[dict[str, object]] = [
        {"name": text},
        {"servicesHealth": services},
        {"fileSystems": [{"path": text}]},
        {"dataOperation": {"data_transfer": {"serviceType": text, "publicUrl": text}}},
    ]
    head = httpx.Headers([(b"f7t-appversion", text.encode("utf-8", "replace").replace(b"\n", b" "))])
    return [
        systems.gateway_status({"systems": [system, {**system, **change}]}, head, 0.0, 0.0)
        for change in changed
    ]


ROOMS: Mapping[str, Callable[[str], object]] = {
    "jobs": lambda text: [
        jobs_of(**{field: text}) for field in ("jobId", "name", "nodes", "workingDirectory", "time")
    ],
    "states": lambda text: (
        jobs_of(status={"state": text, "stateReason": text})
        + jobs_of(status={"state": "PENDING", "stateReason": text})
    ),
    "nodes": lambda text: [
        cluster_schemas.parse_nodes({"nodes": [NODE, {**NODE, field: text}]})
        for field in ("name", "state", "partitions", "features")
    ],
    "partitions": lambda text: cluster_schemas.parse_partitions(
        {"partitions": [{"name": "p"}, {"name": text}]}
    ),
    "reservations": lambda text: [
        cluster_schemas.parse_reservations({"reservations": [{"name": "p"}, {"name": text}]}),
        cluster_schemas.parse_reservations({"reservations": [{"name": "p", "nodeList": text}]}),
    ],
    "accounts": lambda text: cluster_schemas.parse_accounts({"accounts": [{"name": "p"}, {"name": text}]}),
    "systems": look_with,
    "jobs of v1": v1_parts,
    "nodes of v1": lambda text: [
        system_schemas.parse_nodes([{"NodeName": "n"}, {"NodeName": text}]),
        system_schemas.parse_nodes(
            [
                {"NodeName": "n", "State": ["IDLE"], "Partitions": [text], "ActiveFeatures": [text]},
                {"NodeName": "n", "State": [text]},
            ]
        ),
    ],
    "tasks of v1": lambda text: [
        v1_answers.parse_task({"task": {**task("a1", "200", {}), "description": text}}).description
    ],
    "services of v1": lambda text: system_schemas.parse_unavailable_services(
        {"out": [{"service": "a", "status": text, "description": text}]}
    ),
    "gateway of v1": lambda text: system_schemas.parse_parameters(
        {"out": {"g": [{"name": name, "value": text} for name in ("FIRECREST_VERSION", "OBJECT_STORAGE")]}}
    ),
}


@pytest.mark.parametrize("room", sorted(ROOMS))
@given(text=TEXTS)
@examples(60)
def test_whatever_text_stands_in_a_field_what_comes_of_it_can_be_shown(room: str, text: str) -> None:
    for found in texts_in(ROOMS[room](text)):
        assert is_plain(found), found
        assert found.isprintable()
        assert len(found) <= 10 * field_types.LONGEST_PATH


@given(text=TEXTS)
@examples(60)
def test_a_settings_file_holds_nothing_but_names(text: str) -> None:
    nodes = cluster_schemas.parse_nodes(
        {"nodes": [NODE, {**NODE, "name": "n2", "partitions": ["a", text], "features": [text]}]}
    )
    partitions = cluster_schemas.parse_partitions(
        {"partitions": [{"name": "a", "totalNodes": 2}, {"name": text, "totalNodes": 1}]}
    )
    accounts = cluster_schemas.parse_accounts({"accounts": [{"name": "a"}, {"name": text, "default": True}]})
    survey = make_survey(SystemInfo("daint"), Cluster(nodes, partitions, []), accounts, None)
    written = configuration(survey)
    compile(written, "settings", "exec")
    assert is_plain(written.replace("\n", ""))
    assert all(isinstance(account, AccountInfo) for account in accounts)


@given(text=TEXTS)
@examples(60)
def test_a_journal_of_any_texts_is_shown_in_plain_lines(text: str) -> None:
    line = JobStatus(1, text, text, text, text, None, text, text, 1.0, 1.0, text)
    overview = SessionSummary(
        *(text, text, text, text, text),
        begun=0.0,
        until=1.0,
        phases={"submitted": 1, text: 1},
        states={text: 1},
        waited=None,
        jobs=[line],
        tests=[CaseStatus(text, text, text, over=False, failed=False, stage=text, job=line)],
        requests=1,
        bytes_sent=1,
        bytes_received=1,
        files_sent=1,
        files_fetched=1,
        left=[text],
        last_error=text,
        unavailable=1.0,
    )
    out = io.StringIO()
    Console(file=out, highlight=False, width=200).print(render([overview]))
    assert is_plain(out.getvalue().replace("\n", ""))


def test_a_texts_markup_is_shown_and_not_carried_out() -> None:
    line = JobStatus(1, "[red]x[/red]", "", None, None, None, "", None, 1.0, 1.0, None)
    out = io.StringIO()
    console = Console(file=out, highlight=False, width=200, force_terminal=True, color_system="standard")
    case = CaseStatus("[red]x[/red]", "", "running", over=False, failed=False, stage="", job=line)
    console.print(_table([case], wide=True, cut=False))
    assert "[red]x[/red]" in re.sub("\x1b\\[[0-9;]*m", "", out.getvalue())


def test_logs_name_no_value(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        jobs_of(jobId="\x1bsecret")
    assert "secret" not in caplog.text
