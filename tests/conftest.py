"""Fixtures and helpers that tests of several packages share."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import settings

PROJECT = Path(__file__).resolve().parent.parent
START_PATIENCE = 60.0

SANDBOX_API: Literal["v1", "v2"] = "v1" if os.environ.get("SANDBOX_API") in ("1", "v1") else "v2"
"""Which generation of FirecREST's API the sandbox speaks."""

# What is started in the background of a shell ignores Ctrl-C, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# On a loaded machine a single example can take long without anything being wrong.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@dataclass(frozen=True)
class GatewayUnderTest:
    """The gateway that the end-to-end tests run through.

    Attributes:
        name: for the test's report.
        variables: the environment of a client.
        embedded: it is our sandbox with its embedded runner.
        api: the generation of FirecREST's API that it speaks.
    """

    name: str
    variables: Mapping[str, str]
    embedded: bool = False
    api: Literal["v1", "v2"] = "v2"


_VARIABLES = (
    "FIRECREST_URL",
    "FIRECREST_API_VERSION",
    "FIRECREST_AUTH",
    "AUTH_TOKEN_URL",
    "FIRECREST_CLIENT_ID",
    "FIRECREST_CLIENT_SECRET",
    "FIRECREST_TOKEN_COMMAND",
    "FIRECREST_API_KEY",
    "FIRECREST_API_KEY_HEADER",
    "FIRECREST_SYSTEM",
    "FIRECREST_BASEDIR",
    "FIRECREST_ACCOUNT",
    "FIRECREST_CA_BUNDLE",
)


@pytest.fixture(scope="session")
def firecrest_sandbox_config() -> Mapping[str, object]:
    """Settings of our sandbox, which the fixture `firecrest_sandbox` starts."""
    return {"nodes": 4, "cpus": 16, "api": SANDBOX_API}


@pytest.fixture(scope="session")
def gateway(request: pytest.FixtureRequest) -> Iterator[GatewayUnderTest]:
    """The one gateway of the end-to-end tests.

    The one that FIRECREST_URL and its companions name, FIRECREST_API_VERSION among them; otherwise our
    sandbox, over a real Slurm where SANDBOX_RUNNER=slurm (see ci/slurm.sh), over its embedded runner where
    nothing is said. It speaks FirecREST v1 where SANDBOX_API=1, v2 where nothing is said; which it is,
    clients find out.
    """
    if os.environ.get("FIRECREST_URL"):
        given = {name: os.environ[name] for name in _VARIABLES if os.environ.get(name)}
        api: Literal["v1", "v2"] = "v1" if given.get("FIRECREST_API_VERSION") == "1" else "v2"
        yield GatewayUnderTest(given["FIRECREST_URL"], given, api=api)
    elif os.environ.get("SANDBOX_RUNNER") == "slurm":
        yield from _sandbox_over_slurm()
    else:
        sandbox = request.getfixturevalue("firecrest_sandbox")
        yield GatewayUnderTest(
            f"sandbox {SANDBOX_API}", sandbox.environment(), embedded=True, api=SANDBOX_API
        )


def _sandbox_over_slurm() -> Iterator[GatewayUnderTest]:
    """Start the sandbox as the user whose jobs Slurm runs: our stage directories are closed to that user."""
    user, scratch = os.environ["SLURM_LAB_USER"], os.environ["SLURM_LAB_SCRATCH"]
    python = os.environ.get("SLURM_LAB_PYTHON", sys.executable)
    account = pwd.getpwnam(user)
    place = Path(tempfile.mkdtemp(prefix="sandbox-", dir=scratch))
    os.chown(place, account.pw_uid, account.pw_gid)
    env_file = place / "client.env"
    command = [
        *("runuser", "-u", user, "--", "env", f"TMPDIR={place}", f"SLURM_CONF={os.environ['SLURM_CONF']}"),
        *(python, "-c", "from reframe_firecrest.cli.main import main; main()"),
        *("sandbox", "--runner", "slurm", "--root", str(place / "root"), "--env-file", str(env_file)),
        *("--api", SANDBOX_API),
    ]
    with subprocess.Popen(command, cwd=scratch, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), "the sandbox over Slurm did not start"
            script = f". {env_file}; env -0"
            answer = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
            variables = dict(line.split("=", 1) for line in answer.stdout.split("\0") if "=" in line)
            given = {name: variables[name] for name in _VARIABLES if name in variables}
            yield GatewayUnderTest("sandbox over Slurm", given, api=SANDBOX_API)
        finally:
            process.terminate()
            process.wait(START_PATIENCE)
            shutil.rmtree(place, ignore_errors=True)
