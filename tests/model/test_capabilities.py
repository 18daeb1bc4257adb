"""Capabilities that follow from what a gateway reports."""

from __future__ import annotations

import pytest

from reframe_firecrest.model.capabilities import Capabilities


@pytest.mark.parametrize(
    ("directives", "needed"),
    [
        (None, None),
        ((), False),
        (("#SBATCH --nodes=1", "#SBATCH --time=0-00:15:00"), False),
        (("#SBATCH --nodes=1", "#SBATCH --account={account}"), True),
    ],
    ids=["not-reported", "none", "without-account", "with-account"],
)
def test_directives_show_whether_transfer_jobs_need_an_account(
    directives: tuple[str, ...] | None, needed: bool | None
) -> None:
    assert Capabilities(transfer_directives=directives).transfers_need_account is needed
