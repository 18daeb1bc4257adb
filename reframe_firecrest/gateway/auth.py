"""Access tokens: fetched once for all, renewed in time, never printed.

FirecREST refuses tokens that have less than 30 s left ("expires too soon"), and identity providers
commonly issue them for 300 s, so a run of any length meets renewal.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import httpx
from pydantic import BaseModel

from reframe_firecrest import errors
from reframe_firecrest.gateway import policy, translate
from reframe_firecrest.settings import Settings

RENEW_BEFORE = 60.0
"""Seconds of validity below which a token is renewed: the server's 30 s and time for slow requests."""
SHORT_RENEW_BEFORE = 35.0
"""The same where tokens live so briefly that the wider margin would use most of them up."""


class _TokenAnswer(BaseModel):
    access_token: str
    expires_in: float = 300.0


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    fetched_at: float
    renew_at: float


class TokenSource:
    """Client credentials turned into tokens.

    Concurrent callers share one request: the first fetches, the others wait for it.
    """

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = client
        self._token: _Token | None = None
        self._lock = asyncio.Lock()

    async def auth_headers(self) -> dict[str, str]:
        """Return the header that authenticates a request; pyfirecrest calls this for each.

        Raises:
            AuthError: the identity provider refuses the credentials.
            TransientError: it can't be reached.
        """
        async with self._lock:
            if self._token is None or time.monotonic() >= self._token.renew_at:
                self._token = await self._fetch()
            return {"Authorization": f"Bearer {self._token.value}"}

    def discard(self, asked_at: float) -> None:
        """Forget the token that the gateway has refused.

        Of many requests that are refused with one token, the first to say so brings a new one about.

        Args:
            asked_at: when the refused request was begun, by the monotonic clock.
        """
        if self._token is not None and self._token.fetched_at <= asked_at:
            self._token = None

    async def _fetch(self) -> _Token:
        settings = self._settings
        where = str(settings.token_url)
        asked_at = time.monotonic()
        try:
            answer = await self._client.post(
                where,
                data={
                    "grant_type": "client_credentials",
                    "client_id": settings.client_id,
                    "client_secret": settings.client_secret.get_secret_value(),
                },
                timeout=policy.TOKEN.timeout,
            )
        except httpx.HTTPError as error:
            # No token was used up by asking, so asking again is always safe.
            reason = translate.unreachable(error, "AUTH_TOKEN_URL")
            raise errors.TransientError(f"the identity provider {where} gives no token: {reason}") from None
        if answer.status_code in (400, 401, 403):
            raise errors.AuthError(
                f"the identity provider {where} refuses client {settings.client_id!r} "
                f"(HTTP {answer.status_code}); check FIRECREST_CLIENT_ID and FIRECREST_CLIENT_SECRET",
                status=answer.status_code,
            )
        if answer.status_code == 404:
            raise errors.AuthError(
                f"there is no token endpoint at {where} (HTTP 404); check AUTH_TOKEN_URL",
                status=404,
            )
        if answer.status_code in (408, 429) or answer.status_code >= 500:
            raise errors.TransientError(f"the identity provider {where} answers HTTP {answer.status_code}")
        try:
            token = _TokenAnswer.model_validate_json(answer.content if answer.status_code == 200 else b"")
        except ValueError:
            # The text is not shown: it may hold a token.
            raise errors.ProtocolError(
                f"the identity provider {where} does not answer with a token; check AUTH_TOKEN_URL"
            ) from None
        margin = RENEW_BEFORE if token.expires_in >= 2 * RENEW_BEFORE else SHORT_RENEW_BEFORE
        # Its time runs from when it was made, which is before the answer was here.
        return _Token(token.access_token, asked_at, asked_at + max(token.expires_in - margin, 1.0))
