from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from reframe_firecrest.gateway.auth import tokens
from reframe_firecrest.gateway.auth.tokens import UNKNOWN_LIFETIME, parse_command_output, parse_token_response

NOW = 1_700_000_000.0
DAY = 86_400.0


def jwt(**claims: Any) -> str:
    """Make a token with a signature that cannot be verified on this machine."""
    parts = ({"alg": "RS256"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "time", type("Clock", (), {"time": staticmethod(lambda: NOW)}))


@pytest.mark.parametrize(
    ("content", "lifetime"),
    [
        ({"access_token": "opaque", "expires_in": 45}, 45),
        ({"access_token": "opaque", "expires_in": "45"}, 45),
        # What the provider says counts from now, whatever the clock says.
        ({"access_token": jwt(exp=NOW - DAY), "expires_in": 300}, 300),
        ({"access_token": jwt(exp=NOW + 200)}, 200),
        ({"access_token": jwt(exp=NOW + 200), "expires_in": 0}, 200),
        ({"access_token": "opaque"}, UNKNOWN_LIFETIME),
    ],
)
def test_an_answer_reports_how_long_its_token_is_good(content: object, lifetime: float) -> None:
    given = json.dumps(content).encode()
    assert parse_token_response(given).lifetime == lifetime
    assert parse_command_output(given) == parse_token_response(given)


@pytest.mark.parametrize(
    ("token", "lifetime"),
    [
        (jwt(exp=NOW + 200), 200),
        (jwt(exp=NOW + 200, iat=NOW - 100), 200),
        (jwt(exp=NOW + 200.5, iat=NOW - 99.5), 200.5),
        ("opaque", UNKNOWN_LIFETIME),
        ("a.b.c", UNKNOWN_LIFETIME),
        ("a.é.c".encode().hex() + ".$$$.c", UNKNOWN_LIFETIME),
        (jwt(), UNKNOWN_LIFETIME),
        (jwt(exp="soon"), UNKNOWN_LIFETIME),
        (jwt(exp=float("inf")), UNKNOWN_LIFETIME),
        ("e30." + base64.urlsafe_b64encode(b"[1]").decode() + ".c", UNKNOWN_LIFETIME),
        ("e30." + base64.urlsafe_b64encode(b"[" * 50_000).decode().rstrip("=") + ".c", UNKNOWN_LIFETIME),
    ],
)
def test_the_claims_of_a_printed_token_give_its_lifetime(token: str, lifetime: float) -> None:
    grant = parse_command_output(f" {token}\n".encode())
    assert (grant.value, grant.lifetime) == (token, lifetime)


@pytest.mark.parametrize("wrong_by", [-DAY, DAY])
def test_by_a_wrong_clock_a_token_is_neither_dead_nor_immortal(wrong_by: float) -> None:
    """The one who made it has the right time; the clock here is wrong by a day."""
    made = NOW - wrong_by
    assert 60 <= parse_command_output(jwt(iat=made, exp=made + 300).encode()).lifetime <= 300
    assert parse_command_output(jwt(exp=made + 300).encode()).lifetime >= 60


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"null\n",
        b"two words",
        b"two\nlines",
        b'"quoted"',
        b"\xff\xfe",
        "tökén".encode(),
        b"a\0b",
        b"{}",
        b"{",
        b'{"access_token": null}',
        b'{"access_token": "two\\nlines"}',
        b'{"access_token": "a", "expires_in": NaN}',
        b'{"access_token": "a", "expires_in": 1e999}',
    ],
)
def test_what_is_no_token_is_not_taken_for_one(content: bytes) -> None:
    for read in (parse_command_output, parse_token_response):
        with pytest.raises(ValueError):  # noqa: PT011 - its text is never shown
            read(content)


def test_a_token_is_never_printed() -> None:
    assert "opaque" not in repr(parse_command_output(b"opaque"))
