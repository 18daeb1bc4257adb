"""The settings file that detect writes: ReFrame takes it, and it looks as if a person had written it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import reframe.core.config

from reframe_firecrest.commands.detect.configuration import MAX_JOBS, configuration
from reframe_firecrest.commands.detect.survey import Survey, make_survey, survey_system
from reframe_firecrest.model.capabilities import Capabilities
from reframe_firecrest.model.errors import AuthError, DetectionError, TransientError
from reframe_firecrest.model.system import (
    AccountInfo,
    Cluster,
    NodeInfo,
    PartitionInfo,
    ReservationInfo,
    SystemInfo,
)
from tests.conftest import PROJECT
from tests.gateway.helpers import SECRET, make_settings
from tests.session.fakes import FakeGateway

ACCOUNTS = [AccountInfo("users"), AccountInfo("staff", default=True)]


def survey(
    nodes: Mapping[str, str] = MappingProxyType({"n1": "mc"}),
    accounts: Sequence[AccountInfo] = ACCOUNTS,
    chosen: str | None = None,
) -> Survey:
    """Survey nodes of one partition, given by their features."""
    made = [
        NodeInfo(name, ("IDLE",), ("normal",), tuple(features.split(",")), 16, 0, 16)
        for name, features in nodes.items()
    ]
    cluster = Cluster(made, [PartitionInfo("normal", len(made), 16)], [])
    return make_survey(
        SystemInfo("daint", Capabilities(scheduler_version=(22, 5, 8))), cluster, accounts, chosen
    )


def load(text: str, tmp_path: Path) -> dict[str, Any]:
    """Read and validate a settings file with ReFrame; check its format with ruff."""
    file = tmp_path / "site.py"
    file.write_text(text, encoding="utf-8")
    for command in (["format", "--check"], ["check", "--select", "E4,E7,E9,F,I,W"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(file)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + text
    site = reframe.core.config.load_config(str(file))
    site.validate()
    [system] = [entry for entry in site["systems"] if entry["name"] != "generic"]
    site.select_subconfig(system["name"])
    return {**system, "topology_prefix": site.get("general/0/topology_prefix")}


def test_reframe_takes_what_the_gateway_knows(tmp_path: Path) -> None:
    system = load(configuration(survey({"n1": "mc", "n2": "mc,gpu", "n3": "mc,gpu"})), tmp_path)
    assert (system["name"], system["hostnames"]) == ("daint", [".*"])
    assert system["descr"] == "daint behind FirecREST, Slurm 22.05"
    assert system["sched_options"] == {"firecrest": {"system": "daint"}}
    plain, gpu = system["partitions"]
    assert (plain["name"], plain["features"]) == ("normal", ["remote", "mc"])
    assert gpu["name"] == "normal-gpu"
    assert gpu["access"] == ["--partition=normal", "--account=staff", "--constraint=gpu"]
    assert gpu["features"] == ["remote", "mc", "gpu"]
    assert (gpu["scheduler"], gpu["launcher"]) == ("firecrest-scheduler", "firecrest-srun")
    assert gpu["environs"] == ["builtin"]
    assert gpu["descr"] == "Slurm partition normal: 2 nodes of 16 CPUs"
    assert "time_limit" not in gpu


def test_what_a_person_has_to_decide_is_marked() -> None:
    text = configuration(survey({"n1": "mc", "n2": "mc,gpu"}))
    assert "EDIT: the account, if you need another: users." in text
    assert 'EDIT: "time_limit"' in text
    assert text.count("no feature distinguishes them") == 1
    assert "EDIT: add --account=" in configuration(survey(accounts=[]))
    many = configuration(survey({f"n{number}": f"rack{number}" for number in range(20)}))
    assert "20 different sets of features" in many


def test_the_account_of_the_settings_goes_before_the_default(tmp_path: Path) -> None:
    text = configuration(survey(chosen="project"))
    [partition] = load(text, tmp_path)["partitions"]
    assert "--account=project" in partition["access"]
    assert "another: users, staff." in text


@pytest.mark.parametrize("count", [1, 100])
def test_jobs_at_a_time_are_what_the_queue_accepts(count: int, tmp_path: Path) -> None:
    text = configuration(survey({f"n{number}": "mc" for number in range(count)}))
    [partition] = load(text, tmp_path)["partitions"]
    assert partition["max_jobs"] == MAX_JOBS
    [pattern] = partition["sched_options"]["resubmit_on_errors"]
    for limit in ("QOSMaxSubmitJobPerUserLimit", "AssocMaxSubmitJobLimit", "QOSMaxSubmitJobPerAccountLimit"):
        assert re.search(pattern, f"sbatch: error: {limit}\nsbatch: error: Batch job submission failed")
    assert not re.search(pattern, "sbatch: error: QOSMaxWallDurationPerJobLimit")


def test_login_shells_are_a_decision_for_a_person() -> None:
    before, line = re.findall(r"(.*\n.*\n)( *\"use_login_shell\": False,)", configuration(survey()))[0]
    assert "EDIT: True, if `module`" in before
    assert line


def test_no_sample_check_disappears_for_lack_of_a_feature(tmp_path: Path) -> None:
    system = load(configuration(survey()), tmp_path)
    have = {"remote", *system["partitions"][0]["features"]}
    text = (tmp_path / "site.py").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(compile(text, "site.py", "exec"), names)
    [environment] = names["site_configuration"]["environments"]
    have |= {environment["name"], *environment["features"]}
    required = {
        name.lstrip("+")
        for check in (PROJECT / "checks").glob("*.py")
        for names in re.findall(r"valid_\w+ = \[(.*?)\]", check.read_text(encoding="utf-8"))
        for name in re.findall(r'"(.*?)"', names)
    }
    assert "openmp" in required
    assert required - {"*"} <= have
    assert environment["extras"] == {"omp_flag": "-fopenmp"}


def test_the_memory_of_nodes_is_what_tests_may_request(tmp_path: Path) -> None:
    nodes = [NodeInfo(f"n{size}", ("IDLE",), ("p",), (), 16, 0, 16, memory=size) for size in (512000, 256000)]
    cluster = Cluster(nodes, [PartitionInfo("p", 2, 32)], [])
    [partition] = load(configuration(make_survey(SystemInfo("daint"), cluster, [], None)), tmp_path)[
        "partitions"
    ]
    assert partition["extras"] == {"mem_per_node": 256000}
    assert partition["resources"] == [{"name": "memory", "options": ["--mem={size}"]}]
    assert "mem_per_node" not in configuration(survey())


def test_reservations_are_listed_with_their_times(tmp_path: Path) -> None:
    nodes = [NodeInfo(f"nid00{number}", ("IDLE",), ("p",), (), 16, 0, 16) for number in (1, 2)]
    reservations = [
        ReservationInfo("maint", "nid00[1-2]", 1795410738.0, 1798002738.0),
        ReservationInfo("always", "nid002"),
        ReservationInfo("elsewhere", "nid009"),
        ReservationInfo('x"\n', "nid001"),
        ReservationInfo("odd", "nid00[1-"),
    ]
    cluster = Cluster(nodes, [PartitionInfo("p", 2, 32)], reservations)
    text = configuration(make_survey(SystemInfo("daint"), cluster, [], None))
    load(text, tmp_path)
    begin, end = "2026-11-23 05:12", "2026-12-23 05:12"
    assert f"--reservation=maint, if you may use it (nid00[1-2] from {begin} to {end} UTC)." in text
    assert "--reservation=always, if you may use it (nid002)." in text
    assert "--reservation=x??," in text
    assert "elsewhere" not in text
    assert "odd" not in text


def test_a_topology_prefix_is_named_only_if_reframe_would_not_look_there(tmp_path: Path) -> None:
    assert "topology_prefix" not in configuration(survey())
    found = load(configuration(survey(), tmp_path / "topo"), tmp_path)
    assert found["topology_prefix"] == str(tmp_path / "topo")


def test_names_that_the_gateway_gives_stay_within_their_quotes(tmp_path: Path) -> None:
    hostile = 'a"]\n}; import os  # \\'
    nodes = [NodeInfo("n1", ("IDLE",), (hostile,), (hostile, "é", "ok"), 16, 0, 16)]
    found = make_survey(
        SystemInfo("my.cluster"),
        Cluster(nodes, [PartitionInfo(hostile, 1, 16)], []),
        [AccountInfo(hostile), AccountInfo("staff", default=True)],
        None,
    )
    text = configuration(found)
    file = tmp_path / "site.py"
    file.write_text(text, encoding="utf-8")
    reframe.core.config.load_config(str(file)).validate()
    names: dict[str, Any] = {}
    exec(compile(text, "site.py", "exec"), names)
    [system] = names["site_configuration"]["systems"]
    assert system["name"] == "my_cluster"
    assert system["partitions"][0]["access"][0] == f"--partition={hostile}"
    assert system["partitions"][0]["features"] == ["remote", "ok"]
    assert "os" not in names


def test_a_survey_asks_once_and_closes_its_connections() -> None:
    gateway = FakeGateway()
    found = survey_system(make_settings(), lambda _settings: gateway)
    assert gateway.calls == {"connect": 1, "cluster": 1, "accounts": 1}
    assert gateway.closed
    assert found.account == "staff"
    assert [group.name for group in found.groups] == ["normal", "normal-gpu"]
    assert SECRET not in configuration(found)


def test_a_survey_that_fails_closes_its_connections_too() -> None:
    gateway = FakeGateway()
    gateway.failures["cluster"] = [AuthError("no")]
    with pytest.raises(AuthError):
        survey_system(make_settings(), lambda _settings: gateway)
    assert gateway.closed


def test_a_gateway_that_keeps_silent_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reframe_firecrest.commands.detect.survey.TIMEOUT", 0.05)
    gateway = FakeGateway()
    gateway.blocked["connect"] = asyncio.Event()
    with pytest.raises(TransientError, match="did not describe 'daint' within"):
        survey_system(make_settings(), lambda _settings: gateway)


def test_a_system_without_partitions_is_an_error() -> None:
    with pytest.raises(DetectionError, match="no partition of 'daint' with nodes"):
        make_survey(SystemInfo("daint"), Cluster([], [], []), [], None)


def test_a_partition_is_described_by_its_nodes_as_far_as_they_are_known() -> None:
    nodes = [NodeInfo(f"n{cpus}", ("IDLE",), ("mixed",), (), cpus, 0, cpus) for cpus in (128, 64)]
    partitions = [PartitionInfo("mixed", 2, 192), PartitionInfo("untold", 7, 448)]
    found = make_survey(SystemInfo("daint"), Cluster(nodes, partitions, []), [], None)
    text = configuration(found)
    assert '"descr": "Slurm partition mixed: 2 nodes of 64 to 128 CPUs"' in text
    assert '"descr": "Slurm partition untold"' in text
    assert '"descr": "daint behind FirecREST",' in text


def test_the_modules_system_that_jobs_have_found_is_written(tmp_path: Path) -> None:
    text = configuration(survey(), modules_system="lmod")
    load(text, tmp_path)
    assert '            "modules_system": "lmod",\n' in text
    assert '            "modules_system": "nomod",\n' in configuration(survey())
