"""Access tokens, and for how long they are valid."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import time
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, Field

REFUSED_BELOW = 30.0
"""Seconds of validity below which FirecREST v2 refuses a token ("expires too soon")."""

UNKNOWN_LIFETIME = 120.0
"""Seconds for which a token without an expiry counts as valid; most live longer."""

_PLAIN = r"^[!#-\[\]-~]+$"
"""Characters allowed in a token: printable ASCII without blanks, and without quotes, which come from JSON."""


@dataclass(frozen=True)
class Grant:
    """A token and its lifetime.

    Attributes:
        value: the token; it is never printed.
        lifetime: seconds from the request for it.
    """

    value: str = field(repr=False)
    lifetime: float


class _Answer(BaseModel):
    access_token: Annotated[str, Field(pattern=_PLAIN)]
    expires_in: Annotated[float, Field(allow_inf_nan=False)] | None = None


def parse_token_response(content: bytes) -> Grant:
    """Parse the answer of a token endpoint; see RFC 6749, section 5.1.

    Raises:
        ValueError: it contains no token; the text of the error may contain the answer.
    """
    answer = _Answer.model_validate_json(content)
    if answer.expires_in is not None and answer.expires_in > 0:
        return Grant(answer.access_token, answer.expires_in)
    return Grant(answer.access_token, _lifetime_by_claims(answer.access_token))


def parse_command_output(content: bytes) -> Grant:
    """Parse the output of a command: a token, or an object like the answer of a token endpoint.

    Raises:
        ValueError: it is neither; the text of the error may contain the output.
    """
    text = content.decode().strip()
    # jq prints "null" for a missing token.
    if text.startswith("{") or text == "null":
        return parse_token_response(content)
    if not re.match(_PLAIN, text):
        raise ValueError("no token")
    return Grant(text, _lifetime_by_claims(text))


def _lifetime_by_claims(token: str) -> float:
    """Return the lifetime of a JWT by its claims; the gateway checks its signature.

    The claims are times of another clock. If this machine's clock is behind, the token seems to live longer
    than from its issue to its expiry; if it is ahead, the token seems to have expired.
    """
    claims = _claims(token)
    end, made = _instant(claims, "exp"), _instant(claims, "iat")
    if end is None:
        return UNKNOWN_LIFETIME
    left = end - time.time()
    if left < REFUSED_BELOW:
        left = UNKNOWN_LIFETIME
    return left if made is None or made >= end else min(left, end - made)


def _claims(token: str) -> dict[str, Any]:
    try:
        _, payload, _ = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _instant(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
