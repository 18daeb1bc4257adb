"""How a version of the API puts what went wrong: the part of the policy in which versions differ, as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import httpx

from reframe_firecrest.gateway.http import policy, throttle
from reframe_firecrest.model import errors

MAX_TEXT = 10_000
"""Characters of an error's text that are searched for its meaning: the time for some patterns grows with the
square of it."""

MAX_TEXTS = 20
"""Texts in one answer that are looked at."""

_LONG_IDS = re.compile(r"\s*\[X-(Request|Correlation)-ID[^\]]*\]")


@dataclass(frozen=True)
class ErrorMapping:
    """One version's way to say things.

    Attributes:
        api: what users call the API.
        told: takes out of an answer what it says of an error.
        is_own: reports whether an answer is the gateway's own, not one of a proxy in front of it.
        classify: the class of error that an answer of its own means, by itself and what it says.
        at_first: requests that may be open at a time until more has proved to be fine.
        inside: requests that may be inside the gateway at a time, by estimate.
    """

    api: str
    told: Callable[[httpx.Response], str]
    is_own: Callable[[httpx.Response], bool]
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
    body = _object_in(response)
    found = [body.get(key) for key in keys]
    for key in lists:
        values = body.get(key)
        found += values if isinstance(values, list) else ()
    return list(dict.fromkeys(_limited(text) for text in found[:MAX_TEXTS] if text))


def _limited(value: object) -> str:
    return str(value)[:MAX_TEXT]


def _object_in(response: httpx.Response) -> Mapping[str, object]:
    try:
        body = response.json()
    except (ValueError, RecursionError, httpx.ResponseNotRead):
        return {}
    return body if isinstance(body, dict) else {}


def is_of_v2(response: httpx.Response) -> bool:
    """Recognise an error body of FirecREST v2; source: ``ApiResponseError`` in its code.

    A proxy's own answers have other keys (Kong ``message``, AWS ``errorMessage``), or are no JSON at all.
    """
    body = _object_in(response)
    typical = {"errorType", "message", "data", "user"} <= body.keys()
    return typical and body["errorType"] in ("error", "validation") and isinstance(body["message"], str)


_KEYS_OF_V1 = {"description", "error", "status_code", "success", "task_id", "task_url", "hash_id"}


def is_of_v1(response: httpx.Response) -> bool:
    """Recognise an error body of FirecREST v1, whose keys are few; source: recordings of a real gateway.

    It describes what it could not do; only its answers about tasks have an `error` alone, and none from 500
    on do. Others use that key too.
    """
    body = _object_in(response)
    if body.keys() - _KEYS_OF_V1:
        return False
    described = isinstance(body.get("description"), str)
    return described or (isinstance(body.get("error"), str) and response.status_code < 500)


def _told(response: httpx.Response) -> str:
    told = " ".join(texts_in(response, ("message", "description", "error"), ("causedBy",)))
    return _LONG_IDS.sub("", told[:MAX_TEXT])


ANY = ErrorMapping(
    api="FirecREST",
    told=_told,
    is_own=lambda response: is_of_v2(response) or is_of_v1(response),
    classify=lambda response, text: policy.classify(response.status_code, text),
)
"""For as long as the version is not known."""

V2 = replace(ANY, api="FirecREST v2", is_own=is_of_v2)
"""FirecREST v2 gives the cause beside the message."""
