"""Several systems and gateways in one run: two sandboxes, each with a client of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from firecrest_sandbox import Sandbox, SandboxConfig
from tests.conftest import SANDBOX_API, GatewayUnderTest
from tests.e2e.conftest import SUITE, ReFrame

pytestmark = pytest.mark.e2e

SUBMIT = {"v1": "POST /compute/jobs/path", "v2": "POST /compute/{system}/jobs"}[SANDBOX_API]


@pytest.fixture
def sandboxes() -> Iterator[list[Sandbox]]:
    configs = [
        SandboxConfig(
            api=SANDBOX_API,
            system=name,
            client_id=f"client-{name}",
            client_secret=SecretStr(f"secret-of-{name}"),
        )
        for name in ("alpha", "beta")
    ]
    with Sandbox(configs[0]) as alpha, Sandbox(configs[1]) as beta:
        yield [alpha, beta]


def test_partitions_name_gateways_and_secrets_of_their_own(sandboxes: list[Sandbox], tmp_path: Path) -> None:
    partitions = []
    secrets = {}
    for sandbox in sandboxes:
        given = sandbox.environment()
        variable = f"SECRET_{sandbox.config.system.upper()}"
        secrets[variable] = given["FIRECREST_CLIENT_SECRET"]
        partitions.append(
            {
                "name": sandbox.config.system,
                "scheduler": "firecrest-scheduler",
                "launcher": "firecrest-srun",
                "environs": ["builtin"],
                "sched_options": {
                    "firecrest": {
                        "url": given["FIRECREST_URL"],
                        "token_url": given["AUTH_TOKEN_URL"],
                        "client_id": given["FIRECREST_CLIENT_ID"],
                        "client_secret_env": variable,
                        "system": given["FIRECREST_SYSTEM"],
                        "basedir": given["FIRECREST_BASEDIR"],
                    }
                },
            }
        )
    system = {"name": "two", "hostnames": [".*"], "modules_system": "nomod", "partitions": partitions}
    config = tmp_path / "settings.py"
    config.write_text(
        "import reframe_firecrest  # registers the backends\n"
        f"site_configuration = {json.dumps({'systems': [system]})}\n"
    )
    reframe = ReFrame(tmp_path, GatewayUnderTest("two", secrets))
    try:
        outcome = reframe.run([str(SUITE / "verdicts.py")], "-n", "^Good", config=config)
    finally:
        reframe.close()
    cases = outcome.report["runs"][0]["testcases"]
    assert sorted((case["partition"], case["result"]) for case in cases) == [
        ("alpha", "pass"),
        ("beta", "pass"),
    ], outcome.output
    for sandbox in sandboxes:
        assert sandbox.stats().by_shape[SUBMIT] == 1
    assert not any(secret in outcome.output for secret in secrets.values())
