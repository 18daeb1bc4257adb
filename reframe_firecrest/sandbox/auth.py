"""Tokens: issued for client credentials, signed, short-lived, checked at every request.

The rules are the real gateway's: a token with less than 30 s left is refused
(`min_token_ttl`), and the three refusals differ in their message only.
"""

import base64
import binascii
import secrets
import time
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote

import jwt
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from reframe_firecrest.sandbox.errors import GatewayError

TOKEN_PATH = "/auth/realms/sandbox/protocol/openid-connect/token"  # noqa: S105  a path
MIN_TOKEN_TTL = 30
_ALGORITHM = "HS256"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class TokenAuthority:
    """Issues tokens to one client and recognises them; the key lives as long as this object."""

    client_id: str
    client_secret: str
    username: str
    lifetime: int
    key: bytes

    @classmethod
    def fresh(cls, *, client_id: str, client_secret: str, username: str, lifetime: int) -> "TokenAuthority":
        """Return an authority with a new random key."""
        return cls(client_id, client_secret, username, lifetime, secrets.token_bytes(32))

    def knows(self, client_id: str, client_secret: str) -> bool:
        """Tell whether these are the client's credentials."""
        return secrets.compare_digest(client_id.encode(), self.client_id.encode()) and secrets.compare_digest(
            client_secret.encode(), self.client_secret.encode()
        )

    def issue(self) -> str:
        """Return a new token."""
        now = int(time.time())
        claims = {
            "iss": "reframe-firecrest sandbox",
            "iat": now,
            "exp": now + self.lifetime,
            "azp": self.client_id,
            "preferred_username": self.username,
        }
        return jwt.encode(claims, self.key, algorithm=_ALGORITHM)

    def user_of(self, token: str) -> str:
        """Return the user that a token stands for.

        Raises:
            GatewayError: 401; it is none of ours, has expired, or is about to.
        """
        try:
            claims = jwt.decode(token, self.key, algorithms=[_ALGORITHM], options={"require": ["exp"]})
        except jwt.ExpiredSignatureError:
            raise GatewayError(401, "Access token expired") from None
        except jwt.InvalidTokenError:
            raise GatewayError(401, "Access token is invalid.") from None
        if claims["exp"] - time.time() < MIN_TOKEN_TTL:
            raise GatewayError(
                401,
                f"Access token expires too soon (less than {MIN_TOKEN_TTL}s remaining).",
            )
        return str(claims["preferred_username"])


async def authenticated(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> None:
    """Let only requests with a valid token pass, and note whose they are."""
    if credentials is None:
        raise GatewayError(401, "Not authenticated", headers={"WWW-Authenticate": "Bearer"})
    authority: TokenAuthority = request.app.state.gateway.authority
    request.state.user = authority.user_of(credentials.credentials)


@router.post(TOKEN_PATH)
async def issue_token(request: Request) -> JSONResponse:
    """Answer the client credentials grant, sent in the body or by basic authentication."""
    form = parse_qs((await request.body()).decode(errors="replace"))
    if form.get("grant_type") != ["client_credentials"]:
        return _refuse(400, "unsupported_grant_type", "Only client_credentials is supported")
    credentials = _basic_credentials(request.headers.get("Authorization", "")) or (
        form.get("client_id", [""])[0],
        form.get("client_secret", [""])[0],
    )
    authority: TokenAuthority = request.app.state.gateway.authority
    if not authority.knows(*credentials):
        return _refuse(401, "unauthorized_client", "Invalid client or Invalid client credentials")
    return _no_store(
        200,
        {
            "access_token": authority.issue(),
            "expires_in": authority.lifetime,
            "refresh_expires_in": 0,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "scope": "profile email",
        },
    )


def _basic_credentials(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote(name), unquote(secret)


def _refuse(status: int, error: str, description: str) -> JSONResponse:
    return _no_store(status, {"error": error, "error_description": description})


def _no_store(status: int, content: dict[str, Any]) -> JSONResponse:
    return JSONResponse(content, status, headers={"Cache-Control": "no-store"})
