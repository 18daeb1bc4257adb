"""The tests of a run: what the journal knows of their jobs, and ReFrame's report of their verdicts."""

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

WHOLE = "not told apart"
"""The part of a test's time of which only its beginning and its end are known."""


class Verdict(str, Enum):
    """What became of a test, what wants to be seen first at the top."""

    FAILED = "failed"
    XPASSED = "passed unexpectedly"
    ABORTED = "aborted"
    UNFINISHED = "unfinished"
    ENDED = "ended"
    """Its job has, without an error; whether the test passed is for ReFrame to say, which has not."""
    SKIPPED = "skipped"
    XFAILED = "failed as expected"
    PASSED = "passed"


BAD = frozenset({Verdict.FAILED, Verdict.XPASSED, Verdict.ABORTED})
"""Verdicts that want an explanation."""

RESULTS: Mapping[str, Verdict] = {
    "pass": Verdict.PASSED,
    "fail": Verdict.FAILED,
    "abort": Verdict.ABORTED,
    "xfail": Verdict.XFAILED,
    "xpass": Verdict.XPASSED,
    "skip": Verdict.SKIPPED,
    "fail_deps": Verdict.SKIPPED,
}
"""By `RegressionTask.result` of ReFrame 4.10."""

_RANK = {verdict: rank for rank, verdict in enumerate(Verdict)}


@dataclass(frozen=True)
class Test:
    """A test case; all its attempts together.

    Attributes:
        name: with its parameters.
        where: ReFrame's system, partition and environment, as in ReFrame's own output.
        hashcode: selects it: ``-n /HASH``; None if it is not known.
        description: one line.
        attempts: how often ReFrame has tried it.
        jobs: Slurm's ids, in the order of submission.
        nodes: of the last job, in Slurm's notation.
        spans: where its time went.
        seconds: that all of it took; None if that is not known.
        phase: of ReFrame's pipeline, or of the job's, in which it failed.
        reason: why it failed.
        directory: its stage directory here.
        outputs: names of the files there with what it printed.
    """

    # pytest takes it for one of its own.
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
        """Seconds since the epoch; infinite if it is not known."""
        return self.spans[0].begin if self.spans else float("inf")


def join_tests(timelines: Sequence[JobTimeline], results: ReframeReport | None, stage: str) -> list[Test]:
    """Join jobs and verdicts; return the tests, the bad ones first, then by when they began.

    Args:
        timelines: the jobs of the run.
        results: ReFrame's report, if there is one.
        stage: ReFrame's stage prefix, by which tests get a name of which nothing else is known.
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
        # Only --reruns and --duration repeat a test that has passed, and there every run counts.
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
        return case.fail_reason or "a test that it depends on has failed"
    return case.fail_reason or ""


def _outline(case: CaseResult) -> Iterable[Span]:
    # The end is by Slurm's clock, and only durations by ReFrame's own are sure.
    begin, end, longest = case.job_submit_time, case.job_completion_time_unix, case.time_total
    if begin and end and end >= begin:
        yield Span(WHOLE, begin, end if longest is None else min(end, begin + longest))


def _outputs(case: CaseResult) -> list[str]:
    built = [case.build_stdout, case.build_stderr]
    ran = [case.job_stdout, case.job_stderr]
    # What failed while it was compiled has printed nothing else.
    wanted = built if (case.fail_phase or "").startswith("compile") else ran
    return [name for name in wanted if name]


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
"""What is to be said of a test by its last job alone."""
