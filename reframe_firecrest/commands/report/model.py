"""Data of a page about a run. Pure functions, except that the ends of outputs are read from files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reframe_firecrest.commands.report.history import (
    FailureHistory,
    PastSession,
    earlier_than,
    failure_history,
    with_past,
)
from reframe_firecrest.commands.report.match_run import matches_run
from reframe_firecrest.commands.report.output_tails import Tail, tails_of
from reframe_firecrest.commands.report.performance import PerformanceValue, performance_values
from reframe_firecrest.commands.report.reframe_report import ReframeReport
from reframe_firecrest.commands.report.time_breakdown import (
    TimeShare,
    concurrency_over_time,
    reframe_time_breakdown,
    time_breakdown,
)
from reframe_firecrest.commands.report.verdicts import BAD, Test, Verdict, join_tests
from reframe_firecrest.journal.run_status import ALIVE, now_of, run_status_of
from reframe_firecrest.journal.runs import Run
from reframe_firecrest.journal.summary import SessionSummary, end_of, summarise_session
from reframe_firecrest.journal.timeline import JobTimeline, timelines_of
from reframe_firecrest.model.errors import ReportError

QUOTED = 50
"""Failed tests whose output is shown; if more tests fail, most of them share one cause."""


@dataclass(frozen=True)
class Session:
    """A run on one system.

    Attributes:
        system: name of the system at the gateway.
        url: address of the gateway.
        directory: directory of the run on the system.
        standing: see `RunStatus`.
        jobs: number of jobs.
        requests: number of requests.
        bytes_sent: bytes, including the overhead of HTTP.
        bytes_received: bytes, including the overhead of HTTP.
        files_sent: number of files in stage directories.
        files_fetched: number of files that jobs created or changed.
        batches: number of transfers for these files.
        left: ids of jobs that may still be queued or running.
    """

    system: str
    url: str
    directory: str
    standing: str
    jobs: int
    requests: int
    bytes_sent: int
    bytes_received: int
    files_sent: int
    files_fetched: int
    batches: int
    left: Sequence[str]


@dataclass(frozen=True)
class Failure:
    """A test that failed or passed unexpectedly.

    Attributes:
        test: the test.
        outputs: the ends of its outputs; None if there are too many failures to show all.
        history: since when it has been failing; None without earlier results of it.
    """

    test: Test
    outputs: Sequence[Tail] | None
    history: FailureHistory | None = None


@dataclass(frozen=True)
class Cause:
    """A reason that several failures share.

    Attributes:
        phase: phase of the failures.
        reason: the reason.
        count: number of tests.
    """

    phase: str
    reason: str
    count: int


@dataclass(frozen=True)
class Report:
    """Data of the page about a run.

    Attributes:
        run: name of the run; None without a journal.
        standing: see `RunStatus`; None without a journal.
        host: host on which ReFrame ran.
        reframe: version of ReFrame; empty if unknown.
        plugin: version of this package; empty if unknown.
        judged: verdicts are known, because there is ReFrame's report.
        begin: start of the run, in seconds since the epoch.
        end: end of the run or, while it is running, its last sign of life, in seconds since the epoch.
        verdicts: number of tests by verdict.
        tests: all tests, failures first.
        failures: see `Failure`.
        causes: see `Cause`; most frequent first.
        figures: performance figures.
        sessions: one entry for each gateway and system.
        spending: the jobs' time by part.
        own_spending: ReFrame's own time by stage.
        crowd: number of jobs in each part over time, from begin to end.
        made: time of this report, in seconds since the epoch.
    """

    run: str | None
    standing: str | None
    host: str
    reframe: str
    plugin: str
    judged: bool
    begin: float
    end: float
    verdicts: Mapping[Verdict, int]
    tests: Sequence[Test]
    failures: Sequence[Failure]
    causes: Sequence[Cause]
    figures: Sequence[PerformanceValue]
    sessions: Sequence[Session]
    spending: Sequence[TimeShare]
    own_spending: Sequence[TimeShare]
    crowd: Mapping[str, Sequence[float]]
    made: float


def report_of(
    run: Run | None,
    results: ReframeReport | None,
    now: float | None = None,
    sessions: Sequence[PastSession] = (),
) -> Report:
    """Collect the data of a run.

    Args:
        run: the run in the journals; None without a journal.
        results: ReFrame's report; None without one.
        now: current time in seconds since the epoch.
        sessions: sessions of the results database, oldest first; those before the run are its history.

    Raises:
        ReportError: both are missing, or they do not belong together.
    """
    now = time.time() if now is None else now
    session_logs = run.session_logs if run else ()
    standings = [run_status_of(session_log) for session_log in session_logs]
    untils = [
        now_of(session_log) if standing in ALIVE else end_of(session_log)
        for session_log, standing in zip(session_logs, standings, strict=True)
    ]
    timelines = [
        timeline
        for session_log, until in zip(session_logs, untils, strict=True)
        for timeline in timelines_of(session_log, until)
    ]
    _check_match(run, timelines, results)
    begins = [session_log.opened.time for session_log in session_logs]
    ends = list(untils)
    if results:
        begins.append(results.session_info.time_start_unix)
        ends.append(results.session_info.time_end_unix)
    begin, end = min(begins), max(ends)
    past = earlier_than(results, sessions)
    tests = join_tests(timelines, results, session_logs[0].opened.stage if session_logs else "")
    counts = Counter(test.verdict for test in tests)
    return Report(
        run=run.name if run else None,
        standing=run.standing.value if run else None,
        host=results.session_info.hostname if results else session_logs[0].opened.host,
        reframe=results.session_info.version if results else "",
        plugin=session_logs[0].opened.version if session_logs else "",
        judged=results is not None,
        begin=begin,
        end=end,
        verdicts={verdict: counts[verdict] for verdict in Verdict if counts[verdict]},
        tests=tests,
        failures=_failures(tests, past, begin),
        causes=_causes(tests),
        figures=with_past(performance_values(results), past, begin),
        sessions=[
            _session(summarise_session(session_log, standing, until), len(session_log.transfers))
            for session_log, standing, until in zip(session_logs, standings, untils, strict=True)
        ],
        spending=time_breakdown(timelines, _names(tests, results)),
        own_spending=reframe_time_breakdown(results),
        crowd=concurrency_over_time(timelines, begin, end),
        made=now,
    )


def _check_match(run: Run | None, timelines: Sequence[JobTimeline], results: ReframeReport | None) -> None:
    if run is None and results is None:
        raise ReportError("there is neither a journal nor a report of ReFrame")
    if run is not None and results is not None and timelines and not matches_run(run, results):
        raise ReportError(
            f"ReFrame's report does not belong to the run {run.name}: they share neither session nor job; "
            "name another run, or leave one of them out"
        )


def _names(tests: Sequence[Test], results: ReframeReport | None) -> Mapping[str, str]:
    """Return the tests' names by stage directory; each attempt has its own directory."""
    names = {test.directory: test.name for test in tests}
    for run in results.runs if results else ():
        names.update({case.stagedir: case.title for case in run.testcases if case.stagedir})
    return names


def _failures(tests: Sequence[Test], past: Sequence[PastSession], begin: float) -> list[Failure]:
    bad = [test for test in tests if test.verdict in BAD]
    return [
        Failure(
            test=test,
            outputs=tails_of(test.directory, test.outputs) if number < QUOTED else None,
            history=failure_history(test, past, begin),
        )
        for number, test in enumerate(bad)
    ]


def _causes(tests: Sequence[Test]) -> list[Cause]:
    counts = Counter((test.phase, test.reason) for test in tests if test.verdict in BAD and test.reason)
    return [Cause(*cause, count) for cause, count in counts.most_common() if count > 1]


def _session(summary: SessionSummary, batches: int) -> Session:
    return Session(
        system=summary.system,
        url=summary.url,
        directory=summary.directory,
        standing=summary.standing,
        jobs=len(summary.jobs),
        requests=summary.requests,
        bytes_sent=summary.bytes_sent,
        bytes_received=summary.bytes_received,
        files_sent=summary.files_sent,
        files_fetched=summary.files_fetched,
        batches=batches,
        left=summary.left,
    )
