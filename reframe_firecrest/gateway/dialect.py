"""How a version of the API puts what went wrong: the part of the policy in which versions differ, as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import httpx

from reframe_firecrest import errors
from reframe_firecrest.gateway import policy, throttle

MAX_TEXT = 10_000
"""Characters of an error's text that are searched for its meaning: the time for some patterns grows with the
square of it."""

MAX_TEXTS = 20
"""Texts in one answer that are looked at."""

_LONG_IDS = re.compile(r"\s*\[X-(Request|Correlation)-ID[^\]]*\]")


@dataclass(frozen=True)
class Dialect:
    """One version's way to say things.

    Attributes:
        api: what users call the API.
        told: takes out of an answer what it says of an error.
        classify: the class of error that an answer means, by itself and what it says.
        at_first: requests that may be open at a time until more has proved to be fine.
        inside: requests that may be inside the gateway at a time, by estimate.
    """

    api: str
    told: Callable[[httpx.Response], str]
    classify: Callable[[httpx.Response, str], type[errors.GatewayError]]
    at_first: int = throttle.AT_FIRST
    inside: float = throttle.INSIDE

    @property
    def broken(self) -> str:
        """What users are told of an answer that does not keep to the API."""
        return f"the answer is not what {self.api} promises; check FIRECREST_URL"


def texts_in(response: httpx.Response, keys: Sequence[str], lists: Sequence[str] = ()) -> list[str]:
    """Return what an answer's body says, each text once.

    Args:
        response: the answer.
        keys: of the body, under which there is a text.
        lists: keys under which there are several.
    """
    try:
        body = response.json()
    except (ValueError, RecursionError, httpx.ResponseNotRead):
        return []
    if not isinstance(body, dict):
        return []
    found = [body.get(key) for key in keys]
    for key in lists:
        values = body.get(key)
        found += values if isinstance(values, list) else ()
    return list(dict.fromkeys(_limited(text) for text in found[:MAX_TEXTS] if text))


def _limited(value: object) -> str:
    return str(value)[:MAX_TEXT]


def _told(response: httpx.Response) -> str:
    told = " ".join(texts_in(response, ("message", "description", "error"), ("causedBy",)))
    return _LONG_IDS.sub("", told[:MAX_TEXT])


ANY = Dialect(
    api="FirecREST",
    told=_told,
    classify=lambda response, text: policy.classify(response.status_code, text),
)
"""For as long as the version is not known."""

V2 = replace(ANY, api="FirecREST v2")
"""FirecREST v2 gives the cause beside the message."""
