"""Runs of which pages are made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from reframe_firecrest.journal.events import Event
from reframe_firecrest.journal.runs import Run, runs_in
from tests.commands.report.worlds import RUN, lines

Journals = Callable[..., Run]
Written = Callable[[Mapping[str, Any]], Path]


@pytest.fixture
def journal(tmp_path: Path) -> Journals:
    """Write the journal of a run that is over or was killed; return the run."""

    def write(events: Iterable[Event], run: str = RUN, system: str = "alps") -> Run:
        directory = tmp_path / "journals"
        directory.mkdir(exist_ok=True)
        (directory / f"{run}.{system}.jsonl").write_text("".join(lines(events)))
        [found] = runs_in(directory, run)
        return found

    return write


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Write ReFrame's report; return its path."""

    def write(report: Mapping[str, Any]) -> Path:
        file = tmp_path / "report.json"
        file.write_text(json.dumps(report))
        return file

    return write
