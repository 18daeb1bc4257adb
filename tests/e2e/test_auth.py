"""Every way to authenticate carries a run, and leaves no secret behind."""

from __future__ import annotations

import shlex
import sys

import pytest

from tests.conftest import GatewayUnderTest
from tests.e2e.conftest import SUITE, ReFrame
from tests.e2e.test_suites import passed

pytestmark = pytest.mark.e2e

START_OF_A_JWT = "eyJhbGciOi"

GET_TOKEN = """
import json, os
from urllib import parse, request

names = {"client_id": "FIRECREST_CLIENT_ID", "client_secret": "FIRECREST_CLIENT_SECRET"}
form = {name: os.environ[variable] for name, variable in names.items()}
form["grant_type"] = "client_credentials"
answer = request.urlopen(os.environ["AUTH_TOKEN_URL"], parse.urlencode(form).encode())
print(json.load(answer)["access_token"])
"""


def run(reframe: ReFrame, gateway: GatewayUnderTest, way: str, **more: str) -> None:
    """Run a test at the highest verbosity, and look for the secrets in all that it leaves."""
    environment = {"FIRECREST_AUTH": way, "TMPDIR": str(reframe.directory), **more}
    outcome = reframe.run([str(SUITE / "verdicts.py")], "-n", "^Good", "-vvvv", environment=environment)
    assert passed(outcome) == ["Good"], outcome.output
    left = [path for path in reframe.directory.rglob("*") if path.is_file()]
    assert any(path.suffix == ".log" for path in left)
    secrets = [gateway.variables.get(name) for name in ("FIRECREST_CLIENT_SECRET", "FIRECREST_API_KEY")]
    for secret in (START_OF_A_JWT, *filter(None, secrets)):
        assert secret not in outcome.output
        assert not [path for path in left if secret.encode() in path.read_bytes()]


@pytest.fixture
def client(gateway: GatewayUnderTest) -> None:
    if "FIRECREST_CLIENT_SECRET" not in gateway.variables:
        pytest.skip("no client's secret is given for this gateway")


def test_basic_authentication(reframe: ReFrame, gateway: GatewayUnderTest, client: None) -> None:
    run(reframe, gateway, "client_secret_basic")


def test_a_token_command(reframe: ReFrame, gateway: GatewayUnderTest, client: None) -> None:
    # A relative path: ReFrame has another working directory when it runs the command.
    (reframe.directory / "get_token.py").write_text(GET_TOKEN)
    command = shlex.join([sys.executable, "get_token.py"])
    run(reframe, gateway, "token_command", FIRECREST_TOKEN_COMMAND=command)


def test_an_api_key(reframe: ReFrame, gateway: GatewayUnderTest) -> None:
    if "FIRECREST_API_KEY" not in gateway.variables:
        pytest.skip("no API key is given for this gateway")
    run(reframe, gateway, "api_key", FIRECREST_CLIENT_SECRET="")
