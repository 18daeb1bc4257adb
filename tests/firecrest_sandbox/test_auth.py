"""Tokens and the endpoint that issues them."""

from __future__ import annotations

import time
from base64 import b64encode
from typing import Any
from urllib.parse import quote_plus

import httpx
import jwt
import pytest

from tests.firecrest_sandbox.conftest import Api


def ask(api: Api, **options: object) -> httpx.Response:
    return httpx.post(api.sandbox.token_url, trust_env=False, **options)  # type: ignore[arg-type]


def credentials(api: Api) -> tuple[str, str]:
    config = api.sandbox.config
    return config.client_id, config.client_secret.get_secret_value()


def test_credentials_are_taken_from_the_body_and_by_basic_authentication(start: Any) -> None:
    api = start()
    name, secret = credentials(api)
    grant = {"grant_type": "client_credentials"}
    by_body = ask(api, data={**grant, "client_id": name, "client_secret": secret})
    by_basic = ask(api, data=grant, auth=(name, secret))
    for answer in (by_body, by_basic):
        assert answer.status_code == 200
        assert answer.json()["token_type"] == "Bearer"
        assert answer.json()["expires_in"] == 300
        assert answer.headers["cache-control"] == "no-store"


def test_names_and_secrets_are_form_encoded_in_basic_authentication(start: Any) -> None:
    """RFC 6749 section 2.3.1."""
    api = start(client_id="a:b", client_secret="p+w d%40é")
    pair = f"{quote_plus('a:b')}:{quote_plus('p+w d%40é')}"
    header = {"Authorization": "Basic " + b64encode(pair.encode()).decode()}
    answer = ask(api, data={"grant_type": "client_credentials"}, headers=header)
    assert answer.status_code == 200


def test_the_api_key_does_instead_of_a_token(api: Api) -> None:
    key = api.sandbox.config.api_key.get_secret_value()
    url = f"{api.sandbox.url}/status/systems"
    right = httpx.get(url, headers={"X-API-Key": key}, trust_env=False)
    wrong = httpx.get(url, headers={"X-API-Key": key[:-1]}, trust_env=False)
    assert right.status_code == 200
    assert (wrong.status_code, wrong.json()["message"]) == (401, "API key is invalid.")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "x"}, 401),
        ({"grant_type": "client_credentials"}, 401),
        ({"grant_type": "password"}, 400),
    ],
)
def test_others_get_no_token(api: Api, data: dict[str, str], status: int) -> None:
    answer = ask(api, data=data)
    assert answer.status_code == status
    assert "error" in answer.json()


def test_a_broken_basic_header_is_refused(api: Api) -> None:
    answer = ask(api, data={"grant_type": "client_credentials"}, headers={"Authorization": "Basic !"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("left", "message"),
    [
        (-1, "Access token expired"),
        (29, "Access token expires too soon (less than 30s remaining)."),
        (35, None),
    ],
)
def test_a_token_is_refused_when_its_time_is_nearly_up(api: Api, left: int, message: str | None) -> None:
    key = api.sandbox.state.authority.key
    claims = {"exp": int(time.time()) + left, "preferred_username": "me"}
    token = jwt.encode(claims, key, algorithm="HS256")
    answer = api.http.get("/status/systems", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == (200 if message is None else 401)
    if message is not None:
        assert answer.json() == {
            "errorType": "error",
            "message": message,
            "causedBy": None,
            "data": None,
            "user": None,
        }


def test_a_token_signed_by_another_is_refused(api: Api) -> None:
    claims = {"exp": int(time.time()) + 300, "preferred_username": "me"}
    for token in (jwt.encode(claims, "k" * 32, algorithm="HS256"), jwt.encode(claims, "", "none")):
        answer = api.http.get("/status/systems", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        assert answer.json()["message"] == "Access token is invalid."


def test_the_secret_is_random_and_not_shown_by_the_configuration(api: Api, start: object) -> None:
    _, secret = credentials(api)
    assert len(secret) >= 24
    assert secret not in repr(api.sandbox.config)
    assert secret != type(api.sandbox.config)().client_secret.get_secret_value()
    key = api.sandbox.config.api_key.get_secret_value()
    assert len(key) >= 24
    for shown in (repr(api.sandbox.config), repr(api.sandbox.state.authority), repr(api.sandbox.state)):
        assert secret not in shown
        assert key not in shown
