"""What authenticates a request: a key, or tokens that are fetched once for all and renewed in time.

FirecREST refuses tokens that have less than 30 s left ("expires too soon"), and identity providers
commonly issue them for 300 s, so a run of any length meets renewal.
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
"""The same where tokens live so briefly that the wider margin would use most of them up."""
LEAST_USE = 5.0
"""Seconds for which a token is used in any case, so that none is asked for with every request."""
STALE_PATIENCE = 60.0
"""Seconds for which a source may go on giving a token that the gateway refuses. One that keeps tokens until
they have expired does so for the last 30 s of each."""


class Authorization:
    """What authenticates a request. This one has nothing to renew and nothing to learn.

    Attributes:
        remedy: what a user can check when the gateway refuses it.
        renewable: whether it may be another one after it was refused.
        lifetime: seconds for which it was good when it was got; None if it does not expire.
    """

    remedy: str
    renewable = False
    lifetime: float | None = None

    async def auth_headers(self) -> dict[str, str]:
        """Return the header that authenticates a request; pyfirecrest calls this for each.

        Raises:
            AuthError: there is nothing that could authenticate it.
            TransientError: not for now.
        """
        raise NotImplementedError

    async def notice(self, response: httpx.Response) -> None:
        """Learn from an answer whether what authenticated the request is still good."""

    def is_stale(self) -> bool:
        """Tell whether what was refused is still all that there is, but not for long."""
        return False

    async def close(self) -> None:
        """Stop what is under way."""


def authorization(credentials: Credentials, client: httpx.AsyncClient) -> Authorization:
    """Return what authenticates requests by these credentials.

    Args:
        credentials: who we are.
        client: what carries requests to an identity provider.
    """
    if isinstance(credentials, ApiKey):
        return FixedKey(credentials)
    if isinstance(credentials, ClientSecret):
        return TokenSource(IdentityProvider(credentials, client))
    return TokenSource(CommandSource(credentials))


class FixedKey(Authorization):
    """An API key, which is sent as it is and never expires."""

    remedy = "check the API key (FIRECREST_API_KEY) and what it may do there"

    def __init__(self, credentials: ApiKey) -> None:
        self._credentials = credentials

    async def auth_headers(self) -> dict[str, str]:
        """Return the header with the key."""
        return {self._credentials.api_key_header: self._credentials.api_key.get_secret_value()}


class Provider(Protocol):
    """Where tokens come from.

    Attributes:
        remedy: what a user can check when the gateway refuses its tokens.
    """

    remedy: str

    async def fetch(self) -> Grant:
        """Get a token.

        Raises:
            AuthError: not for these credentials.
            ProtocolError: what was got is no token.
            TransientError: not for now.
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
        since: when.
        repeated: the provider has given it again.
    """

    value: str = field(repr=False)
    since: float
    repeated: bool = False


class TokenSource(Authorization):
    """Tokens of a provider, one at a time for all requests."""

    renewable = True

    def __init__(self, provider: Provider) -> None:
        self.remedy = provider.remedy
        self._provider = provider
        self._token: _Token | None = None
        self._refusal: _Refusal | None = None
        self._fetching: asyncio.Task[_Token] | None = None

    async def auth_headers(self) -> dict[str, str]:
        """Return the header with a token that is good for a while; see the base class."""
        token = self._token
        if token is None or time.monotonic() >= token.renew_at:
            if self._fetching is None:
                self._fetching = asyncio.create_task(self._fetch())
                self._fetching.add_done_callback(self._fetched)
            # It is everybody's: whoever stops waiting must not end it for the others.
            token = await asyncio.shield(self._fetching)
        return token.headers

    async def _fetch(self) -> _Token:
        # A token's time runs from when it was made, which is before the answer was here.
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
            # Whoever waits gets the error; where nobody does any more, it is nobody's concern.
            task.exception()

    async def notice(self, response: httpx.Response) -> None:
        """Forget the token in use when the gateway refuses it.

        Of many requests that are refused with one token, the first to say so brings a new one about.
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
            # Not the token is bad, but all are refused: many requests must not ask for one each.
            self._refusal = _Refusal(token.value, time.monotonic())
            self._token = replace(token, renew_at=min(token.renew_at, token.fetched_at + LEAST_USE))

    def is_stale(self) -> bool:
        """Tell whether the provider gives the token again that was refused, but not for long yet."""
        refusal, token = self._refusal, self._token
        if refusal is None or token is None or refusal.value != token.value or not refusal.repeated:
            return False
        return time.monotonic() - refusal.since < STALE_PATIENCE

    async def close(self) -> None:
        """Stop fetching."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
