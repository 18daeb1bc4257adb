"""Tokens and the endpoint that issues them."""

from __future__ import annotations

import time

import httpx
import jwt
import pytest

from tests.sandbox.conftest import Api


def ask(api: Api, **options: object) -> httpx.Response:
    return httpx.post(api.sandbox.token_url, trust_env=False, **options)  # type: ignore[arg-type]


def credentials(api: Api) -> tuple[str, str]:
    config = api.sandbox.config
    return config.client_id, config.client_secret.get_secret_value()


def test_credentials_are_taken_from_the_body_and_by_basic_authentication(api: Api) -> None:
    name, secret = credentials(api)
    grant = {"grant_type": "client_credentials"}
    by_body = ask(api, data={**grant, "client_id": name, "client_secret": secret})
    by_basic = ask(api, data=grant, auth=(name, secret))
    for answer in (by_body, by_basic):
        assert answer.status_code == 200
        assert answer.json()["token_type"] == "Bearer"
        assert answer.json()["expires_in"] == 300
        assert answer.headers["cache-control"] == "no-store"


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
    key = api.sandbox.gateway.authority.key
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
