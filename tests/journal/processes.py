"""Identities for journals: of a process of this machine that is gone, and of one somewhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reframe_firecrest.journal.process_identity import boot_id, namespaces

GONE: Mapping[str, Any] = {"boot": boot_id(), "namespaces": namespaces(), "pid": 7, "started": 1}
"""The process that has this id now was started at another time."""

ELSEWHERE: Mapping[str, Any] = {**GONE, "boot": "5a1ad000-0000-4000-8000-000000000000"}
"""The same under another kernel, perhaps on a machine of the same name."""
