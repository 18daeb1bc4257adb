"""Reads the recorded exchanges with a real FirecREST v1 gateway."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.firecrest_sandbox.recordings import RECORDINGS as RECORDINGS_V2

RECORDINGS = RECORDINGS_V2.parent / "recordings-v1"


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str] | None
    files: dict[str, dict[str, Any]]
    status: int
    answered_headers: dict[str, str]
    answer: Any

    @property
    def asks_for_tasks(self) -> bool:
        return self.path == "/tasks" and self.status == 200

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        tasks: dict[str, dict[str, Any]] = self.answer["tasks"]
        return tasks


def exchanges(name: str) -> list[Exchange]:
    """Return what one recording holds."""
    recording = json.loads((RECORDINGS / f"{name}.json").read_text())
    return [_exchange(one["request"], one["response"]) for one in recording["exchanges"]]


def _exchange(request: dict[str, Any], response: dict[str, Any]) -> Exchange:
    body = request["body"] or {}
    return Exchange(
        method=request["method"],
        path=request["path"],
        query=request["query"],
        headers=request["headers"],
        form=body.get("form"),
        files=body.get("files", {}),
        status=response["status"],
        answered_headers=response["headers"],
        answer=response["body"],
    )


def names() -> list[str]:
    """Return all recordings' names, or none where they aren't there."""
    return sorted(path.stem for path in RECORDINGS.glob("*.json"))
