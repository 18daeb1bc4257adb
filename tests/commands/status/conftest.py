"""Journals as sessions write them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reframe_firecrest.journal.events import CaseMoved, Event, JobMoved, Opened
from reframe_firecrest.journal.writer import Journal
from tests.journal.processes import GONE

BEGUN = 1_800_000_000.0

Write = Callable[..., Journal]


def opened(run: str = "20270115-080000-host-0a1b2c", system: str = "daint") -> Opened:
    return Opened(
        time=BEGUN,
        run=run,
        url="http://gateway.test/",
        system=system,
        root=f"/scratch/reframe-firecrest/{run}",
        stage="/stage",
        host=socket.gethostname(),
        version="1",
        locked=True,
        **GONE,
    )


def job(number: int, after: float, phase: str, **more: object) -> JobMoved:
    return JobMoved.model_validate(
        {
            "time": BEGUN + after,
            "number": number,
            "name": f"t{number}",
            "directory": f"/stage/t{number}",
            "phase": phase,
            **more,
        }
    )


def case(number: int, after: float = 0.0, **more: object) -> CaseMoved:
    values = {"time": BEGUN + after, "name": f"Sleeper %n={number}", "where": "daint:gpu+gnu", **more}
    return CaseMoved.model_validate(values)


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Begin journals of sessions that go on until the end of the test, or until their journal is closed."""
    begun: list[Journal] = []

    def begin(first: Opened, *events: Event) -> Journal:
        journal = Journal(tmp_path / "journals", f"{first.run}.{first.system}", pytest.fail)
        begun.append(journal)
        for event in (first, *events):
            journal.write(event)
        return journal

    yield begin
    for journal in begun:
        journal.close()
