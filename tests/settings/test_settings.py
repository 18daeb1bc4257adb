from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reframe_firecrest.model import local_paths
from reframe_firecrest.model.errors import SettingsError
from reframe_firecrest.settings import Place, Settings, options_of, read_settings
from reframe_firecrest.settings.credentials import ClientSecret
from reframe_firecrest.settings.model import state_directory

SECRET = "tr0ub4dor&3"

ENVIRONMENT = {
    "FIRECREST_URL": "https://api.example.org/hpc",
    "AUTH_TOKEN_URL": "https://auth.example.org/token",
    "FIRECREST_CLIENT_ID": "me",
    "FIRECREST_CLIENT_SECRET": SECRET,
    "FIRECREST_SYSTEM": "daint",
    "FIRECREST_BASEDIR": "/scratch/me",
}


def places(
    partition: Mapping[str, Any] | None = None, system: Mapping[str, Any] | None = None
) -> list[Place]:
    return [Place("partition 'gpu'", partition or {}), Place("system 'daint'", system or {})]


def line_of(
    partition: Mapping[str, Any] | None = None,
    system: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> str:
    """Return the one line with which the settings are refused; it never holds the secret."""
    with pytest.raises(SettingsError) as caught:
        read_settings(places(partition, system), environment)
    line = str(caught.value)
    assert "\n" not in line
    assert SECRET not in line
    assert SECRET not in repr(caught.value.__context__)
    return line


def secret_of(settings: Settings) -> str:
    assert isinstance(settings.credentials, ClientSecret)
    return settings.credentials.client_secret.get_secret_value()


def test_the_environment_alone_is_enough() -> None:
    settings = read_settings(places(), ENVIRONMENT)
    assert str(settings.url) == "https://api.example.org/hpc"
    assert settings.system == "daint"
    assert settings.account is None
    assert settings.max_in_flight == 32
    assert secret_of(settings) == SECRET


def test_partition_wins_over_system_and_system_over_environment() -> None:
    environment = {**ENVIRONMENT, "FIRECREST_ACCOUNT": "env", "FIRECREST_NAMESPACE": "env"}
    settings = read_settings(
        places({"account": "partition"}, {"account": "system", "namespace": "system"}), environment
    )
    assert settings.account == "partition"
    assert settings.namespace == "system"
    assert isinstance(settings.credentials, ClientSecret)
    assert settings.credentials.client_id == "me"


def test_a_key_that_is_none_in_the_configuration_counts_as_not_given() -> None:
    settings = read_settings(places({"system": None}), ENVIRONMENT)
    assert settings.system == "daint"


@pytest.mark.parametrize("variable", sorted(set(ENVIRONMENT) - {"FIRECREST_CLIENT_SECRET"}))
def test_a_missing_value_names_key_places_and_remedy(variable: str) -> None:
    line = line_of(environment={**ENVIRONMENT, variable: ""})
    assert "is missing" in line
    assert "partition 'gpu'" in line
    assert "system 'daint'" in line
    assert f"export {variable}=" in line


@pytest.mark.parametrize("key", ["firecrst", "Firecrest", "fircrest", "firecrest_"])
def test_a_misspelt_key_of_the_settings_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match=f"unknown key '{key}' in sched_options of x; did you mean"):
        options_of({key: {}}, "x")


@pytest.mark.parametrize("options", [None, {}, {"resubmit_on_errors": [], "ssh_hosts": []}])
def test_options_of_reframe_are_no_settings(options: dict[str, object] | None) -> None:
    assert options_of(options, "x") is None


def test_all_missing_values_are_named_in_one_line() -> None:
    line = line_of(environment={})
    for variable in (*ENVIRONMENT, "FIRECREST_CLIENT_SECRET_FILE"):
        assert variable == "FIRECREST_CLIENT_SECRET" or f" {variable}=..." in line
    assert line.startswith("6 settings are missing: ")
    assert "\n" not in line


def test_a_missing_secret_names_every_way_to_give_it() -> None:
    line = line_of(environment={**ENVIRONMENT, "FIRECREST_CLIENT_SECRET": ""})
    for way in (
        "FIRECREST_CLIENT_SECRET",
        "FIRECREST_CLIENT_SECRET_FILE",
        "client_secret_file",
        "client_secret_env",
    ):
        assert way in line


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("url", "daint", "valid URL"),
        ("url", "ftp://daint", "http"),
        ("token_url", f"https://me:{SECRET}@auth.example.org", "must not contain a user name or a password"),
        ("basedir", "scratch", "absolute path"),
        ("basedir", "/scratch/../etc", "absolute path"),
        ("basedir", "/scratch/it's", "quotes"),
        ("basedir", "/scratch/$USER", "'$'"),
        ("basedir", "/scratch/my dir", "blanks"),
        ("namespace", "/abs", "letters"),
        ("namespace", "a/../../b", "letters"),
        ("system", "daint/../alps", "pattern"),
        ("max_in_flight", "many", "integer"),
        ("max_in_flight", 0, "greater than or equal to 1"),
        ("poll_interval_min", 0.01, "greater than or equal to 0.1"),
        ("ca_bundle", "/nonexistent.pem", "is not an existing file"),
    ],
)
def test_a_wrong_value_names_key_place_and_reason(key: str, value: object, reason: str) -> None:
    line = line_of(system={key: value})
    assert line.startswith(f"'{key}' (system 'daint') is wrong: ")
    assert reason in line


