"""Authorization of requests: an API key, or a token that all requests share and that is renewed in time.

FirecREST refuses tokens that have less than 30 s left ("expires too soon"), and identity providers
commonly issue them for 300 s, so most runs need a renewal.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Protocol

import httpx

from reframe_firecrest.gateway.auth.identity_provider import IdentityProvider
from reframe_firecrest.gateway.auth.token_command import CommandSource
from reframe_firecrest.gateway.auth.tokens import Grant
from reframe_firecrest.settings.credentials import ApiKey, ClientSecret, Credentials

RENEW_BEFORE = 60.0
"""Seconds of validity below which a token is renewed: the server's 30 s and time for slow requests."""
SHORT_RENEW_BEFORE = 35.0
"""The same for tokens whose lifetime is short."""
LEAST_USE = 5.0
"""Seconds for which any token is used, so that not every request fetches one."""
STALE_PATIENCE = 60.0
"""Seconds for which a source may repeat a token that the gateway refuses. A source that caches tokens until
they expire does so for the last 30 s of each."""


class Authorization:
    """Authorization of requests; the base class has nothing to renew.

    Attributes:
        remedy: advice to the user if the gateway refuses it.
        renewable: it can be renewed after a refusal.
        lifetime: seconds of validity when it was fetched; None if it does not expire.
    """

    remedy: str
    renewable = False
    lifetime: float | None = None

    async def auth_headers(self) -> dict[str, str]:
        """Return the header that authorizes a request; pyfirecrest calls this for each request.

        Raises:
            AuthError: the credentials are refused.
            TransientError: no token can be had at present.
        """
        raise NotImplementedError

    async def notice(self, response: httpx.Response) -> None:
        """Note from an answer whether the authorization is still valid."""

    def is_stale(self) -> bool:
        """Report whether the source has repeated the refused token, and not for long yet."""
        return False

    async def close(self) -> None:
        """Stop fetching."""


def authorization(credentials: Credentials, client: httpx.AsyncClient) -> Authorization:
    """Return the authorization for these credentials.

    Args:
        credentials: of the user.
        client: sends requests to an identity provider.
    """
    if isinstance(credentials, ApiKey):
        return FixedKey(credentials)
    if isinstance(credentials, ClientSecret):
        return TokenSource(IdentityProvider(credentials, client))
    return TokenSource(CommandSource(credentials))


class FixedKey(Authorization):
    """An API key, which never expires."""

    remedy = "check the API key (FIRECREST_API_KEY) and its permissions"

    def __init__(self, credentials: ApiKey) -> None:
        self._credentials = credentials

    async def auth_headers(self) -> dict[str, str]:
        """Return the header with the key."""
        return {self._credentials.api_key_header: self._credentials.api_key.get_secret_value()}


class Provider(Protocol):
    """Source of tokens.

    Attributes:
        remedy: advice to the user if the gateway refuses its tokens.
    """

    remedy: str

    async def fetch(self) -> Grant:
        """Get a token.

        Raises:
            AuthError: the credentials are refused.
            ProtocolError: the answer is not a token.
            TransientError: no token can be had at present.
        """


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    fetched_at: float
    renew_at: float

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.value}"}


@dataclass(frozen=True)
class _Refusal:
    """A token that was refused.

    Attributes:
        since: time of the refusal, by the monotonic clock.
        repeated: the provider has returned it again.
    """

    value: str = field(repr=False)
    since: float
    repeated: bool = False


class TokenSource(Authorization):
    """Tokens of a provider; all requests share one."""

    renewable = True

    def __init__(self, provider: Provider) -> None:
        self.remedy = provider.remedy
        self._provider = provider
        self._token: _Token | None = None
        self._refusal: _Refusal | None = None
        self._fetching: asyncio.Task[_Token] | None = None

    async def auth_headers(self) -> dict[str, str]:
        """Return the header with a token that is still valid for a while; see the base class."""
        token = self._token
        if token is None or time.monotonic() >= token.renew_at:
            if self._fetching is None:
                self._fetching = asyncio.create_task(self._fetch())
                self._fetching.add_done_callback(self._fetched)
            # All requests share the task: a cancelled request must not cancel it for the others.
            token = await asyncio.shield(self._fetching)
        return token.headers

    async def _fetch(self) -> _Token:
        # The lifetime begins when the token is issued, which is before the answer arrives.
        asked_at = time.monotonic()
        grant = await self._provider.fetch()
        margin = RENEW_BEFORE if grant.lifetime >= 2 * RENEW_BEFORE else SHORT_RENEW_BEFORE
        use = max(grant.lifetime - margin, LEAST_USE)
        if self._refusal is not None and self._refusal.value == grant.value:
            use = LEAST_USE
            self._refusal = replace(self._refusal, repeated=True)
        self._token = _Token(grant.value, asked_at, asked_at + use)
        self.lifetime = grant.lifetime
        return self._token

    def _fetched(self, task: asyncio.Task[_Token]) -> None:
        self._fetching = None
        if not task.cancelled():
            # Mark the error as retrieved, in case no request waits for it any more.
            task.exception()

    async def notice(self, response: httpx.Response) -> None:
        """Drop the current token if the gateway refuses it.

        Of many requests that are refused with one token, only the first causes a renewal.
        """
        token = self._token
        if token is None or response.request.headers.get("Authorization") != token.headers["Authorization"]:
            return
        if response.status_code != 401:
            self._refusal = None
        elif self._refusal is None:
            self._refusal = _Refusal(token.value, time.monotonic())
            self._token = None
        elif self._refusal.value != token.value:
            # A renewed token is refused as well; not every request may fetch another.
            self._refusal = _Refusal(token.value, time.monotonic())
            self._token = replace(token, renew_at=min(token.renew_at, token.fetched_at + LEAST_USE))

    def is_stale(self) -> bool:
        """Report whether the provider has repeated the refused token, and not for long yet."""
        refusal, token = self._refusal, self._token
        if refusal is None or token is None or refusal.value != token.value or not refusal.repeated:
            return False
        return time.monotonic() - refusal.since < STALE_PATIENCE

    async def close(self) -> None:
        """Stop fetching."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
