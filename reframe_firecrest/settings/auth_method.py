"""Which way to authenticate: what `auth` says, or what there is to authenticate by."""

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
"""What is meant by somebody who gives one of these keys and doesn't say more."""

_BY_VARIABLE: Mapping[str, type] = {
    CLIENT_SECRET.variable: ClientSecret,
    "FIRECREST_CLIENT_SECRET_FILE": ClientSecret,
    "FIRECREST_TOKEN_COMMAND": TokenCommand,
    API_KEY.variable: ApiKey,
    "FIRECREST_API_KEY_FILE": ApiKey,
}


@dataclass(frozen=True)
class Said:
    """What one place says about authentication.

    Attributes:
        where: how a message calls the place.
        auth: what `auth` is there, None if it isn't.
        given: what there is to authenticate by: for each way, the name of one thing.
    """

    where: str
    auth: object
    given: Mapping[type, str]


def said_by_configuration(where: str, values: Mapping[str, Any]) -> Said:
    """Read what a place of the configuration says."""
    found = {kind: repr(key) for key, kind in _BY_KEY.items() if values.get(key) is not None}
    return Said(where, values.get("auth"), found)


def said_by_environment(environment: Mapping[str, str]) -> Said:
    """Read what the environment says."""
    found = {kind: name for name, kind in _BY_VARIABLE.items() if environment.get(name)}
    return Said("environment variable FIRECREST_AUTH", environment.get("FIRECREST_AUTH") or None, found)


def choose(said: Sequence[Said]) -> str:
    """Return the way to authenticate.

    The most specific place that says anything decides. Where it gives a client's secret only, the next one
    may still say how that is sent.

    Args:
        said: what the places say, most specific first.

    Raises:
        SettingsError: there is no such way, or it is not clear which one is meant.
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
