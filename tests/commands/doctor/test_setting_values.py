"""Settings as a diagnosis lists them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from reframe_firecrest.commands.doctor.setting_values import explicit_values, setting_values
from reframe_firecrest.commands.doctor.targets import diagnosis_targets
from tests.commands.detect.test_command import write_site

ENVIRONMENT = {
    "FIRECREST_URL": "https://api.example.org/hpc",
    "AUTH_TOKEN_URL": "https://auth.example.org/token",
    "FIRECREST_CLIENT_ID": "me",
    "FIRECREST_SYSTEM": "daint",
    "FIRECREST_BASEDIR": "/scratch/me",
}
SECRET = "tr0ub4dor&3"


def listed(environment: Mapping[str, str], file: Path | None = None) -> list[str]:
    [target] = diagnosis_targets(file, None, {**ENVIRONMENT, **environment})
    return [str(value) for value in explicit_values(target)]


def test_each_value_is_listed_with_its_variable() -> None:
    assert listed({"FIRECREST_CLIENT_SECRET": SECRET}) == [
        "url = https://api.example.org/hpc (FIRECREST_URL)",
        "token_url = https://auth.example.org/token (AUTH_TOKEN_URL)",
        "client_id = me (FIRECREST_CLIENT_ID)",
        "client_secret (FIRECREST_CLIENT_SECRET)",
        "system = daint (FIRECREST_SYSTEM)",
        "basedir = /scratch/me (FIRECREST_BASEDIR)",
    ]


def test_a_secret_of_a_file_is_named_as_such(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    lines = listed({"FIRECREST_CLIENT_SECRET_FILE": str(file)})
    assert (
        f"client_secret (the file {file}, named by environment variable FIRECREST_CLIENT_SECRET_FILE)"
        in lines
    )
    assert SECRET not in "".join(lines)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"account": "proj"}, "account = proj (sched_options['firecrest'] of partition 'cpu')"),
        (
            {"client_secret_env": "SITE_SECRET"},
            "client_secret (SITE_SECRET, named by 'client_secret_env' in sched_options['firecrest'] of",
        ),
        (
            {"token_command": "get-token --password tr0ub4dor&3"},
            "token_command (sched_options['firecrest'] of",
        ),
        ({"max_files": 10}, "max_files = 10 (sched_options['firecrest'] of partition 'cpu')"),
    ],
)
def test_a_value_of_the_configuration_is_listed_with_its_partition(
    tmp_path: Path, options: Mapping[str, object], line: str
) -> None:
    file = write_site(tmp_path, cpu=[])
    text = f'"sched_options": {{"firecrest": {options!r}}}, "access": access'
    file.write_text(file.read_text().replace('"access": access', text))
    lines = listed({"FIRECREST_CLIENT_SECRET": SECRET, "SITE_SECRET": SECRET}, file)
    assert [each for each in lines if each.startswith(line)]
    assert SECRET not in "".join(lines)


def test_a_setting_in_which_partitions_may_differ_is_left_out(tmp_path: Path) -> None:
    file = write_site(tmp_path, cpu=[], gpu=[])
    text = '"sched_options": {"firecrest": {"max_files": len(name)}}, "access": access'
    file.write_text(file.read_text().replace('"access": access', text))
    assert not [line for line in listed({"FIRECREST_CLIENT_SECRET": SECRET}, file) if "max_files" in line]


def test_the_method_has_an_origin_only_if_a_setting_names_it() -> None:
    key = {"FIRECREST_API_KEY": SECRET}
    assert not [line for line in listed(key) if line.startswith("auth")]
    named = listed({**key, "FIRECREST_AUTH": "api_key"})
    assert "auth = api_key (FIRECREST_AUTH)" in named


def test_all_values_include_the_defaults() -> None:
    [target] = diagnosis_targets(None, None, {**ENVIRONMENT, "FIRECREST_CLIENT_SECRET": SECRET})
    values = {value.setting: value for value in setting_values(target)}
    assert (values["max_files"].value, values["max_files"].origin) == ("100000", "default")
    assert (values["account"].value, values["account"].origin) == (None, "default")
    assert values["client_secret"].value is None
