"""Names of the files for a job's standard output and error."""

from __future__ import annotations

from collections.abc import Iterable


def is_output(path: str, outputs: Iterable[str]) -> bool:
    """Return true for standard output or error, of a job or of one of an array's tasks."""
    return any(
        path == name or (path.startswith(f"{name}_") and path[len(name) + 1 :].isdecimal())
        for name in outputs
    )
