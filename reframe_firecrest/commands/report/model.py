"""All that a page tells of a run. Pure functions, but for the tails of outputs, which are read from files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from reframe_firecrest.journal.summary import SessionSummary, summarise_session
from reframe_firecrest.journal.timeline import JobTimeline, timelines_of
from reframe_firecrest.model.errors import ReportError

QUOTED = 50
"""Tests whose output is shown; a run with more failures has one cause for most of them."""


@dataclass(frozen=True)
class Session:
    """What a run did at one system.

    Attributes:
        system: its name at the gateway.
        url: the gateway.
        directory: the run's on the system.
        standing: see `RunStatus`.
        jobs: how many.
        requests: sent.
        bytes_sent: with all that HTTP adds.
        bytes_received: likewise.
        files_sent: files of stage directories.
        files_fetched: files that jobs made or changed.
        batches: transfers by which they travelled.
        left: ids of jobs that may still be there.
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
    """A test that wants an explanation.

    Attributes:
        outputs: the ends of what it printed; None if there are too many failures to show that of all.
    """

    test: Test
    outputs: Sequence[Tail] | None


@dataclass(frozen=True)
class Cause:
    """A reason for which several tests failed.

    Attributes:
        phase: in which they did.
        count: how many.
    """

    phase: str
    reason: str
    count: int


@dataclass(frozen=True)
class Report:
    """What a run did.

    Attributes:
        run: its name; None if there is no journal of it.
        standing: see `RunStatus`; None without a journal.
        host: where ReFrame ran.
        reframe: its version; empty if that is not known.
        plugin: this package's; likewise.
        judged: there is ReFrame's report of it, so verdicts are known.
        begin: seconds since the epoch.
        end: the same; the last that is known of it if it goes on.
        verdicts: how many tests each has.
        tests: all of them, those that want to be seen first at the top.
        failures: see `Failure`.
        causes: see `Cause`, the most frequent first.
        figures: performance figures.
        sessions: one for each gateway and system.
        spending: where the jobs' time went.
        own_spending: how long ReFrame itself worked.
        crowd: how many jobs were in each part of their lives, from begin to end.
        made: when this was put together, in seconds since the epoch.
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


def report_of(run: Run | None, results: ReframeReport | None, now: float | None = None) -> Report:
    """Put together what a run did.

    Args:
        run: what its journals tell, if there are any.
        results: ReFrame's report, if there is one.
        now: seconds since the epoch, at which the page is made.

    Raises:
        ReportError: there is neither, or one is not of the other.
    """
    now = time.time() if now is None else now
    session_logs = run.session_logs if run else ()
    standings = [run_status_of(session_log) for session_log in session_logs]
    untils = [
        now_of(session_log) if standing in ALIVE else session_log.last
        for session_log, standing in zip(session_logs, standings, strict=True)
    ]
    timelines = [
        timeline
        for session_log, until in zip(session_logs, untils, strict=True)
        for timeline in timelines_of(session_log, until)
    ]
    _refuse_strangers(run, timelines, results)
    begins = [session_log.opened.time for session_log in session_logs]
    ends = list(untils)
    if results:
        begins.append(results.session_info.time_start_unix)
        ends.append(results.session_info.time_end_unix)
    begin, end = min(begins), max(ends)
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
        failures=_failures(tests),
        causes=_causes(tests),
        figures=performance_values(results),
        sessions=[
            _session(summarise_session(session_log, standing, until), len(session_log.transfers))
            for session_log, standing, until in zip(session_logs, standings, untils, strict=True)
        ],
        spending=time_breakdown(timelines, _names(tests, results)),
        own_spending=reframe_time_breakdown(results),
        crowd=concurrency_over_time(timelines, begin, end),
        made=now,
    )


def _refuse_strangers(
    run: Run | None, timelines: Sequence[JobTimeline], results: ReframeReport | None
) -> None:
    if run is None and results is None:
        raise ReportError("there is neither a journal nor a report of ReFrame's")
    if run is not None and results is not None and timelines and not matches_run(run, results):
        raise ReportError(
            f"ReFrame's report is not of the run {run.name}: neither its session nor any job is the same; "
            "name another run, or leave one of them out"
        )


def _names(tests: Sequence[Test], results: ReframeReport | None) -> Mapping[str, str]:
    """Return the tests' names by stage directory; each attempt has one of its own."""
    names = {test.directory: test.name for test in tests}
    for one in results.runs if results else ():
        names.update({case.stagedir: case.title for case in one.testcases if case.stagedir})
    return names


def _failures(tests: Sequence[Test]) -> list[Failure]:
    bad = [test for test in tests if test.verdict in BAD]
    return [
        Failure(test, tails_of(test.directory, test.outputs) if number < QUOTED else None)
        for number, test in enumerate(bad)
    ]


def _causes(tests: Sequence[Test]) -> list[Cause]:
    counts = Counter((test.phase, test.reason) for test in tests if test.verdict in BAD and test.reason)
    return [Cause(*cause, count) for cause, count in counts.most_common() if count > 1]


def _session(overview: SessionSummary, batches: int) -> Session:
    return Session(
        system=overview.system,
        url=overview.url,
        directory=overview.directory,
        standing=overview.standing,
        jobs=len(overview.jobs),
        requests=overview.requests,
        bytes_sent=overview.bytes_sent,
        bytes_received=overview.bytes_received,
        files_sent=overview.files_sent,
        files_fetched=overview.files_fetched,
        batches=batches,
        left=overview.left,
    )
