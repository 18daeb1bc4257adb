"""Tests of a run: their jobs from the journal, joined with their verdicts from ReFrame's report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath

from reframe_firecrest.commands.report.reframe_report import CaseResult, ReframeReport
from reframe_firecrest.journal.events import JobMoved
from reframe_firecrest.journal.timeline import JobTimeline
from reframe_firecrest.model.job import Phase
from reframe_firecrest.model.job_times import Span
from reframe_firecrest.model.run_names import PROVISIONAL

WHOLE = "unknown parts"
"""A test's time if only its beginning and its end are known."""


class Verdict(str, Enum):
    """Verdict of a test, in the order of the page."""

    FAILED = "failed"
    XPASSED = "passed unexpectedly"
    ABORTED = "aborted"
    UNFINISHED = "unfinished"
    ENDED = "ended"
    """Its job ended without an error, but there is no verdict from ReFrame."""
    SKIPPED = "skipped"
    XFAILED = "failed as expected"
    PASSED = "passed"


BAD = frozenset({Verdict.FAILED, Verdict.XPASSED, Verdict.ABORTED})
"""Verdicts of failures."""

RESULTS: Mapping[str, Verdict] = {
    "pass": Verdict.PASSED,
    "fail": Verdict.FAILED,
    "abort": Verdict.ABORTED,
    "xfail": Verdict.XFAILED,
    "xpass": Verdict.XPASSED,
    "skip": Verdict.SKIPPED,
    "fail_deps": Verdict.SKIPPED,
}
"""Verdicts by `RegressionTask.result` of ReFrame 4.10."""

_RANK = {verdict: rank for rank, verdict in enumerate(Verdict)}


@dataclass(frozen=True)
class Test:
    """A test case with all its attempts.

    Attributes:
        name: name with its parameters.
        where: system, partition and environment, as in ReFrame's output.
        verdict: its verdict.
        hashcode: hash that selects it: ``-n /HASH``; None if unknown.
        description: one line.
        attempts: number of attempts.
        jobs: ids of its jobs, in the order of submission.
        nodes: nodes of the last job, in Slurm's notation.
        spans: parts of its time.
        seconds: total time; None if unknown.
        phase: phase of ReFrame's pipeline, or of the job, in which it failed.
        reason: why it failed.
        directory: its stage directory on this machine.
        outputs: names of the output files in the directory.
    """

    # Otherwise pytest would collect it as a test.
    __test__ = False

    name: str
    where: str
    verdict: Verdict
    hashcode: str | None
    description: str
    attempts: int
    jobs: Sequence[str]
    nodes: str
    spans: Sequence[Span]
    seconds: float | None
    phase: str
    reason: str
    directory: str
    outputs: Sequence[str]

    @property
    def begin(self) -> float:
        """Start in seconds since the epoch; infinite if unknown."""
        return self.spans[0].begin if self.spans else float("inf")


def join_tests(timelines: Sequence[JobTimeline], results: ReframeReport | None, stage: str) -> list[Test]:
    """Join jobs and verdicts; return the tests, failures first, then by their start.

    Args:
        timelines: the jobs of the run.
        results: ReFrame's report; None without one.
        stage: ReFrame's stage prefix, from which tests without a report get their names.
    """
    waiting: dict[str, list[JobTimeline]] = defaultdict(list)
    for timeline in timelines:
        waiting[timeline.last.directory].append(timeline)
    attempts: dict[object, list[tuple[CaseResult, list[JobTimeline]]]] = defaultdict(list)
    for case in _cases(results):
        attempts[case.key].append((case, waiting.pop(case.stagedir or "", [])))
    found = [_reported(entry) for entry in attempts.values()]
    found += [_unreported(directory, left, stage) for directory, left in waiting.items()]
    return sorted(found, key=lambda test: (_RANK[test.verdict], test.begin, test.name))


def _cases(results: ReframeReport | None) -> Iterable[CaseResult]:
    for one in results.runs if results else ():
        yield from one.testcases


