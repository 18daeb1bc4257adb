"""Which way to authenticate is chosen, and what each way needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reframe_firecrest.model.errors import SettingsError
from reframe_firecrest.settings import Place, Settings, read_settings
from reframe_firecrest.settings.credentials import ApiKey, ClientSecret, TokenCommand

SECRET = "tr0ub4dor&3"
KEY = "k3y-0f-the-kingd0m"

BARE = {
    "FIRECREST_URL": "https://api.example.org/hpc",
    "FIRECREST_SYSTEM": "daint",
    "FIRECREST_BASEDIR": "/scratch/me",
}
CLIENT = {
    "AUTH_TOKEN_URL": "https://auth.example.org/token",
    "FIRECREST_CLIENT_ID": "me",
    "FIRECREST_CLIENT_SECRET": SECRET,
}
COMMAND = {"FIRECREST_TOKEN_COMMAND": "get-token --for 'my cluster'"}
BY_KEY = {"FIRECREST_API_KEY": KEY}


def read(
    *environments: Mapping[str, str],
    partition: Mapping[str, Any] | None = None,
    system: Mapping[str, Any] | None = None,
) -> Settings:
    places = [Place("partition 'gpu'", partition or {}), Place("system 'daint'", system or {})]
    environment = dict(BARE)
    for more in environments:
        environment |= more
    return read_settings(places, environment)


def line_of(*environments: Mapping[str, str], **given: Mapping[str, Any]) -> str:
    """Return the one line with which the settings are refused; it never holds a secret."""
    with pytest.raises(SettingsError) as caught:
        read(*environments, **given)
    line = str(caught.value)
    assert "\n" not in line
    for secret in (SECRET, KEY):
        assert secret not in line
        assert secret not in repr(caught.value.__context__)
    return line


class TestChoice:
    @pytest.mark.parametrize(
        ("environment", "kind", "auth"),
        [
            (CLIENT, ClientSecret, "client_secret_post"),
            ({**CLIENT, "FIRECREST_AUTH": "client_secret_basic"}, ClientSecret, "client_secret_basic"),
            (COMMAND, TokenCommand, "token_command"),
            (BY_KEY, ApiKey, "api_key"),
            ({**CLIENT, **COMMAND, **BY_KEY, "FIRECREST_AUTH": "api_key"}, ApiKey, "api_key"),
        ],
    )
    def test_the_given_values_select_the_method_unless_it_is_set(
        self, environment: Mapping[str, str], kind: type, auth: str
    ) -> None:
        credentials = read(environment).credentials
        assert isinstance(credentials, kind)
        assert credentials.auth == auth

    def test_the_more_specific_place_decides(self) -> None:
        assert read(CLIENT, partition={"token_command": "get"}).credentials.auth == "token_command"
        command = {"FIRECREST_AUTH": "token_command", **COMMAND}
        by_secret = {"client_secret_env": "FIRECREST_CLIENT_SECRET"}
        assert read(CLIENT, command, system=by_secret).credentials.auth == "client_secret_post"
        both = read(CLIENT, partition={"auth": "client_secret_post"}, system={"token_command": "get"})
        assert both.credentials.auth == "client_secret_post"

    def test_where_the_secret_is_and_how_it_is_sent_may_stand_in_different_places(self) -> None:
        by_secret = {"client_secret_env": "FIRECREST_CLIENT_SECRET"}
        how = {"auth": "client_secret_basic"}
        assert read(CLIENT, partition=by_secret, system=how).credentials.auth == "client_secret_basic"
        by_variable = {"FIRECREST_AUTH": "client_secret_basic"}
        assert read(CLIENT, by_variable, partition=by_secret).credentials.auth == "client_secret_basic"

    def test_two_ways_in_one_place_are_reported_with_the_remedy(self) -> None:
        line = line_of(CLIENT, BY_KEY)
        for word in ("FIRECREST_CLIENT_SECRET", "FIRECREST_API_KEY", "'auth'", "FIRECREST_AUTH", "api_key"):
            assert word in line
        assert "'token_command' and 'api_key_env'" in line_of(
            CLIENT, system={"token_command": "get", "api_key_env": "KEY"}
        )

    def test_an_unknown_way_is_reported_with_the_known_ones(self) -> None:
        for line in (
            line_of(CLIENT, {"FIRECREST_AUTH": "kerberos"}),
            line_of(CLIENT, system={"auth": ["api_key"]}),
        ):
            assert line.startswith("'auth' (")
            assert "client_secret_post, client_secret_basic, token_command, api_key" in line

    @pytest.mark.parametrize("environment", [COMMAND, BY_KEY])
    def test_what_another_way_needs_is_not_asked_for(self, environment: Mapping[str, str]) -> None:
        credentials = read(environment).credentials
        assert not hasattr(credentials, "token_url")

    def test_a_secret_that_is_not_needed_is_not_read(self, tmp_path: Path) -> None:
        unreadable = {"client_secret_file": str(tmp_path / "nowhere")}
        settings = read(partition={"token_command": ["get"]}, system=unreadable)
        assert settings.credentials == TokenCommand(token_command=("get",))


class TestTokenCommand:
    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ("get-token --for 'my cluster'", ("get-token", "--for", "my cluster")),
            ("sh -c 'get | cut -f 1'", ("sh", "-c", "get | cut -f 1")),
            (["get", "a|b", ""], ("get", "a|b", "")),
        ],
    )
    def test_it_is_a_list_of_words_or_a_text(self, given: object, words: tuple[str, ...]) -> None:
        credentials = read(partition={"token_command": given}).credentials
        assert credentials == TokenCommand(token_command=words)

    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            ("get 'it", "No closing quotation"),
            ("get | cut -f 1", "needs a shell because of '|'"),
            ("~/get", "needs a shell because of '~'"),
            ("$HOME/get", "needs a shell because of '$'"),
            ("   ", "is empty"),
            ([], "is empty"),
            (["get", "a\0b"], "null characters"),
            (["get", 7], "valid string"),
            ({"get": 1}, "valid"),
        ],
    )
    def test_what_is_no_command_is_reported(self, given: object, reason: str) -> None:
        line = line_of(partition={"token_command": given})
        assert line.startswith("'token_command' (partition 'gpu') is wrong: ")
        assert reason in line

    def test_a_chosen_command_that_is_missing_is_reported_with_the_remedy(self) -> None:
        line = line_of(CLIENT, {"FIRECREST_AUTH": "token_command"})
        assert "'token_command' is missing" in line
        assert "export FIRECREST_TOKEN_COMMAND=" in line


class TestApiKey:
    def test_it_comes_from_the_environment_or_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "key"
        file.write_text(f"{KEY}\n")
        for settings in (
            read(BY_KEY),
            read({"FIRECREST_API_KEY_FILE": str(file)}),
            read(system={"api_key_file": str(file)}),
            read({"MY_KEY": KEY}, system={"api_key_env": "MY_KEY"}),
        ):
            assert isinstance(settings.credentials, ApiKey)
            assert settings.credentials.api_key.get_secret_value() == KEY
            assert settings.credentials.api_key_header == "X-API-Key"

    def test_its_header_can_be_chosen(self) -> None:
        credentials = read(BY_KEY, system={"api_key_header": "apikey"}).credentials
        assert isinstance(credentials, ApiKey)
        assert credentials.api_key_header == "apikey"
        assert "'api_key_header'" in line_of(BY_KEY, {"FIRECREST_API_KEY_HEADER": "two words"})

    @pytest.mark.parametrize("key", [f"{KEY}\nX-Other: 1", f"{KEY}é", f"{KEY}\x7f"])
    def test_one_that_no_header_can_carry_is_reported_without_showing_it(self, key: str) -> None:
        assert "the API key is wrong: must be one line" in line_of({"FIRECREST_API_KEY": key})

    def test_a_missing_one_is_reported_with_every_way_to_give_it(self) -> None:
        line = line_of(CLIENT, {"FIRECREST_AUTH": "api_key"})
        for way in ("FIRECREST_API_KEY", "FIRECREST_API_KEY_FILE", "api_key_file", "api_key_env"):
            assert way in line

    def test_one_in_the_configuration_is_refused_without_showing_it(self) -> None:
        line = line_of(system={"api_key": KEY})
        assert "is not allowed in system 'daint'" in line
        assert "FIRECREST_API_KEY" in line


@pytest.mark.parametrize("environment", [CLIENT, COMMAND, BY_KEY])
def test_nothing_secret_is_printed(environment: Mapping[str, str]) -> None:
    settings = read(environment)
    shown = [repr(settings), str(settings), repr(settings.credentials), repr(settings.session_key)]
    for text in (*shown, str(settings.model_dump()), settings.model_dump_json()):
        assert SECRET not in text
        assert KEY not in text
    # The command may contain a password.
    assert not any("my cluster" in text for text in shown)


def test_other_credentials_make_other_sessions() -> None:
    keys = {
        read(environment).session_key
        for environment in (
            CLIENT,
            {**CLIENT, "FIRECREST_AUTH": "client_secret_basic"},
            {**CLIENT, "FIRECREST_CLIENT_SECRET": "other"},
            COMMAND,
            {"FIRECREST_TOKEN_COMMAND": "other"},
            BY_KEY,
            {"FIRECREST_API_KEY": "other"},
        )
    }
    assert len(keys) == 7
    assert read(BY_KEY).session_key == read(BY_KEY).session_key
