"""Choice of the authentication method: the setting `auth`, or the method of the credentials given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reframe_firecrest.model.errors import SettingsError
from reframe_firecrest.model.suggestion import did_you_mean
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
class AuthSource:
    """Settings for authentication in one source.

    Attributes:
        where: name of the source in messages.
        auth: value of `auth`; None if it is not set.
        given: for each method with credentials in this source, the name of one of them.
    """

    where: str
    auth: object
    given: Mapping[type, str]


def auth_in_configuration(where: str, values: Mapping[str, Any]) -> AuthSource:
    """Return the settings for authentication in a source of the configuration."""
    given = {kind: repr(key) for key, kind in _BY_KEY.items() if values.get(key) is not None}
    return AuthSource(where, values.get("auth"), given)


def auth_in_environment(environment: Mapping[str, str]) -> AuthSource:
    """Return the settings for authentication in the environment."""
    given = {kind: name for name, kind in _BY_VARIABLE.items() if environment.get(name)}
    return AuthSource("environment variable FIRECREST_AUTH", environment.get("FIRECREST_AUTH") or None, given)


def choose_method(sources: Sequence[AuthSource]) -> str:
    """Return the authentication method.

    The most specific source with any of these settings decides. If it only has a client's secret, `auth` of a
    less specific source decides how the secret is sent.

    Args:
        sources: settings for authentication, most specific source first.

    Raises:
        SettingsError: the method is unknown or ambiguous.
    """
    for source in sources:
        if source.auth is not None and (not isinstance(source.auth, str) or source.auth not in METHODS):
            raise SettingsError(
                f"'auth' ({source.where}) is wrong: must be one of "
                f"{', '.join(METHODS)}{did_you_mean(str(source.auth), METHODS)}"
            )
    for number, source in enumerate(sources):
        if source.auth is not None:
            return str(source.auth)
        if len(source.given) > 1:
            raise SettingsError(
                f"{' and '.join(source.given.values())} are set in the same place; choose one with 'auth' or "
                f"FIRECREST_AUTH: {', '.join(METHODS)}"
            )
        for kind in source.given:
            explicit = (str(other.auth) for other in sources[number:] if METHODS.get(str(other.auth)) is kind)
            return next(explicit, next(name for name in METHODS if METHODS[name] is kind))
    return next(iter(METHODS))
