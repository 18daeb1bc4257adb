"""Shared fixtures of the tests of FirecREST v2's gateway."""

from __future__ import annotations

import pytest

from reframe_firecrest.gateway.v2 import orphaned_jobs


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable late effects, so that no end of a run waits for them."""
    monkeypatch.setattr(orphaned_jobs, "LATEST_EFFECT", 0.0)