def _reported(attempts: Sequence[tuple[CaseResult, Sequence[JobTimeline]]]) -> Test:
    verdicts = [RESULTS.get(case.result, Verdict.ENDED) for case, _ in attempts]
    decisive = len(attempts) - 1
    if Verdict.PASSED in verdicts[:-1]:
        # Only --reruns and --duration repeat a test that has passed, and then every run counts.
        decisive = min(range(len(attempts)), key=lambda place: (_RANK[verdicts[place]], -place))
    case, timelines = attempts[decisive]
    every = [timeline for _, own in attempts for timeline in own]
    spans = [span for timeline in every for span in timeline.spans]
    if not spans:
        spans = [span for one, _ in attempts for span in _outline(one)]
    totals = [one.time_total for one, _ in attempts if one.time_total is not None]
    verdict = verdicts[decisive]
    jobs = [timeline.last.job_id for timeline in every] or [case.jobid for case, _ in attempts]
    return Test(
        name=case.title,
        where=case.where,
        verdict=verdict,
        hashcode=case.hashcode,
        description=case.descr or "",
        attempts=len(attempts),
        jobs=[job_id for job_id in jobs if job_id and not job_id.startswith(PROVISIONAL)],
        nodes=timelines[-1].last.nodes if timelines else ",".join(case.job_nodelist or ()),
        spans=spans,
        seconds=sum(totals) if totals else None,
        phase="" if verdict is Verdict.PASSED else case.fail_phase or "",
        reason=_reason(case),
        directory=case.stagedir or "",
        outputs=_outputs(case),
    )


def _reason(case: CaseResult) -> str:
    if case.result == "fail_deps":
        return case.fail_reason or "a test that it depends on failed"
    return case.fail_reason or ""


def _outline(case: CaseResult) -> Iterable[Span]:
    # The end is by Slurm's clock, so it is limited by the duration that ReFrame measured.
    begin, end, longest = case.job_submit_time, case.job_completion_time_unix, case.time_total
    if begin and end and end >= begin:
        yield Span(WHOLE, begin, end if longest is None else min(end, begin + longest))


def _outputs(case: CaseResult) -> list[str]:
    built = [case.build_stdout, case.build_stderr]
    ran = [case.job_stdout, case.job_stderr]
    # A test that failed to compile has no other output.
    names = built if (case.fail_phase or "").startswith("compile") else ran
    return [name for name in names if name]


def _unreported(directory: str, timelines: Sequence[JobTimeline], stage: str) -> Test:
    last = timelines[-1]
    below = PurePath(directory).relative_to(stage).parts if PurePath(directory).is_relative_to(stage) else ()
    # SYSTEM/PARTITION/ENVIRONMENT/TEST, as ReFrame lays out its stage prefix.
    *place, name = below or (PurePath(directory).name,)
    verdict = next(verdict for verdict, applies in _WITHOUT_REPORT if applies(last))
    bad = verdict in BAD
    return Test(
        name=name,
        where=f"{place[0]}:{place[1]}+{place[2]}"
        if len(place) == len(("system", "partition", "environ"))
        else "",
        verdict=verdict,
        hashcode=None,
        description="",
        attempts=1,
        jobs=[timeline.last.job_id for timeline in timelines if timeline.last.job_id],
        nodes=last.last.nodes,
        spans=[span for timeline in timelines for span in timeline.spans],
        seconds=last.end - timelines[0].begin,
        phase=_phase(last) if bad else "",
        reason=_job_failure(last.last) if bad else "",
        directory=directory,
        outputs=["rfm_job.out", "rfm_job.err", "rfm_build.out", "rfm_build.err"],
    )


def _job_failure(job: JobMoved) -> str:
    return job.error or f"Slurm: {job.state}, exit code {job.exit_code}"


def _phase(timeline: JobTimeline) -> str:
    return timeline.before if timeline.last.phase in (Phase.FAILED.value, Phase.CANCELLED.value) else "run"


_WITHOUT_REPORT: Sequence[tuple[Verdict, Callable[[JobTimeline], bool]]] = (
    (Verdict.UNFINISHED, lambda timeline: not timeline.over),
    (Verdict.ABORTED, lambda timeline: timeline.last.phase == Phase.CANCELLED.value),
    (Verdict.FAILED, lambda timeline: timeline.last.phase == Phase.FAILED.value),
    (Verdict.FAILED, lambda timeline: timeline.last.state not in (None, "COMPLETED")),
    (Verdict.FAILED, lambda timeline: bool(timeline.last.exit_code)),
    (Verdict.ENDED, lambda _: True),
)
"""Verdicts of a test without a report, by its last job; the first that applies."""
