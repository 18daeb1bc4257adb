"""FirecREST v1's own ways: what it says of submissions, how late it knows jobs, what takes it too long."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from firecrest_sandbox import FaultKind, FaultRule, Sandbox, SandboxConfig
from tests.conftest import GatewayUnderTest
from tests.e2e.conftest import SUITE, ReFrame
from tests.e2e.outside import outside

pytestmark = pytest.mark.e2e

LATE = {"X-Timeout": "Command has finished with timeout signal"}
WAYS: dict[str, dict[str, Any]] = {
    # sbatch warns, which v1 takes for a failure.
    "warned": {"faults": (FaultRule(shape="POST /compute/jobs/path", kind=FaultKind.WARN, times=1000),)},
    "late": {"accounting_delay": 1.5, "one_worker": True},
    "slow": {
        "faults": tuple(
            FaultRule(
                shape=f"{method} /utilities/{name}",
                kind=FaultKind.STATUS,
                status=400,
                headers=LATE,
                times=1000,
            )
            for method, name in (("POST", "extract"), ("POST", "compress"), ("DELETE", "rm"))
        )
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_the_verdicts_are_the_same_and_each_job_ran_once(way: str, tmp_path: Path) -> None:
    with Sandbox(SandboxConfig(api="v1", **WAYS[way])) as sandbox:
        gateway = GatewayUnderTest("sandbox", sandbox.environment(), api="v1")
        reframe = ReFrame(tmp_path, gateway)
        try:
            outcome = reframe.run([str(SUITE / "verdicts.py")], "-x", "NoSuchPartition")
        finally:
            reframe.close()
        results = {name.split()[0]: case["result"] for name, case in outcome.cases().items()}
        with outside(gateway) as system:
            names = Counter(
                row["name"] for row in system.client.poll(system.system) if row["name"].startswith("rfm_")
            )
    assert results.pop("Good") == "pass", outcome.output
    assert set(results.values()) == {"fail"}, outcome.output
    assert "nonsense" in outcome.output
    assert set(names.values()) == {1}
