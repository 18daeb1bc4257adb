"""Checks of credentials, system name and parameters, which all v1 services perform in this order.

The services verify tokens themselves. Unlike v2, they accept a token until it expires.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jwt
from fastapi import Request
from starlette.datastructures import UploadFile

from firecrest_sandbox.auth import API_KEY_HEADER
from firecrest_sandbox.errors import GatewayError
from firecrest_sandbox.fault_injection.faults import FaultKind
from firecrest_sandbox.state import ServerState, server_of
from firecrest_sandbox.v1.errors import RefusedError

if TYPE_CHECKING:
    from firecrest_sandbox.auth import TokenAuthority

MACHINE_HEADER = "X-Machine-Name"
_FORBIDDEN = re.compile(r"[<>|;\"'&\\()\x00-\x1f`]")
_TRUE = ("TRUE", "YES", "1")


async def authenticated(request: Request) -> None:
    """Refuse requests without valid credentials, and store the user in the request's state."""
    request.state.user = user_of(request, server_of(request).authority)


def user_of(request: Request, authority: TokenAuthority) -> str:
    """Return the user of a request's token or API key.

    Raises:
        RefusedError: 401; the request has neither, or an invalid one.
    """
    api_key = request.headers.get(API_KEY_HEADER)
    if api_key is not None:
        try:
            return authority.user_of_key(api_key)
        except GatewayError as error:
            raise RefusedError(401, {"description": error.message}) from None
    header = request.headers.get("Authorization")
    if header is None:
        raise RefusedError(401, {"description": "No Auth Header given"})
    try:
        claims = authority.claims(header.replace("Bearer ", ""))
    except jwt.ExpiredSignatureError:
        raise RefusedError(401, {"description": "JWT token has expired"}) from None
    except jwt.InvalidSignatureError:
        raise RefusedError(401, {"description": "JWT token has invalid signature"}) from None
    except jwt.InvalidTokenError:
        raise RefusedError(401, {"description": "Bad header or JWT, general exception raised"}) from None
    return str(claims["preferred_username"])


@dataclass(frozen=True)
class Machine:
    """Check of the header `X-Machine-Name`.

    Each service has its own texts for refusals.
    """

    unnamed: Mapping[str, str]
    """Body of the refusal if the header is missing."""
    description: str
    """Description in the refusal of another system."""
    error: str = "Machine does not exists"
    header: str = "X-Machine-Does-Not-Exists"

    def check(self, request: Request) -> ServerState:
        """Return the server's state, or refuse the request."""
        server = server_of(request)
        name = request.headers.get(MACHINE_HEADER)
        if name is None:
            raise RefusedError(400, self.unnamed)
        if name != server.config.system:
            raise RefusedError.because(self.description, self.error, {self.header: self.error})
        return server


NO_MACHINE = {"description": "No machine name given"}


def task_fault_of(request: Request) -> FaultKind | None:
    """Return the fault that applies to this request's task, if any."""
    kind: FaultKind | None = getattr(request.state, "task_fault", None)
    return kind


@dataclass(frozen=True)
class Inputs:
    """Parameters of a request: fields of its query, or of its form-encoded or multipart body."""

    values: Mapping[str, str]
    files: Mapping[str, UploadFile]

    def __contains__(self, name: str) -> bool:
        """Return whether a field is present, even if it is empty."""
        return name in self.values

    def text(self, name: str, description: str) -> str:
        """Return a required field.

        v1 passes texts to shells, and refuses characters with a meaning there.
        """
        return checked(self.values.get(name), f"'{name}'", description)

    def optional(self, name: str, description: str) -> str | None:
        """Return an optional field."""
        return self.text(name, description) if name in self.values else None

    def flag(self, name: str) -> bool:
        """Return whether a field is one of v1's words for true."""
        return self.values.get(name, "").upper() in _TRUE


def checked(value: str | None, name: str, description: str) -> str:
    """Return a text after checking that it is not empty and has no forbidden characters."""
    problem = problem_with(value)
    if value is None or problem:
        raise RefusedError.because(description, f"{name} {problem}")
    return value


def problem_with(value: str | None) -> str:
    """Return v1's objection to a text, or an empty string."""
    if value is None:
        return "not specified"
    if not value:
        return "is empty"
    return "has invalid char" if _FORBIDDEN.search(value) else ""


@asynccontextmanager
async def inputs_of(request: Request) -> AsyncIterator[Inputs]:
    """Read a request's parameters; its files can be read while the context is open."""
    if request.method == "GET":
        yield Inputs(dict(request.query_params), {})
        return
    async with request.form() as form:
        files = {name: value for name, value in form.items() if isinstance(value, UploadFile)}
        yield Inputs({name: value for name, value in form.items() if isinstance(value, str)}, files)
