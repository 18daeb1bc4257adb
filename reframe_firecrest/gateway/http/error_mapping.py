"""Errors of each API version, mapped to ours: the part of the policy in which versions differ, as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import httpx

from reframe_firecrest.gateway.http import policy, throttle
from reframe_firecrest.model import errors

MAX_TEXT = 10_000
"""Characters of an error's text that are searched: the time of some patterns grows with the square."""

MAX_TEXTS = 20
"""Texts of one answer that are searched."""

_LONG_IDS = re.compile(r"\s*\[X-(Request|Correlation)-ID[^\]]*\]")


@dataclass(frozen=True)
class ErrorMapping:
    """The errors of one version of the API, and the load that its gateways bear.

    Attributes:
        api: the user's name of the API version.
        text: extracts the description of an error from an answer.
        is_own: reports whether an answer is the gateway's own, not that of a proxy in front of it.
        classify: returns the class of error of the gateway's own answer with such a text.
        at_first: open requests that are allowed initially.
        inside: requests that may be inside the gateway at a time, by estimate.
    """

    api: str
    text: Callable[[httpx.Response], str]
    is_own: Callable[[httpx.Response], bool]
    classify: Callable[[httpx.Response, str], type[errors.GatewayError]]
    at_first: int = throttle.AT_FIRST
    inside: float = throttle.INSIDE

    @property
    def broken(self) -> str:
        """The message for an answer that does not conform to the API."""
        return f"the answer does not conform to {self.api}; check FIRECREST_URL"


def texts_in(response: httpx.Response, keys: Sequence[str], lists: Sequence[str] = ()) -> list[str]:
    """Return the texts in the body of an answer, each once.

    Args:
        response: the answer.
        keys: keys of the body that have one text.
        lists: keys of the body that have several texts.
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

    The answers of proxies have other keys (Kong ``message``, AWS ``errorMessage``) or are not JSON.
    """
    body = _object_in(response)
    typical = {"errorType", "message", "data", "user"} <= body.keys()
    return typical and body["errorType"] in ("error", "validation") and isinstance(body["message"], str)


_KEYS_OF_V1 = {"description", "error", "status_code", "success", "task_id", "task_url", "hash_id"}


def is_of_v1(response: httpx.Response) -> bool:
    """Recognise an error body of FirecREST v1, whose keys are few; source: recordings of a real gateway.

    It has a description. Only answers about tasks have an `error` alone, and only below status 500; other
    servers use that key as well.
    """
    body = _object_in(response)
    if body.keys() - _KEYS_OF_V1:
        return False
    described = isinstance(body.get("description"), str)
    return described or (isinstance(body.get("error"), str) and response.status_code < 500)


def _text(response: httpx.Response) -> str:
    text = " ".join(texts_in(response, ("message", "description", "error"), ("causedBy",)))
    return _LONG_IDS.sub("", text[:MAX_TEXT])


ANY = ErrorMapping(
    api="FirecREST",
    text=_text,
    is_own=lambda response: is_of_v2(response) or is_of_v1(response),
    classify=lambda response, text: policy.classify(response.status_code, text),
)
"""The mapping while the version is unknown."""

V2 = replace(ANY, api="FirecREST v2", is_own=is_of_v2)
"""FirecREST v2; its errors have a cause beside the message."""
