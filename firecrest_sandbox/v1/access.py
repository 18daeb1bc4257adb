"""Who asks, about which system, and with what: the checks that all v1 services make in the same order.

The services verify tokens themselves; unlike v2 they accept one until its last second.
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
    """Let only requests with a valid token or the API key pass, and note whose they are."""
    request.state.user = user_of(request, server_of(request).authority)


def user_of(request: Request, authority: TokenAuthority) -> str:
    """Return the user whose token or API key a request bears.

    Raises:
        RefusedError: 401; it has neither, or one that is not valid.
    """
    api_key = request.headers.get(API_KEY_HEADER)
    if api_key is not None:
        try:
            return authority.user_of_key(api_key)
        except GatewayError as refused:
            raise RefusedError(401, {"description": refused.message}) from None
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
    """Checks that a request names the one system there is, and gives the gateway to its route.

    Each service words its refusals in its own way.
    """

    unnamed: Mapping[str, str]
    """The body where the header is missing."""
    description: str
    """Of the body where it names another system."""
    error: str = "Machine does not exists"
    header: str = "X-Machine-Does-Not-Exists"

    def check(self, request: Request) -> ServerState:
        """Return the gateway, or refuse the request."""
        server = server_of(request)
        name = request.headers.get(MACHINE_HEADER)
        if name is None:
            raise RefusedError(400, self.unnamed)
        if name != server.config.system:
            raise RefusedError.because(self.description, self.error, {self.header: self.error})
        return server


NO_MACHINE = {"description": "No machine name given"}


def task_fault_of(request: Request) -> FaultKind | None:
    """Return the kind of fault that is to befall this request's task, if any."""
    kind: FaultKind | None = getattr(request.state, "task_fault", None)
    return kind


@dataclass(frozen=True)
class Inputs:
    """What a request asks for: fields of its query, or of its form-encoded or multipart body."""

    values: Mapping[str, str]
    files: Mapping[str, UploadFile]

    def __contains__(self, name: str) -> bool:
        """Tell whether a field is there, even if it is empty."""
        return name in self.values

    def text(self, name: str, description: str) -> str:
        """Return a field that has to be there.

        v1 hands texts to shells, and refuses the characters that these would read.
        """
        return checked(self.values.get(name), f"'{name}'", description)

    def optional(self, name: str, description: str) -> str | None:
        """Return a field that may be missing."""
        return self.text(name, description) if name in self.values else None

    def flag(self, name: str) -> bool:
        """Tell whether a field is one of v1's words for true."""
        return self.values.get(name, "").upper() in _TRUE


def checked(value: str | None, name: str, description: str) -> str:
    """Return a text that v1 accepts: one that is not empty and has none of the forbidden characters."""
    problem = problem_with(value)
    if value is None or problem:
        raise RefusedError.because(description, f"{name} {problem}")
    return value


def problem_with(value: str | None) -> str:
    """Return what v1 objects to in a text, or nothing."""
    if value is None:
        return "not specified"
    if not value:
        return "is empty"
    return "has invalid char" if _FORBIDDEN.search(value) else ""


@asynccontextmanager
async def inputs_of(request: Request) -> AsyncIterator[Inputs]:
    """Read a request's fields; its files can be read while the context lasts."""
    if request.method == "GET":
        yield Inputs(dict(request.query_params), {})
        return
    async with request.form() as form:
        files = {name: value for name, value in form.items() if isinstance(value, UploadFile)}
        yield Inputs({name: value for name, value in form.items() if isinstance(value, str)}, files)
