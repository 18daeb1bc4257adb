"""Who we are for the gateway: each way to authenticate, with the settings that it needs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

_SHELL = {"|", "||", "&&", "&", ";", ">", ">>", "<", "2>&1", "2>"}
"""Words that mean something to a shell only."""


def no_user_in_url(value: AnyHttpUrl) -> AnyHttpUrl:
    """Refuse a URL that holds a password: URLs are shown in messages."""
    if value.username or value.password:
        raise ValueError("must hold neither user name nor password")
    return value


def _words(value: object) -> object:
    """Split a command that is given as one text, as a shell would, but without its other meanings."""
    if not isinstance(value, str):
        return value
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"can't be split into words: {error}") from None
    for_a_shell = sorted(_SHELL.intersection(words)) or [word[0] for word in words[:1] if word[:1] in {*"~$"}]
    if for_a_shell:
        raise ValueError(
            f"is run without a shell, to which {for_a_shell[0]!r} would mean something: "
            "write the command as sh -c '...', or put it into a script"
        )
    return words


def _startable(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words or not words[0].strip():
        raise ValueError("names no command")
    if any("\0" in word for word in words):
        raise ValueError("must not contain null characters")
    return words


def _header_value(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value.get_secret_value()):
        # What HTTP can't carry would be told by the HTTP library, with the key.
        raise ValueError("must be one line of printable ASCII characters")
    return value


class _Credentials(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ClientSecret(_Credentials):
    """A token, got for a client's name and secret: the grant of client credentials, RFC 6749 section 4.4.

    Attributes:
        auth: how the two are sent: in the body or by HTTP's basic authentication, RFC 6749 section 2.3.1.
        token_url: address that gives out tokens, the identity provider's token endpoint.
        client_id: name of your client there.
        client_secret: its secret; never printed.
    """

    auth: Literal["client_secret_post", "client_secret_basic"] = "client_secret_post"
    token_url: Annotated[AnyHttpUrl, AfterValidator(no_user_in_url)]
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr


class TokenCommand(_Credentials):
    """A token that a command prints.

    Attributes:
        auth: the method's name.
        token_command: the command: a list of words, or a text that is split into words. Not printed, as
            somebody may have put a password into it.
    """

    auth: Literal["token_command"] = "token_command"
    token_command: Annotated[
        tuple[str, ...], BeforeValidator(_words), AfterValidator(_startable), Field(repr=False)
    ]


class ApiKey(_Credentials):
    """A fixed key that goes with every request and never expires.

    Attributes:
        auth: the method's name.
        api_key: never printed.
        api_key_header: name of the header; the default is that of pyfirecrest.
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
"""What `auth` may be, and what it then takes."""

KEYS = frozenset(key for kind in METHODS.values() for key in kind.model_fields)


def gather(values: Mapping[str, Any]) -> dict[str, Any]:
    """Take the credentials' keys out of a partition's, among which they stand, into an object of their own.

    Keys that the chosen method has no use for are left out.
    """
    method = values.get("auth", "client_secret_post")
    wanted: Sequence[str] = [*METHODS[method].model_fields] if method in METHODS else ["auth"]
    mine = {"auth": method, **{key: values[key] for key in wanted if key in values}}
    return {**{key: value for key, value in values.items() if key not in KEYS}, "credentials": mine}