def test_a_wrong_value_from_the_environment_names_the_variable() -> None:
    line = line_of(environment={**ENVIRONMENT, "FIRECREST_MAX_IN_FLIGHT": "100"})
    assert "'max_in_flight' (environment variable FIRECREST_MAX_IN_FLIGHT)" in line


def test_a_file_that_holds_no_certificates_is_one_line(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("not a certificate")
    assert "contains no readable certificates" in line_of(
        environment={**ENVIRONMENT, "FIRECREST_CA_BUNDLE": str(bundle)}
    )


def test_certificates_that_can_be_read_are_taken(tmp_path: Path) -> None:
    trusted = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not trusted:
        pytest.skip("this machine trusts no certificate authority")
    bundle = tmp_path / "ca.pem"
    bundle.write_text(ssl.DER_cert_to_PEM_cert(trusted[0]))
    assert read_settings(places({"ca_bundle": str(bundle)}), ENVIRONMENT).ca_bundle == bundle


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("base_dir", "basedir"),
        ("basdir", "basedir"),
        ("client_secret_fil", "client_secret_file"),
        ("outages", "retry_timeout"),
    ],
)
def test_an_unknown_key_is_refused_with_the_one_that_was_meant(key: str, meant: str) -> None:
    line = line_of(partition={key: "/scratch"})
    assert line == f"unknown key {key!r} in partition 'gpu'; did you mean {meant!r}?"


def test_an_unknown_key_like_no_other_is_refused_with_the_known_ones() -> None:
    line = line_of(partition={"xyzzy": 1})
    assert line.startswith("unknown key 'xyzzy' in partition 'gpu'; known keys: account, api_key_env, ")
    assert "basedir" in line
    assert "outage" not in line


def test_a_secret_in_the_configuration_is_refused_without_showing_it() -> None:
    line = line_of(system={"client_secret": SECRET})
    assert "is not allowed in system 'daint'" in line
    assert "FIRECREST_CLIENT_SECRET" in line


def test_a_secret_is_never_printed() -> None:
    settings = read_settings(places(), ENVIRONMENT)
    for text in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert SECRET not in text
    assert SECRET not in repr(settings.session_key)


def test_an_error_of_another_key_does_not_print_the_secret() -> None:
    line_of(environment={**ENVIRONMENT, "FIRECREST_BASEDIR": "relative"})


class TestWhereTheSecretComesFrom:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "secret"
        path.write_text("from the file\n")
        return path

    def test_a_file_named_by_the_configuration_wins_over_the_variable(self, file: Path) -> None:
        settings = read_settings(places(system={"client_secret_file": str(file)}), ENVIRONMENT)
        assert secret_of(settings) == "from the file"

    def test_the_variable_wins_over_a_file_named_by_a_variable(self, file: Path) -> None:
        environment = {**ENVIRONMENT, "FIRECREST_CLIENT_SECRET_FILE": str(file)}
        assert secret_of(read_settings(places(), environment)) == SECRET

    def test_a_file_named_by_a_variable_is_read(self, file: Path) -> None:
        environment = {
            **ENVIRONMENT,
            "FIRECREST_CLIENT_SECRET": "",
            "FIRECREST_CLIENT_SECRET_FILE": str(file),
        }
        assert secret_of(read_settings(places(), environment)) == "from the file"

    def test_a_variable_named_by_the_configuration_is_read(self) -> None:
        settings = read_settings(places({"client_secret_env": "ALPS"}), {**ENVIRONMENT, "ALPS": "other"})
        assert secret_of(settings) == "other"

    def test_the_more_specific_place_wins_whichever_way_it_uses(self, file: Path) -> None:
        environment = {**ENVIRONMENT, "ALPS": "other"}
        by_file, by_variable = {"client_secret_file": str(file)}, {"client_secret_env": "ALPS"}
        assert secret_of(read_settings(places(by_file, by_variable), environment)) == "from the file"
        assert secret_of(read_settings(places(by_variable, by_file), environment)) == "other"

    def test_a_variable_that_is_not_set_is_named(self) -> None:
        line = line_of(partition={"client_secret_env": "ALPS"})
        assert "ALPS, which is not set" in line
        assert "partition 'gpu'" in line

    @pytest.mark.parametrize(
        ("content", "reason"), [(None, "No such file"), (b"", "is empty"), (b"\xff\xfe", "not text")]
    )
    def test_a_file_that_is_no_use_is_named_with_the_reason(
        self, tmp_path: Path, content: bytes | None, reason: str
    ) -> None:
        path = tmp_path / "unusable"
        if content is not None:
            path.write_bytes(content)
        line = line_of(partition={"client_secret_file": str(path)})
        assert str(path) in line
        assert reason in line


