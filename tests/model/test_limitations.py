"""Limitations of deployments, each in one line with a remedy."""

from __future__ import annotations

import pytest

from reframe_firecrest.model import limitations
from reframe_firecrest.model.capabilities import Capabilities, ConnectionMode, TransferMethod
from reframe_firecrest.model.job_shape import SINGLE, JobShape

ARRAY, HETEROGENEOUS = JobShape(frozenset({0})), JobShape(components=2)


def test_the_usual_deployment_has_none() -> None:
    usual = Capabilities(transfer_directives=("#SBATCH --nodes=1",))
    assert limitations.unusable_scheduler(usual) is None
    assert limitations.missing_storage(usual, 0) is None
    assert limitations.missing_account(usual, None) is None
    assert limitations.scripts_without_directives(usual) is None
    assert limitations.unsupported_shape(usual, ARRAY) is None


@pytest.mark.parametrize(("setting", "limit"), [(0, "5.2 MB"), (256 << 20, "268.4 MB")])
def test_without_s3_the_larger_limit_is_named(setting: int, limit: str) -> None:
    found = limitations.missing_storage(Capabilities(TransferMethod.NONE, "streamer"), setting)
    assert f"above {limit} can't be sent" in str(found)
    assert str(found).endswith("set 'direct_upload_max' if a test has larger inputs, or ask the site for S3")


@pytest.mark.parametrize("mode", [ConnectionMode.REST, ConnectionMode.HYBRID])
@pytest.mark.parametrize("shape", [ARRAY, HETEROGENEOUS], ids=["array", "heterogeneous"])
def test_parts_without_indices_cannot_be_followed(mode: ConnectionMode, shape: JobShape) -> None:
    found = limitations.unsupported_shape(Capabilities(connection_mode=mode), shape)
    assert f"(connection_mode: {mode.value})" in str(found)
    assert limitations.unsupported_shape(Capabilities(connection_mode=mode), SINGLE) is None


@pytest.mark.parametrize("mode", [ConnectionMode.SSH, ConnectionMode.HYBRID])
def test_directives_count_where_sbatch_submits(mode: ConnectionMode) -> None:
    assert limitations.scripts_without_directives(Capabilities(connection_mode=mode)) is None
