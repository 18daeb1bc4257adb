"""Access tokens and the API key: how they are issued and checked.

The rules for tokens are those of the real gateway: a token that expires within 30 s is refused
(`min_token_ttl`), and the three refusals differ only in their message. FirecREST itself has no API keys;
sites check them in a proxy. `X-API-Key` is pyfirecrest's default header.
"""

import base64
import binascii
import secrets
import time
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote_plus

import jwt
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from firecrest_sandbox.errors import GatewayError

TOKEN_PATH = "/auth/realms/sandbox/protocol/openid-connect/token"  # noqa: S105  a path
API_KEY_HEADER = "X-API-Key"
MIN_TOKEN_TTL = 30
_ALGORITHM = "HS256"
_MAX_TOKEN_REQUEST = 16_384

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class TokenAuthority:
    """Issue tokens to one client and check them, with a key of this object."""

    client_id: str
    client_secret: str = field(repr=False)
    api_key: str = field(repr=False)
    username: str
    lifetime: int
    key: bytes = field(repr=False)

    @classmethod
    def fresh(
        cls, *, client_id: str, client_secret: str, api_key: str, username: str, lifetime: int
    ) -> "TokenAuthority":
        """Return an authority with a new random key."""
        return cls(client_id, client_secret, api_key, username, lifetime, secrets.token_bytes(32))

    def knows(self, client_id: str, client_secret: str) -> bool:
        """Return whether these are the client's credentials."""
        return _equal(client_id, self.client_id) and _equal(client_secret, self.client_secret)

    def user_of_key(self, api_key: str) -> str:
        """Return the user of an API key.

        Raises:
            GatewayError: 401; the key is wrong.
        """
        if not _equal(api_key, self.api_key):
            raise GatewayError(401, "API key is invalid.")
        return self.username

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

    def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token.

        Raises:
            jwt.InvalidTokenError: the signature is wrong, or the token has expired.
        """
        return jwt.decode(token, self.key, algorithms=[_ALGORITHM], options={"require": ["exp"]})

    def user_of(self, token: str) -> str:
        """Return the user of a token.

        Raises:
            GatewayError: 401; the token is invalid, has expired, or expires within 30 s.
        """
        try:
            claims = self.claims(token)
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


def _equal(given: str, expected: str) -> bool:
    return secrets.compare_digest(given.encode(), expected.encode())


def user_of(request: Request, authority: TokenAuthority) -> str:
    """Return the user of a request's token or API key.

    Raises:
        GatewayError: 401; the request has neither, or an invalid one.
    """
    api_key = request.headers.get(API_KEY_HEADER)
    if api_key is not None:
        return authority.user_of_key(api_key)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise GatewayError(401, "Not authenticated", headers={"WWW-Authenticate": "Bearer"})
    return authority.user_of(token.strip())


async def authenticated(
    request: Request,
    _credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> None:
    """Refuse requests without valid credentials, and store the user in the request's state.

    The guard has checked the credentials already. This dependency adds them to the schema and checks them
    again.
    """
    authority: TokenAuthority = request.app.state.server.authority
    request.state.user = user_of(request, authority)


@router.post(TOKEN_PATH)
async def issue_token(request: Request) -> JSONResponse:
    """Answer the client credentials grant, sent in the body or by basic authentication."""
    body = await _small_body(request)
    if body is None:
        return _refuse(413, "invalid_request", "The request is too large")
    form = parse_qs(body.decode(errors="replace"))
    if form.get("grant_type") != ["client_credentials"]:
        return _refuse(400, "unsupported_grant_type", "Only client_credentials is supported")
    credentials = _basic_credentials(request.headers.get("Authorization", "")) or (
        form.get("client_id", [""])[0],
        form.get("client_secret", [""])[0],
    )
    authority: TokenAuthority = request.app.state.server.authority
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


async def _small_body(request: Request) -> bytes | None:
    """Return a request's body, or None if it is too large. The client is not authenticated yet."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_TOKEN_REQUEST:
            return None
    return bytes(body)


def _basic_credentials(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _refuse(status: int, error: str, description: str) -> JSONResponse:
    return _no_store(status, {"error": error, "error_description": description})


def _no_store(status: int, content: dict[str, Any]) -> JSONResponse:
    return JSONResponse(content, status, headers={"Cache-Control": "no-store"})
