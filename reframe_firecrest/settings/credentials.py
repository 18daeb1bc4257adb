"""Authentication methods and the settings of each."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

_SHELL = {"|", "||", "&&", "&", ";", ">", ">>", "<", "2>&1", "2>"}
"""Words with a meaning in a shell only."""


def no_user_in_url(value: AnyHttpUrl) -> AnyHttpUrl:
    """Refuse a URL with a user name or a password, because messages show URLs."""
    if value.username or value.password:
        raise ValueError("must not contain a user name or a password")
    return value


def _words(value: object) -> object:
    """Split a command into words like a shell, and refuse one that needs a shell."""
    if not isinstance(value, str):
        return value
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"can't be split into words: {error}") from None
    for_a_shell = sorted(_SHELL.intersection(words)) or [word[0] for word in words[:1] if word[:1] in {*"~$"}]
    if for_a_shell:
        raise ValueError(
            f"needs a shell because of {for_a_shell[0]!r}: "
            "write the command as sh -c '...', or put it into a script"
        )
    return words


def _startable(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words or not words[0].strip():
        raise ValueError("is empty")
    if any("\0" in word for word in words):
        raise ValueError("must not contain null characters")
    return words


def _header_value(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value.get_secret_value()):
        # The HTTP library's error about an invalid header value would contain the key.
        raise ValueError("must be one line of printable ASCII characters")
    return value


class _Credentials(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ClientSecret(_Credentials):
    """A token for a client's id and secret (grant type client credentials, RFC 6749 section 4.4).

    Attributes:
        auth: how id and secret are sent, in the body or by HTTP basic authentication (RFC 6749 section
            2.3.1).
        token_url: address of the identity provider's token endpoint.
        client_id: id of your client.
        client_secret: secret of the client; never printed.
    """

    auth: Literal["client_secret_post", "client_secret_basic"] = "client_secret_post"
    token_url: Annotated[AnyHttpUrl, AfterValidator(no_user_in_url)]
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr


class TokenCommand(_Credentials):
    """A token that a command prints.

    Attributes:
        auth: name of the method.
        token_command: the command, as a list of words or a text to be split into words. Never printed, as it
            may contain a password.
    """

    auth: Literal["token_command"] = "token_command"
    token_command: Annotated[
        tuple[str, ...], BeforeValidator(_words), AfterValidator(_startable), Field(repr=False)
    ]


class ApiKey(_Credentials):
    """A fixed key that is sent with each request and does not expire.

    Attributes:
        auth: name of the method.
        api_key: the key; never printed.
        api_key_header: name of the header; the default is pyfirecrest's.
    """

    auth: Literal["api_key"] = "api_key"
    api_key: Annotated[SecretStr, AfterValidator(_header_value)]
    api_key_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")] = "X-API-Key"


Credentials = Annotated[ClientSecret | TokenCommand | ApiKey, Field(discriminator="auth")]

METHODS: Mapping[str, type[_Credentials]] = {
    "client_secret_post": ClientSecret,
    "client_secret_basic": ClientSecret,
    "token_command": TokenCommand,
    "api_key": ApiKey,
}
"""Values of `auth`, with the settings of each."""

KEYS = frozenset(key for kind in METHODS.values() for key in kind.model_fields)


def gather(values: Mapping[str, Any]) -> dict[str, Any]:
    """Move the keys of the credentials to an object of their own.

    Keys that the chosen method does not use are dropped.
    """
    method = values.get("auth", "client_secret_post")
    used: Sequence[str] = [*METHODS[method].model_fields] if method in METHODS else ["auth"]
    mine = {"auth": method, **{key: values[key] for key in used if key in values}}
    return {**{key: value for key, value in values.items() if key not in KEYS}, "credentials": mine}
