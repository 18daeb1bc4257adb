"""Choice of the authentication method: the setting `auth`, or the method of the credentials given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reframe_firecrest.model.errors import SettingsError
from reframe_firecrest.settings.credentials import METHODS, ApiKey, ClientSecret, TokenCommand
from reframe_firecrest.settings.secrets import API_KEY, CLIENT_SECRET

_BY_KEY: Mapping[str, type] = {
    CLIENT_SECRET.by_env: ClientSecret,
    CLIENT_SECRET.by_file: ClientSecret,
    "token_command": TokenCommand,
    API_KEY.by_env: ApiKey,
    API_KEY.by_file: ApiKey,
}
"""Method that a key implies if `auth` is not set."""

_BY_VARIABLE: Mapping[str, type] = {
    CLIENT_SECRET.variable: ClientSecret,
    "FIRECREST_CLIENT_SECRET_FILE": ClientSecret,
    "FIRECREST_TOKEN_COMMAND": TokenCommand,
    API_KEY.variable: ApiKey,
    "FIRECREST_API_KEY_FILE": ApiKey,
}


@dataclass(frozen=True)
class Said:
    """Settings for authentication in one source.

    Attributes:
        where: name of the source in messages.
        auth: value of `auth`; None if it is not set.
        given: for each method with credentials in this source, the name of one of them.
    """

    where: str
    auth: object
    given: Mapping[type, str]


def said_by_configuration(where: str, values: Mapping[str, Any]) -> Said:
    """Return the settings for authentication in a source of the configuration."""
    found = {kind: repr(key) for key, kind in _BY_KEY.items() if values.get(key) is not None}
    return Said(where, values.get("auth"), found)


def said_by_environment(environment: Mapping[str, str]) -> Said:
    """Return the settings for authentication in the environment."""
    found = {kind: name for name, kind in _BY_VARIABLE.items() if environment.get(name)}
    return Said("environment variable FIRECREST_AUTH", environment.get("FIRECREST_AUTH") or None, found)


def choose(said: Sequence[Said]) -> str:
    """Return the authentication method.

    The most specific source with any of these settings decides. If it only has a client's secret, `auth` of a
    less specific source decides how the secret is sent.

    Args:
        said: settings for authentication, most specific source first.

    Raises:
        SettingsError: the method is unknown or ambiguous.
    """
    for one in said:
        if one.auth is not None and (not isinstance(one.auth, str) or one.auth not in METHODS):
            raise SettingsError(f"'auth' ({one.where}) is wrong: must be one of {', '.join(METHODS)}")
    for number, one in enumerate(said):
        if one.auth is not None:
            return str(one.auth)
        if len(one.given) > 1:
            raise SettingsError(
                f"{' and '.join(one.given.values())} are given in the same place; say with 'auth' or "
                f"FIRECREST_AUTH which is meant: {', '.join(METHODS)}"
            )
        for kind in one.given:
            fitting = (str(other.auth) for other in said[number:] if METHODS.get(str(other.auth)) is kind)
            return next(fitting, next(name for name in METHODS if METHODS[name] is kind))
    return next(iter(METHODS))
