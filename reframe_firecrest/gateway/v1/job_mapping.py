"""Conversion of FirecREST v1's accounting and queue rows to parts of jobs."""

from __future__ import annotations

from posixpath import dirname

from reframe_firecrest.gateway.field_types import line, node_set
from reframe_firecrest.gateway.v1.clock import SystemClock
from reframe_firecrest.gateway.v1.job_schemas import Accounted, Queued
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import ENDED, PENDING

TRANSFER_NAME = "reframe-firecrest:"
"""Prefix of the names of our transfer jobs; the path that they work on and a number follow."""


def part_of_accounted(row: Accounted, clock: SystemClock) -> JobPart:
    """Convert a row of the accounting; the clock converts its times."""
    return JobPart(
        job_id=row.job_id,
        name=row.name,
        state=row.state,
        reason=None,
        exit_code=int(row.exit_code.partition(":")[0]),
        nodes=row.nodes,
        submitted=None,
        end=clock.epoch(row.end) if row.end is not None and row.state in ENDED else None,
        working_directory=_path_in(row.name),
        node_count=row.node_count or 0,
        elapsed=row.elapsed or 0.0,
        start=clock.epoch(row.start) if row.start is not None and row.state not in PENDING else None,
    )


def part_of_queued(row: Queued) -> JobPart:
    """Convert a row of the queue."""
    pending = row.state in PENDING
    elapsed = row.elapsed or 0.0
    return JobPart(
        job_id=row.job_id,
        name=row.name,
        state=row.state,
        reason=_reason(row.nodes_or_reason) if pending else None,
        exit_code=None,
        nodes="" if pending else node_set(row.nodes_or_reason),
        submitted=None,
        end=None,
        working_directory=_path_in(row.name) or dirname(row.job_file),
        node_count=row.node_count or 0,
        elapsed=elapsed,
        limit=None if row.left is None else elapsed + row.left,
    )


def _reason(text: str) -> str | None:
    """Parse the queue's last column, which has a pending job's reason in parentheses."""
    reason = line(text.strip())
    reason = reason[1:-1] if reason.startswith("(") and reason.endswith(")") else ""
    return reason if reason not in ("", "None") else None


def _path_in(name: str) -> str:
    """Return the path that one of our transfer jobs works on, empty for other jobs."""
    return name.removeprefix(TRANSFER_NAME).rpartition("#")[0] if name.startswith(f"{TRANSFER_NAME}/") else ""
