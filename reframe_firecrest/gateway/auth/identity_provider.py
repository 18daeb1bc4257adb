"""Asks an identity provider for tokens, by client credentials."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import quote_plus

import httpx

from reframe_firecrest.gateway.auth.tokens import Grant, parse_token_response
from reframe_firecrest.gateway.http import error_translation, policy
from reframe_firecrest.gateway.http.limits import TooMuchError
from reframe_firecrest.model import errors
from reframe_firecrest.settings.credentials import ClientSecret


def basic(name: str, secret: str) -> str:
    """Return the header's value for basic authentication of a client.

    Both are form-encoded first, so that a colon in the name does no harm: RFC 6749 section 2.3.1.
    """
    pair = f"{quote_plus(name)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")


class IdentityProvider:
    """The token endpoint of one identity provider.

    Args:
        credentials: the client's.
        client: what carries the requests.
    """

    remedy = "check FIRECREST_CLIENT_ID and what this client may do there"

    def __init__(self, credentials: ClientSecret, client: httpx.AsyncClient) -> None:
        self._credentials = credentials
        self._client = client
        self._has_given = False
        self._name = f"the identity provider {credentials.token_url}"

    async def fetch(self) -> Grant:
        """Ask for a token.

        Raises:
            AuthError: the credentials are refused.
            ProtocolError: what is there is no token endpoint.
            TransientError: it can't be reached, or has other troubles. A token endpoint that was one before
                is having them as well when it answers like something else.
        """
        answer = await self._ask()
        status = answer.status_code
        if status in (400, 401, 403):
            credentials = self._credentials
            raise errors.AuthError(
                f"{self._name} refuses client {credentials.client_id!r} (HTTP {status}); check "
                f"FIRECREST_CLIENT_ID and FIRECREST_CLIENT_SECRET, and whether it takes {credentials.auth}"
            )
        if status in (408, 424, 425, 429) or status >= 500:
            raise errors.TransientError(
                f"{self._name} answers HTTP {status}", retry_after=error_translation.retry_after(answer)
            )
        try:
            grant = parse_token_response(answer.content if status == 200 else b"")
        except ValueError:
            # The text is not shown: it may hold a token.
            kind = errors.TransientError if self._has_given else errors.ProtocolError
            raise kind(
                f"{self._name} does not answer with a token (HTTP {status}); check AUTH_TOKEN_URL"
            ) from None
        self._has_given = True
        return grant

    async def _ask(self) -> httpx.Response:
        credentials = self._credentials
        form = {"grant_type": "client_credentials"}
        headers = {}
        secret = credentials.client_secret.get_secret_value()
        if credentials.auth == "client_secret_basic":
            headers["Authorization"] = basic(credentials.client_id, secret)
        else:
            form |= {"client_id": credentials.client_id, "client_secret": secret}
        timeout = policy.TOKEN.timeout
        try:
            # httpx counts each wait of its own; an answer that trickles would never be late by that.
            return await asyncio.wait_for(
                self._client.post(
                    str(credentials.token_url), data=form, headers=headers, timeout=httpx.Timeout(timeout)
                ),
                timeout,
            )
        except TooMuchError as error:
            raise errors.ProtocolError(f"{self._name} gives no token: {error}") from None
        # No token is used up by asking, so asking again is always safe.
        except (asyncio.TimeoutError, httpx.ReadTimeout):
            raise errors.TransientError(
                f"{self._name} gives no token: no answer within {timeout:.0f} s"
            ) from None
        except httpx.HTTPError as error:
            reason = error_translation.unreachable(error, "AUTH_TOKEN_URL")
            raise errors.TransientError(f"{self._name} gives no token: {reason}") from None
