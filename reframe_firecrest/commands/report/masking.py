"""Remove secrets from output: tests can print anything, including their user's environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

from reframe_firecrest.model.local_paths import local_path
from reframe_firecrest.settings.secrets import SECRETS, Secret

MASK = "[secret]"

SHORTEST = 6
"""Smallest number of characters of a secret; masking shorter ones would remove ordinary words."""

_SHAPES = (
    # A JSON web token (RFC 7519).
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
    # Signatures of presigned URLs (AWS Signature Version 4, in a query).
    re.compile(r"(?<=X-Amz-Signature=)[0-9A-Fa-f]+|(?<=X-Amz-Security-Token=)[^&\s\"']+", re.IGNORECASE),
    re.compile(r"(?<=Bearer )[\w.~+/=-]{8,}|(?<=Basic )[A-Za-z0-9+/=]{8,}", re.IGNORECASE),
)

Mask = Callable[[str], str]
T = TypeVar("T")


def mask_for(environment: Mapping[str, str]) -> Mask:
    """Return a function that masks the secrets in a text.

    It recognises tokens and presigned URLs by their form, and the secrets of the environment by their values.
    """
    known = {value for secret in SECRETS.values() for value in _values(secret, environment)}
    # Longest first: one secret may be a prefix of another.
    parts = sorted((re.escape(value) for value in known if len(value) >= SHORTEST), key=len, reverse=True)
    shapes = [re.compile("|".join(parts)), *_SHAPES] if parts else list(_SHAPES)

    def mask(text: str) -> str:
        for shape in shapes:
            text = shape.sub(MASK, text)
        return text

    return mask


def _values(secret: Secret, environment: Mapping[str, str]) -> list[str]:
    values = [environment.get(secret.variable, "")]
    file = environment.get(f"{secret.variable}_FILE")
    if file:
        # If the file can't be read, the secret was not available to tests either.
        with suppress(OSError, ValueError):
            values.append(local_path(file).read_text(encoding="utf-8").strip())
    return values


def masked(value: T, mask: Mask) -> T:
    """Return a copy with all texts masked, in dataclasses, lists, tuples and mappings."""
    return _masked(value, mask)  # type: ignore[no-any-return]


def _masked(value: Any, mask: Mask) -> Any:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return mask(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{field.name: _masked(getattr(value, field.name), mask) for field in fields(value)}
        )
    if isinstance(value, Mapping):
        return {_masked(key, mask): _masked(item, mask) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_masked(item, mask) for item in value)
    return value
