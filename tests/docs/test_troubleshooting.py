"""The page that explains messages explains those that there are, and all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from reframe_firecrest.model import errors
from reframe_firecrest.model.errors import FirecrestError, SettingsError
from reframe_firecrest.settings import Place, read_settings
from tests.conftest import PROJECT
from tests.docs.messages import GAP, Message, raised, texts

PAGE = (PROJECT / "docs/troubleshooting.md").read_text(encoding="utf-8")

ENVIRONMENT = {
    "FIRECREST_URL": "https://api.example.org/hpc",
    "AUTH_TOKEN_URL": "https://auth.example.org/token",
    "FIRECREST_CLIENT_ID": "me",
    "FIRECREST_CLIENT_SECRET": "tr0ub4dor&3",
    "FIRECREST_SYSTEM": "daint",
    "FIRECREST_BASEDIR": "/scratch/me",
}


def documented() -> list[str]:
    """Return the messages in the first columns of the page's tables, with gaps."""
    cells = re.findall(r"^\| (`.*?`)(?= \| )", PAGE, re.MULTILINE)
    found = [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]
    return [re.sub(rf"\s*{GAP}\s*$|^\s*{GAP}\s*", "", message.replace("...", GAP)) for message in found]


MESSAGES = documented()
# What a user writes in `sh -c '...'` is no gap.
TEXTS = [message.text.replace("...", GAP) for message in texts()]


def explains(message: str, text: str) -> bool:
    return message.strip() in text.replace("...", GAP)


@pytest.mark.parametrize("message", [message for message in MESSAGES if "reframe-firecrest" not in message])
def test_a_message_of_the_page_is_in_the_code(message: str) -> None:
    assert any(explains(message, text) for text in TEXTS)


@pytest.mark.parametrize("message", raised(), ids=lambda message: message.where)
def test_a_message_of_the_code_is_on_the_page(message: Message) -> None:
    explained = [text for text in MESSAGES if explains(text, message.text)]
    assert explained, f"docs/troubleshooting.md does not explain {message.text!r} ({message.where})"


def test_every_class_of_errors_is_on_the_page() -> None:
    kinds = [name for name, kind in vars(errors).items() if isinstance(kind, type)]
    roots = {"FirecrestError", "GatewayError"}
    assert {kind for kind in kinds if f"`{kind}`" not in PAGE} == roots


@pytest.mark.parametrize(
    ("settings", "environment", "message"),
    [
        ({}, {"FIRECREST_URL": ""}, f"is missing (looked in {GAP}"),
        ({}, {"FIRECREST_CLIENT_SECRET": ""}, "is missing (looked in the environment variables"),
        ({"base_dir": "/scratch"}, {}, f"unknown key {GAP} in {GAP}; did you mean {GAP}?"),
        ({"xyzzy": "/scratch"}, {}, f"unknown key {GAP} in {GAP}; known keys:"),
        ({"client_secret": "x"}, {}, f"is not allowed in {GAP}: put {GAP} into"),
        (
            {"client_secret_env": "ALPS"},
            {},
            f"names the environment variable {GAP}, which is not set; export it",
        ),
        ({"client_secret_file": "/nonexistent"}, {}, f"the file {GAP} named by {GAP} ({GAP}) can't be read:"),
        ({"client_secret_file": "/dev/null"}, {}, f"the file {GAP} named by {GAP} is empty"),
        ({"auth": "kerberos"}, {}, f"'auth' ({GAP}) is wrong: must be one of"),
        (
            {"token_command": "date", "client_secret_env": "ALPS"},
            {},
            "are set in the same place; choose one with 'auth' or FIRECREST_AUTH:",
        ),
        ({"basedir": "scratch"}, {}, "is wrong:"),
        ({"basedir": "scratch"}, {}, "must be an absolute path without '..'"),
        ({"basedir": "/my dir"}, {}, "must not contain quotes, blanks, '$' or backslashes"),
        ({"namespace": "/abs"}, {}, "must consist of letters, digits, '.', '_', '-', '+', '@' and '/'"),
        ({"ca_bundle": "/nonexistent"}, {}, "is not an existing file"),
        ({"url": "https://me:x@daint"}, {}, "must not contain a user name or a password"),
        ({"token_command": "a | b"}, {}, f"needs a shell because of {GAP}: write the command as"),
        ({"token_command": "a 'b"}, {}, "can't be split into words:"),
        ({"token_command": ""}, {}, "is empty"),
    ],
)
def test_a_message_about_settings_comes_as_the_page_says(
    settings: Mapping[str, Any], environment: Mapping[str, str], message: str
) -> None:
    assert any(each.startswith(message.rstrip(f"{GAP} ")) for each in MESSAGES), message
    with pytest.raises(SettingsError) as caught:
        read_settings([Place("partition 'gpu'", settings)], {**ENVIRONMENT, **environment})
    assert isinstance(caught.value, FirecrestError)
    pattern = ".*".join(re.escape(part) for part in message.split(GAP))
    assert re.search(pattern, str(caught.value))
