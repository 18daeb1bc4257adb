"""Jobs that print facts about the system; they run through a session like a test's."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.commands.detect.script import OUTPUTS, SCRIPT
from reframe_firecrest.commands.targets import Target
from reframe_firecrest.model.job import JobHandle, JobSpec, JobState, Phase
from reframe_firecrest.model.slurm_states import PENDING
from reframe_firecrest.model.units import format_duration
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
class Probe:
    """One job.

    Attributes:
        target: its partition.
        name: its name in messages, which begins with the system and a colon; no other job has it.
        job_name: its name in Slurm.
        script: its script.
        facts: name of the file that it writes.
    """

    target: Target
    name: str
    job_name: str
    script: str
    facts: str


@dataclass(frozen=True)
class ProbeResult:
    """Result of one job.

    Attributes:
        text: content of its file; None if there is none.
        reason: why there is none.
        job_id: its id in Slurm.
    """

    text: str | None = None
    reason: str = ""
    job_id: str | None = None


def run_probes(
    probes: Sequence[Probe],
    *,
    timeout: float,
    notify: Callable[[str], None],
    open_session: OpenSession = get_session,
) -> list[ProbeResult]:
    """Submit all jobs, wait for them and read their files.

    Args:
        probes: the jobs.
        timeout: seconds after which a job that has not started is cancelled.
        notify: called with one line about each change.
        open_session: opens a session from settings and a stage prefix.
    """
    if not probes:
        return []
    with tempfile.TemporaryDirectory(prefix="reframe-firecrest-detect-") as stage:
        LOGS.start()
        running = [_submit(probe, stage, open_session) for probe in probes]
        try:
            _wait(running, time.monotonic() + timeout, timeout, notify)
        finally:
            # Only after Ctrl-C are there jobs to cancel.
            for each in running:
                each.session.cancel([each.handle])
        return [_result(each) for each in running]


@dataclass
class _Running:
    probe: Probe
    session: Session
    handle: JobHandle
    reported: str = ""
    late: str = ""


def _submit(probe: Probe, stage: str, open_session: OpenSession) -> _Running:
    target = probe.target
    directory = Path(stage, target.system, probe.name.partition(":")[2])
    directory.mkdir(parents=True)
    (directory / SCRIPT).write_text(probe.script, encoding="utf-8")
    session = open_session(target.settings, stage)
    spec = JobSpec(probe.job_name, str(directory), SCRIPT, OUTPUTS, target.settings.account)
    return _Running(probe, session, session.submit(spec))


def _wait(
    running: Sequence[_Running], deadline: float, timeout: float, notify: Callable[[str], None]
) -> None:
    while True:
        # In this order, so that messages from before a job's end are reported.
        waiting = [each for each in running if not each.handle.ended.is_set()]
        for each in running:
            _report_progress(each, notify)
        for level, text in LOGS.take():
            if level >= logging.WARNING:
                notify(text)
        if not waiting:
            return
        if time.monotonic() > deadline:
            for each in waiting:
                state = each.handle.state
                if not _started(state):
                    each.session.cancel([each.handle])
                    # It may have ended just now.
                    if each.handle.state.phase is Phase.CANCELLED:
                        each.late = f"it did not start within {format_duration(timeout)}: {_describe(state)}"
        waiting[0].handle.ended.wait(STEP)


def _report_progress(each: _Running, notify: Callable[[str], None]) -> None:
    news = _describe(each.handle.state)
    if news != each.reported and not each.handle.ended.is_set():
        each.reported = news
        notify(f"{each.probe.name}: {news}")


def _started(state: JobState) -> bool:
    if state.phase is Phase.SUBMITTED:
        return state.state not in PENDING
    return state.phase is Phase.RETRIEVING


def _describe(state: JobState) -> str:
    if state.job_id is None:
        return "the job is being submitted"
    reason = f" ({state.reason})" if state.reason and state.state in PENDING else ""
    return f"job {state.job_id} is {state.state}{reason}"


def _result(each: _Running) -> ProbeResult:
    state = each.handle.state
    if each.late or state.error:
        return ProbeResult(reason=each.late or str(state.error))
    directory = Path(each.handle.spec.directory)
    if state.state != "COMPLETED":
        last_line = _last_line(directory / OUTPUTS[1])
        return ProbeResult(
            reason=f"job {state.job_id} ended as {state.state} with exit code {state.exit_code}{last_line}"
        )
    facts = each.probe.facts
    try:
        return ProbeResult(_beginning(directory / facts), job_id=state.job_id)
    except OSError as error:
        return ProbeResult(reason=f"job {state.job_id} left no {facts}: {error.strerror}")


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
