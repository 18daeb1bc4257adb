"""Looks at one node of each partition, by a job that goes through the session like any test's."""

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
"""Seconds between looks at what the session knows; they cost no request."""

MAX_ERROR = 300
"""Characters of a job's last words that are shown."""

MAX_FACTS = 64 << 20
"""Bytes that are read of what a job prints: a thousand processors take about one MB."""

OpenSession = Callable[[Settings, str], Session]


@dataclass(frozen=True)
class DetectionResult:
    """What came of one partition.

    Attributes:
        processor: what ReFrame wants to know; None if it could not be found out.
        reason: why not.
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
    """Submit one job for each partition, wait for all of them and make sense of what they print.

    Args:
        targets: the partitions.
        timeout: seconds until a job must have started; one that has not is cancelled.
        notify: told of every change, in one line.
        open_session: takes settings and a stage prefix.
    """
    with tempfile.TemporaryDirectory(prefix="reframe-firecrest-detect-") as stage:
        LOGS.start()
        probes = [_submit(target, stage, open_session) for target in targets]
        try:
            _wait(probes, time.monotonic() + timeout, timeout, notify)
        finally:
            # Nothing is left here but after Ctrl-C.
            for probe in probes:
                probe.session.cancel([probe.handle])
        return [_outcome(probe) for probe in probes]


@dataclass
class _Probe:
    target: Target
    session: Session
    handle: JobHandle
    told: str = ""
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
        # In this order, so that nothing said before a job's end goes untold.
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
                    # Unless it has ended just now.
                    if probe.handle.state.phase is Phase.CANCELLED:
                        probe.late = f"it did not start within {timeout:g} s: {_describe(state)}"
        waiting[0].handle.ended.wait(STEP)


def _report_progress(probe: _Probe, notify: Callable[[str], None]) -> None:
    news = _describe(probe.handle.state)
    if news != probe.told and not probe.handle.ended.is_set():
        probe.told = news
        notify(f"{probe.target.name}: {news}")


def _started(state: JobState) -> bool:
    if state.phase is Phase.SUBMITTED:
        return state.state not in PENDING
    return state.phase is Phase.RETRIEVING


def _describe(state: JobState) -> str:
    if state.job_id is None:
        return "the job is on its way"
    reason = f" ({state.reason})" if state.reason and state.state in PENDING else ""
    return f"job {state.job_id} is {state.state}{reason}"


def _outcome(probe: _Probe) -> DetectionResult:
    state = probe.handle.state
    if probe.late or state.error:
        return DetectionResult(probe.target, reason=probe.late or str(state.error))
    directory = Path(probe.handle.spec.directory)
    if state.state != "COMPLETED":
        words = _last_lines(directory / OUTPUTS[1])
        return DetectionResult(
            probe.target,
            reason=f"job {state.job_id} ended as {state.state} with exit code {state.exit_code}{words}",
        )
    try:
        text = _beginning(directory / FACTS)
        return DetectionResult(probe.target, processor_info(parse_facts(text)))
    except OSError as error:
        return DetectionResult(probe.target, reason=f"job {state.job_id} left no {FACTS}: {error.strerror}")
    except DetectionError as error:
        return DetectionResult(probe.target, reason=f"job {state.job_id}: {error}")


def _last_lines(file: Path) -> str:
    try:
        lines = _beginning(file).split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return f": {said[-1][:MAX_ERROR]}" if said else ""


def _beginning(file: Path) -> str:
    with file.open("rb") as content:
        return content.read(MAX_FACTS).decode("utf-8", "replace")


def write_processor(outcome: DetectionResult) -> None:
    """Put processor information where ReFrame looks for it; the file is there whole or not at all.

    Raises:
        OSError: it can't be written.
    """
    file = outcome.target.file
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, json.dumps(outcome.processor, indent=2) + "\n")
