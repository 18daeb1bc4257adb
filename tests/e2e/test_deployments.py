"""A few tests of each kind through sandboxes that imitate other deployments of FirecREST v2."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from firecrest_sandbox import Sandbox, SandboxConfig
from tests.conftest import SANDBOX_API, GatewayUnderTest
from tests.e2e.conftest import SUITE, Outcome, ReFrame
from tests.e2e.test_suites import passed

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        SANDBOX_API != "v2" or "FIRECREST_URL" in os.environ or "SANDBOX_RUNNER" in os.environ,
        reason="starts its own sandboxes, of FirecREST v2 over the embedded runner",
    ),
]

LIMIT = 300_000
"""Bytes of a direct upload; the large files of the suite have 1,000,000."""
ALL = ("Array", "Fails", "LargeInput", "LargeOutput", "Simple")
ONE_TASK = ("Fails", "LargeInput", "LargeOutput", "Simple")


@dataclass(frozen=True)
class Deployment:
    """A configuration of a site.

    Attributes:
        settings: those of the sandbox.
        variables: more variables of a client.
        supported: tests that run; all of them pass, except `Fails`.
    """

    settings: Mapping[str, Any]
    variables: Mapping[str, str]
    supported: tuple[str, ...] = ALL


DEPLOYMENTS = {
    "s3": Deployment({}, {}),
    "streamer": Deployment({"transfers": "streamer"}, {}),
    "wormhole": Deployment({"transfers": "wormhole"}, {}),
    "none": Deployment({"transfers": "none"}, {}),
    "account": Deployment({"require_account": True}, {"FIRECREST_ACCOUNT": "sandbox"}),
    "small-limit": Deployment({"max_ops_file_size": 65_536, "transfers": "none"}, {}),
    "busy": Deployment({"history": 500}, {}),
    "rest": Deployment({"connection": "rest"}, {}, ONE_TASK),
    "hybrid": Deployment({"connection": "hybrid"}, {}, ONE_TASK),
}


@pytest.fixture(scope="module", params=DEPLOYMENTS)
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """One deployment after the other."""
    return DEPLOYMENTS[request.param]


@pytest.fixture(scope="module")
def gateway(deployment: Deployment) -> Iterator[GatewayUnderTest]:
    """A sandbox that imitates the deployment, instead of the gateway of all other tests."""
    config = {"api": "v2", "max_ops_file_size": LIMIT, **deployment.settings}
    with Sandbox(SandboxConfig.model_validate(config)) as sandbox:
        variables = {**sandbox.environment(), **deployment.variables}
        yield GatewayUnderTest("sandbox", variables, embedded=True)


@pytest.fixture
def reframe_over_pbs(tmp_path: Path) -> Iterator[ReFrame]:
    tmp_path.chmod(0o700)
    with Sandbox(SandboxConfig(api="v2", scheduler="pbs")) as sandbox:
        reframe = ReFrame(tmp_path, GatewayUnderTest("sandbox", sandbox.environment(), embedded=True))
        yield reframe
        reframe.close()


@pytest.fixture
def outcome(reframe: ReFrame) -> Outcome:
    return reframe.run([str(SUITE / "deployments.py")])


def test_tests_of_each_kind_run_or_are_refused(outcome: Outcome, deployment: Deployment) -> None:
    cases = outcome.cases()
    assert passed(outcome) == [name for name in deployment.supported if name != "Fails"], outcome.output
    assert cases["Fails"]["job_exitcode"] == 3
    assert cases["Fails"]["fail_phase"] == "sanity"
    for name in set(ALL) - set(deployment.supported):
        assert cases[name]["fail_phase"] in ("setup", "run"), outcome.output
        assert "slurmrestd" in cases[name]["fail_reason"], outcome.output


def test_a_site_with_pbs_is_refused_in_one_line_before_anything_is_sent(reframe_over_pbs: ReFrame) -> None:
    outcome = reframe_over_pbs.run([str(SUITE / "deployments.py")], "-n", "Simple")
    assert outcome.code != 0
    assert "only Slurm is supported" in outcome.output
    assert "qsub" not in outcome.output
