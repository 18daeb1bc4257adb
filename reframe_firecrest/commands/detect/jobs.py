"""Detect the processors of each partition, by a job that runs through a session like a test's."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reframe_firecrest.commands.detect.facts import parse_facts
from reframe_firecrest.commands.detect.processor import processor_info
from reframe_firecrest.commands.detect.script import FACTS, OUTPUTS, SCRIPT, job_script
from reframe_firecrest.commands.targets import Target
from reframe_firecrest.model.atomic import atomic_write
from reframe_firecrest.model.errors import DetectionError
from reframe_firecrest.model.job import JobHandle, JobSpec, JobState, Phase
from reframe_firecrest.model.slurm_states import PENDING
from reframe_firecrest.session.log_queue import LOGS
from reframe_firecrest.session.registry import get_session
from reframe_firecrest.session.session import Session
from reframe_firecrest.settings import Settings

STEP = 0.2
"""Seconds between checks of the jobs' states in the session, which send no request."""

MAX_ERROR = 300
"""Characters of a job's last line of errors that are printed."""

MAX_FACTS = 64 << 20
"""Largest part of a job's output that is read, in bytes; 1000 processors take about 1 MB."""

OpenSession = Callable[[Settings, str], Session]


@dataclass(frozen=True)
class DetectionResult:
    """Result for one partition.

    Attributes:
        target: the partition.
        processor: processor information; None if the detection failed.
        reason: why it failed.
    """

    target: Target
    processor: Mapping[str, Any] | None = None
    reason: str = ""


def detect_processors(
    targets: Sequence[Target],
    *,
    timeout: float,
    notify: Callable[[str], None],
    open_session: OpenSession = get_session,
) -> list[DetectionResult]:
    """Submit one job to each partition, wait for all of them and parse their output.

    Args:
        targets: the partitions.
        timeout: seconds after which a job that has not started is cancelled.
        notify: called with one line about each change.
        open_session: opens a session from settings and a stage prefix.
    """
    with tempfile.TemporaryDirectory(prefix="reframe-firecrest-detect-") as stage:
        LOGS.start()
        probes = [_submit(target, stage, open_session) for target in targets]
        try:
            _wait(probes, time.monotonic() + timeout, timeout, notify)
        finally:
            # Only after Ctrl-C are there jobs to cancel.
            for probe in probes:
                probe.session.cancel([probe.handle])
        return [_outcome(probe) for probe in probes]


@dataclass
class _Probe:
    target: Target
    session: Session
    handle: JobHandle
    reported: str = ""
    late: str = ""


def _submit(target: Target, stage: str, open_session: OpenSession) -> _Probe:
    directory = Path(stage, target.system, target.partition)
    directory.mkdir(parents=True)
    name = f"rfm-detect-{target.partition}"
    (directory / SCRIPT).write_text(job_script(name, target.options), encoding="utf-8")
    session = open_session(target.settings, stage)
    spec = JobSpec(name, str(directory), SCRIPT, OUTPUTS, target.settings.account)
    return _Probe(target, session, session.submit(spec))


def _wait(probes: Sequence[_Probe], deadline: float, timeout: float, notify: Callable[[str], None]) -> None:
    while True:
        # In this order, so that messages from before a job's end are reported.
        waiting = [probe for probe in probes if not probe.handle.ended.is_set()]
        for probe in probes:
            _report_progress(probe, notify)
        for level, text in LOGS.take():
            if level >= logging.WARNING:
                notify(text)
        if not waiting:
            return
        if time.monotonic() > deadline:
            for probe in waiting:
                state = probe.handle.state
                if not _started(state):
                    probe.session.cancel([probe.handle])
                    # It may have ended just now.
                    if probe.handle.state.phase is Phase.CANCELLED:
                        probe.late = f"it did not start within {timeout:g} s: {_describe(state)}"
        waiting[0].handle.ended.wait(STEP)


def _report_progress(probe: _Probe, notify: Callable[[str], None]) -> None:
    news = _describe(probe.handle.state)
    if news != probe.reported and not probe.handle.ended.is_set():
        probe.reported = news
        notify(f"{probe.target.name}: {news}")


def _started(state: JobState) -> bool:
    if state.phase is Phase.SUBMITTED:
        return state.state not in PENDING
    return state.phase is Phase.RETRIEVING


def _describe(state: JobState) -> str:
    if state.job_id is None:
        return "the job is being submitted"
    reason = f" ({state.reason})" if state.reason and state.state in PENDING else ""
    return f"job {state.job_id} is {state.state}{reason}"


def _outcome(probe: _Probe) -> DetectionResult:
    state = probe.handle.state
    if probe.late or state.error:
        return DetectionResult(probe.target, reason=probe.late or str(state.error))
    directory = Path(probe.handle.spec.directory)
    if state.state != "COMPLETED":
        last_line = _last_line(directory / OUTPUTS[1])
        return DetectionResult(
            probe.target,
            reason=f"job {state.job_id} ended as {state.state} with exit code {state.exit_code}{last_line}",
        )
    try:
        text = _beginning(directory / FACTS)
        return DetectionResult(probe.target, processor_info(parse_facts(text)))
    except OSError as error:
        return DetectionResult(probe.target, reason=f"job {state.job_id} left no {FACTS}: {error.strerror}")
    except DetectionError as error:
        return DetectionResult(probe.target, reason=f"job {state.job_id}: {error}")


def _last_line(file: Path) -> str:
    try:
        lines = _beginning(file).split("\n")
    except OSError:
        return ""
    printed = [line.strip() for line in lines if line.strip()]
    return f": {printed[-1][:MAX_ERROR]}" if printed else ""


def _beginning(file: Path) -> str:
    with file.open("rb") as content:
        return content.read(MAX_FACTS).decode("utf-8", "replace")


def write_processor(outcome: DetectionResult) -> None:
    """Write processor information to the file that ReFrame reads, atomically.

    Raises:
        OSError: the file can't be written.
    """
    file = outcome.target.file
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, json.dumps(outcome.processor, indent=2) + "\n")
