"""Tokens of an identity provider, by client credentials."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import quote_plus

import httpx

from reframe_firecrest.gateway.auth.tokens import Grant, parse_token_response
from reframe_firecrest.gateway.http import error_translation, operations
from reframe_firecrest.gateway.http.limits import TooMuchError
from reframe_firecrest.model import errors
from reframe_firecrest.model.units import format_duration
from reframe_firecrest.settings.credentials import ClientSecret


def basic(name: str, secret: str) -> str:
    """Return the header value for basic authentication of a client.

    Both are form-encoded first, so the name may contain a colon; see RFC 6749, section 2.3.1.
    """
    pair = f"{quote_plus(name)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")


class IdentityProvider:
    """The token endpoint of one identity provider.

    Args:
        credentials: of the client.
        client: sends the requests.
    """

    remedy = "check FIRECREST_CLIENT_ID and the client's permissions"

    def __init__(self, credentials: ClientSecret, client: httpx.AsyncClient) -> None:
        self._credentials = credentials
        self._client = client
        self._has_given = False
        self._name = f"the identity provider {credentials.token_url}"

    async def fetch(self) -> Grant:
        """Ask for a token.

        Raises:
            AuthError: the credentials are refused.
            ProtocolError: the address is not that of a token endpoint.
            TransientError: it cannot be reached or has a problem. So has an endpoint that has issued a token
                before and then answers differently.
        """
        answer = await self._ask()
        status = answer.status_code
        if status in (400, 401, 403):
            credentials = self._credentials
            raise errors.AuthError(
                f"{self._name} refuses client {credentials.client_id!r} (HTTP {status}); check "
                "FIRECREST_CLIENT_ID, the secret (FIRECREST_CLIENT_SECRET or "
                f"FIRECREST_CLIENT_SECRET_FILE), and whether the provider accepts {credentials.auth}"
            )
        if status in (408, 424, 425, 429) or status >= 500:
            raise errors.TransientError(
                f"{self._name} answers HTTP {status}", retry_after=error_translation.retry_after(answer)
            )
        try:
            grant = parse_token_response(answer.content if status == 200 else b"")
        except ValueError:
            # The text is not shown, since it may contain a token.
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
        timeout = operations.TOKEN.timeout
        try:
            # httpx limits the time between two bytes; an answer that trickles would never exceed that.
            return await asyncio.wait_for(
                self._client.post(
                    str(credentials.token_url), data=form, headers=headers, timeout=httpx.Timeout(timeout)
                ),
                timeout,
            )
        except TooMuchError as error:
            raise errors.ProtocolError(f"{self._name} gives no token: {error}") from None
        # A request for a token has no side effect, so a retry is always safe.
        except (asyncio.TimeoutError, httpx.ReadTimeout):
            raise errors.TransientError(
                f"{self._name} gives no token: no answer within {format_duration(timeout)}"
            ) from None
        except httpx.HTTPError as error:
            reason = error_translation.unreachable(error, "AUTH_TOKEN_URL")
            raise errors.TransientError(f"{self._name} gives no token: {reason}") from None
