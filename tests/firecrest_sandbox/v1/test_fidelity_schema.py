"""The sandbox's v1 routes against the public schema of FirecREST v1."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from firecrest_sandbox.v1.app import build_api
from firecrest_sandbox.v1.paths import serves
from tests.firecrest_sandbox.v1.recordings import RECORDINGS, exchanges
from tests.firecrest_sandbox.v1.test_fidelity_answers import replayed

REAL_SCHEMA = RECORDINGS.parent / "openapi-v1.yaml"
METHODS = ("get", "post", "put", "delete")

pytestmark = pytest.mark.skipif(
    not REAL_SCHEMA.is_file(), reason="no directory `shared` with the real schema beside the project"
)

# The service `reservations` needs a command that the recorded site lacks.
NOT_SERVED = {
    ("/reservations", "post"),
    ("/reservations/{}", "put"),
    ("/reservations/{}", "delete"),
}

TESTED_OTHERWISE = {
    ("/utilities/chown", "put"): "test_utilities; the recorded refusal needs a user without privileges",
    ("/compute/nodes/{}", "get"): "test_compute; no recording",
    ("/storage/xfer-internal/rsync", "post"): "test_internal; rsync is not installed everywhere",
    ("/tasks/", "get"): "test_tasks; the proxy's second path of /tasks",
}


def routes(schema: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (re.sub(r"\{[^}]*\}", "{}", path), method)
        for path, methods in schema["paths"].items()
        for method in methods
        if method in METHODS
    }


def test_every_route_of_the_schema_is_served() -> None:
    real = routes(YAML(typ="safe").load(REAL_SCHEMA))
    ours = routes(build_api().openapi())
    assert real - ours == NOT_SERVED
    # Kong has the tasks' path with a slash, too.
    assert ours - real == {("/tasks/", "get")}


def test_every_route_is_recognised_as_v1s_but_the_one_that_v2_has() -> None:
    paths = {path for path, _ in routes(build_api().openapi())}
    assert {path for path in paths if not serves(path.replace("{}", "x"))} == {"/status/systems"}


def test_every_route_is_compared_with_a_recording_or_tested_otherwise() -> None:
    recorded = {(each.path, each.method.lower()) for name in replayed() for each in exchanges(name)}
    compared = {
        (path, method)
        for path, method in routes(build_api().openapi())
        if any(
            method == used and re.fullmatch(path.replace("{}", "[^/]+"), address)
            for address, used in recorded
        )
    }
    assert routes(build_api().openapi()) - compared == set(TESTED_OTHERWISE)
