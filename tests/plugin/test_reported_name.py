"""Tests see the scheduler's name that natively run tests see; nothing else of ReFrame depends on it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import reframe.core.config as rfm_config
import reframe.core.runtime as rt
from reframe.core.backends import getscheduler
from reframe.core.exceptions import ConfigError
from reframe.core.schedulers.slurm import SlurmJobScheduler
from reframe.frontend import autodetect

import reframe_firecrest.compat  # noqa: F401 - registers the backends, also as firecrest-slurm
from reframe_firecrest.plugin.scheduler import FirecrestScheduler
from tests.conftest import PROJECT


@pytest.fixture
def configure(tmp_path: Path) -> Iterator[Any]:
    """Give ReFrame a configuration with settings of the system and of the partition."""
    before = rt._runtime_context

    def configure(of_system: Any = None, of_partition: Any = None, scheduler: str = "") -> Any:
        config = rfm_config.load_config("<builtin>", str(PROJECT / "config/sandbox.py"))
        system = next(entry for entry in config["systems"] if entry["name"] == "sandbox")
        system["sched_options"] = {"firecrest": of_system or {}}
        [partition] = system["partitions"]
        partition["sched_options"] = {"firecrest": of_partition or {}}
        partition["scheduler"] = scheduler or partition["scheduler"]
        config.validate()
        config.select_subconfig("sandbox")
        config.add_sticky_option("systems/prefix", str(tmp_path))
        rt._runtime_context = None
        rt.init_runtime(config)
        [made] = rt.runtime().system.partitions
        return made

    yield configure
    rt._runtime_context = before


@pytest.mark.parametrize(
    ("of_system", "of_partition", "name"),
    [
        ({}, {}, "slurm"),
        ({"appear_as": "firecrest-slurm"}, {}, "firecrest-slurm"),
        ({"appear_as": "squeue"}, {"appear_as": "firecrest-slurm"}, "firecrest-slurm"),
        ({"appear_as": "squeue"}, {"appear_as": None}, "squeue"),
    ],
)
def test_a_partition_has_the_name_that_its_settings_choose(
    configure: Any, of_system: Any, of_partition: Any, name: str
) -> None:
    assert configure(of_system, of_partition).scheduler.registered_name == name


def test_the_name_of_the_opt_in_is_kept(configure: Any) -> None:
    assert configure(scheduler="firecrest-slurm").scheduler.registered_name == "firecrest-slurm"
    partition = configure({"appear_as": "slurm"}, scheduler="firecrest-slurm")
    assert partition.scheduler.registered_name == "slurm"


@pytest.mark.parametrize("name", ["local", "", "two words", 3, ["slurm"]])
def test_a_name_that_would_mislead_reframe_is_refused(configure: Any, name: object) -> None:
    with pytest.raises(ConfigError, match="'appear_as' is wrong"):
        _ = configure({"appear_as": name}).scheduler


def test_settings_files_select_schedulers_by_their_own_names(configure: Any) -> None:
    partition = configure()
    assert isinstance(partition.scheduler, FirecrestScheduler)
    assert getscheduler("firecrest-scheduler") is FirecrestScheduler
    assert getscheduler("slurm") is SlurmJobScheduler
    assert SlurmJobScheduler.registered_name == "slurm"


def test_the_name_cannot_be_assigned(configure: Any) -> None:
    with pytest.raises(ValueError, match="read-only"):
        configure().scheduler.registered_name = "other"


def test_valid_systems_match_as_natively(configure: Any) -> None:
    """The implicit extra `scheduler` is what ``%scheduler=slurm`` compares (``SystemPartition``)."""
    assert configure().extras["scheduler"] == "slurm"
    assert configure().json()["scheduler"] == "slurm"


def test_the_processor_of_this_machine_is_not_taken_for_the_partitions(configure: Any) -> None:
    assert not autodetect._is_part_local(configure())


def test_partitions_are_equal_and_jobs_copied_whatever_the_name(configure: Any) -> None:
    one, other = configure(), configure(of_partition={"appear_as": "firecrest-slurm"})
    assert one == other
    assert hash(one) == hash(other)
    assert copy.copy(other.scheduler).registered_name == "firecrest-slurm"
