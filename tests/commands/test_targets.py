"""Which partitions of an existing configuration are looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from reframe_firecrest.commands.detect.survey import targets_of_survey
from reframe_firecrest.commands.targets import targets_of_file
from reframe_firecrest.model.errors import DetectionError, SettingsError
from tests.commands.detect.test_configuration import survey
from tests.gateway.helpers import make_settings

ENVIRONMENT = {
    "FIRECREST_URL": "https://api.example.org/hpc",
    "AUTH_TOKEN_URL": "https://auth.example.org/token",
    "FIRECREST_CLIENT_ID": "me",
    "FIRECREST_CLIENT_SECRET": "hidden",
    "FIRECREST_SYSTEM": "daint",
    "FIRECREST_BASEDIR": "/scratch/me",
}

SITE = """
import reframe_firecrest

def partition(name, scheduler="firecrest-scheduler", **more):
    return {"name": name, "scheduler": scheduler, "launcher": "srun", "environs": ["builtin"], **more}

site_configuration = {
    "systems": [
        {
            "name": "alps",
            "hostnames": ["nowhere"],
            "sched_options": {"firecrest": {"system": "eiger", "account": "system"}},
            "partitions": [
                partition("login", "local"),
                partition("cpu", access=["--partition=normal", "-A staff"]),
                partition("gpu", sched_options={"firecrest": {"system": "daint", "account": "partition"}}),
            ],
        },
        {"name": "laptop", "hostnames": [".*"], "partitions": [partition("here", "local")]},
        {"name": "peer", "hostnames": ["nowhere"], "partitions": [partition("old", "firecrest-slurm")]},
    ],
    "environments": [{"name": "builtin", "cc": "gcc", "cxx": "", "ftn": ""}],
    "general": [
        {"topology_prefix": "${SITE_TOPOLOGY}/alps", "target_systems": ["alps"]},
        {"topology_prefix": "/other", "target_systems": ["*"]},
    ],
}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    file = tmp_path / "site.py"
    file.write_text(SITE)
    return file


def test_only_what_is_reached_through_firecrest_is_looked_at(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_TOPOLOGY", "/topologies")
    cpu, gpu, peer = targets_of_file(site, ENVIRONMENT, None)
    assert [target.name for target in (cpu, gpu, peer)] == ["alps:cpu", "alps:gpu", "peer:old"]
    assert cpu.options == ("--partition=normal", "-A staff")
    assert gpu.options == ()
    assert (cpu.settings.system, cpu.settings.account) == ("eiger", "system")
    assert (gpu.settings.system, gpu.settings.account) == ("daint", "partition")
    assert peer.settings.system == "daint"
    assert cpu.file == Path("/topologies/alps/alps-cpu/processor.json")
    assert peer.file == Path("/other/peer-old/processor.json")


def test_a_prefix_on_the_command_line_wins(site: Path) -> None:
    found = targets_of_file(site, ENVIRONMENT, Path("/mine"))
    assert {target.file.parent.parent for target in found} == {Path("/mine")}


def test_a_partition_that_lacks_a_setting_is_named(site: Path) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "FIRECREST_URL"}
    with pytest.raises(SettingsError, match=r"'url' is missing .*partition 'cpu'.*FIRECREST_URL"):
        targets_of_file(site, environment, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise ValueError('not\\ntoday')\nsite_configuration = {}", "can't be used: ValueError: not today"),
        ("def", "can't be used: "),
        ("x = 1", "not a valid Python configuration file"),
        ("site_configuration = {'systems': [{'name': 'a'}]}", "can't be used: KeyError: 'partitions'"),
        ("site_configuration = {'systems': [], 'storage': 7}", "could not validate"),
        ("site_configuration = {'systems': []}", "no partition with the scheduler 'firecrest-scheduler'"),
    ],
)
def test_a_configuration_that_can_not_be_used_is_reported_in_one_line(
    text: str, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "site.py"
    file.write_text(text)
    with pytest.raises(DetectionError, match=reason) as caught:
        targets_of_file(file, ENVIRONMENT, None)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(DetectionError, match=r"gone.py can't be used: .*No such file"):
        targets_of_file(tmp_path / "gone.py", ENVIRONMENT, None)


def test_a_survey_names_the_partitions_as_its_configuration_does() -> None:
    found = survey({"n1": "mc", "n2": "mc,gpu"})
    plain, gpu = targets_of_survey(found, make_settings(), Path("/mine"))
    assert plain.options == ("--partition=normal", "--account=staff", "--nodelist=n1")
    assert gpu.options == ("--partition=normal", "--account=staff", "--constraint=gpu")
    assert gpu.file == Path("/mine/daint-normal-gpu/processor.json")


def test_only_the_named_system_is_looked_at(site: Path) -> None:
    assert [target.name for target in targets_of_file(site, ENVIRONMENT, None, "peer")] == ["peer:old"]
    with pytest.raises(DetectionError, match=r"has no 'nosuch' that uses FirecREST; .* it has: alps, peer"):
        targets_of_file(site, ENVIRONMENT, None, "nosuch")