class TestFilesOnThisMachine:
    """ReFrame is in a stage directory when the settings are read."""

    @pytest.fixture(autouse=True)
    def elsewhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "started").mkdir()
        (tmp_path / "stage").mkdir()
        (tmp_path / "started" / "secret").write_text("relative")
        monkeypatch.setattr(local_paths, "started_in", lambda: tmp_path / "started")
        monkeypatch.setenv("HOME", str(tmp_path / "started"))
        monkeypatch.chdir(tmp_path / "stage")

    @pytest.mark.parametrize("name", ["secret", "~/secret", "../started/secret"])
    def test_a_relative_path_begins_where_reframe_was_started(self, name: str) -> None:
        settings = read_settings(places(system={"client_secret_file": name}), ENVIRONMENT)
        assert secret_of(settings) == "relative"

    def test_so_does_that_of_the_certificates(self, tmp_path: Path) -> None:
        trusted = ssl.create_default_context().get_ca_certs(binary_form=True)
        if not trusted:
            pytest.skip("this machine trusts no certificate authority")
        bundle = tmp_path / "started" / "ca.pem"
        bundle.write_text(ssl.DER_cert_to_PEM_cert(trusted[0]))
        settings = read_settings(places(), {**ENVIRONMENT, "FIRECREST_CA_BUNDLE": "ca.pem"})
        assert settings.ca_bundle == bundle


class TestSessions:
    def test_partitions_that_differ_in_the_account_share_a_session(self) -> None:
        one = read_settings(places({"account": "a"}), ENVIRONMENT)
        other = read_settings(places({"account": "b"}), ENVIRONMENT)
        assert one.session_key == other.session_key
        assert hash(one.session_key) == hash(other.session_key)

    @pytest.mark.parametrize(
        "change",
        [
            {"FIRECREST_URL": "https://other.example.org"},
            {"FIRECREST_SYSTEM": "eiger"},
            {"FIRECREST_CLIENT_SECRET": "other"},
            {"FIRECREST_BASEDIR": "/other"},
        ],
    )
    def test_other_gateways_systems_and_credentials_make_other_sessions(
        self, change: Mapping[str, str]
    ) -> None:
        one = read_settings(places(), ENVIRONMENT)
        other = read_settings(places(), {**ENVIRONMENT, **change})
        assert one.session_key != other.session_key


@pytest.mark.parametrize("variable", ["FIRECREST_URL", "FIRECREST_CLIENT_SECRET"])
def test_without_a_configuration_only_the_environment_is_named(variable: str) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != variable}
    with pytest.raises(SettingsError, match=f"looked in the environment variables? {variable}") as caught:
        read_settings([], environment)
    assert "in ," not in str(caught.value)
    assert "sched_options" not in str(caught.value)


class TestJournalDirectory:
    """Default directory of journals."""

    def test_it_follows_the_xdg_specification(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", "/state")
        assert str(state_directory()) == "/state/reframe-firecrest"
        monkeypatch.delenv("XDG_STATE_HOME")
        monkeypatch.setenv("HOME", "/home/me")
        assert str(state_directory()) == "/home/me/.local/state/reframe-firecrest"

    def test_a_user_without_a_home_has_one_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_home() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        monkeypatch.setattr(Path, "home", no_home)
        assert state_directory().name == f"reframe-firecrest-{os.getuid()}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, "auto"), ("auto", "auto"), ("1", "1"), (2, "2"), ("1.16.0", "1"), (2.5, "2")],
)
def test_the_version_of_the_api_is_asked_for_unless_it_is_given(given: object, expected: str) -> None:
    assert read_settings(places({"api_version": given}), ENVIRONMENT).api_version == expected


@pytest.mark.parametrize("given", ["3", "1.", "12", "1.16.x"])
def test_an_unknown_version_of_the_api_is_refused(given: str) -> None:
    line = line_of(environment={**ENVIRONMENT, "FIRECREST_API_VERSION": given})
    assert line.startswith("'api_version' (environment variable FIRECREST_API_VERSION) is wrong: ")
    assert "'auto', '1' or '2'" in line
