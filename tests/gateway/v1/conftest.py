from __future__ import annotations

import pytest

from reframe_firecrest.gateway.v1 import tasks, transfer_jobs


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at tasks at once: the gateway of these tests takes no time."""
    monkeypatch.setattr(tasks, "FIRST_LOOK", 0.001)
    monkeypatch.setattr(transfer_jobs, "LOOKS", (0.0, 0.0))
    monkeypatch.setattr(transfer_jobs, "TRANSFER_POLL_PAUSES", (0.0, 0.0))
