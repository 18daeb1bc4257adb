from __future__ import annotations

import pytest

from reframe_firecrest.gateway.http import policy


@pytest.fixture(autouse=True)
def brief_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no command to end: the gateway of these tests has none."""
    monkeypatch.setattr(policy, "LONGEST_COMMAND", 0.0)
    monkeypatch.setattr(policy, "MARGIN", 0.0)
