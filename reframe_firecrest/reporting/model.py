"""All that a page tells of a run. Pure functions, but for the tails of outputs, which are read from files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reframe_firecrest.errors import ReportError
from reframe_firecrest.journal.liveness import ALIVE, now_of, standing_of
from reframe_firecrest.journal.runs import Run
from reframe_firecrest.overview.lanes import Lane, lanes_of
from reframe_firecrest.overview.summary import Overview, overview_of
from reframe_firecrest.reporting.belonging import belongs
from reframe_firecrest.reporting.figures import Figure, figures_of
from reframe_firecrest.reporting.outputs import Tail, tails_of
from reframe_firecrest.reporting.results import Results
from reframe_firecrest.reporting.spending import Spending, crowd_of, own_spending_of, spending_of
from reframe_firecrest.reporting.tests import BAD, Test, Verdict, join_tests

QUOTED = 50
"""Tests whose output is shown; a run with more failures has one cause for most of them."""


@dataclass(frozen=True)
class Session:
    """What a run did at one system.

    Attributes:
        system: its name at the gateway.
        url: the gateway.
        directory: the run's on the system.
        standing: see `Standing`.
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
        standing: see `Standing`; None without a journal.
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
    figures: Sequence[Figure]
    sessions: Sequence[Session]
    spending: Sequence[Spending]
    own_spending: Sequence[Spending]
    crowd: Mapping[str, Sequence[float]]
    made: float


def report_of(run: Run | None, results: Results | None, now: float | None = None) -> Report:
    """Put together what a run did.

    Args:
        run: what its journals tell, if there are any.
        results: ReFrame's report, if there is one.
        now: seconds since the epoch, at which the page is made.

    Raises:
        ReportError: there is neither, or one is not of the other.
    """
    now = time.time() if now is None else now
    stories = run.stories if run else ()
    standings = [standing_of(story) for story in stories]
    untils = [
        now_of(story) if standing in ALIVE else story.last
        for story, standing in zip(stories, standings, strict=True)
    ]
    lanes = [lane for story, until in zip(stories, untils, strict=True) for lane in lanes_of(story, until)]
    _refuse_strangers(run, lanes, results)
    begins = [story.opened.time for story in stories]
    ends = list(untils)
    if results:
        begins.append(results.session_info.time_start_unix)
        ends.append(results.session_info.time_end_unix)
    begin, end = min(begins), max(ends)
    tests = join_tests(lanes, results, stories[0].opened.stage if stories else "")
    counts = Counter(test.verdict for test in tests)
    return Report(
        run=run.name if run else None,
        standing=run.standing.value if run else None,
        host=results.session_info.hostname if results else stories[0].opened.host,
        reframe=results.session_info.version if results else "",
        plugin=stories[0].opened.version if stories else "",
        judged=results is not None,
        begin=begin,
        end=end,
        verdicts={verdict: counts[verdict] for verdict in Verdict if counts[verdict]},
        tests=tests,
        failures=_failures(tests),
        causes=_causes(tests),
        figures=figures_of(results),
        sessions=[
            _session(overview_of(story, standing, until), len(story.transfers))
            for story, standing, until in zip(stories, standings, untils, strict=True)
        ],
        spending=spending_of(lanes, _names(tests, results)),
        own_spending=own_spending_of(results),
        crowd=crowd_of(lanes, begin, end),
        made=now,
    )


def _refuse_strangers(run: Run | None, lanes: Sequence[Lane], results: Results | None) -> None:
    if run is None and results is None:
        raise ReportError("there is neither a journal nor a report of ReFrame's")
    if run is not None and results is not None and lanes and not belongs(run, results):
        raise ReportError(
            f"ReFrame's report is not of the run {run.name}: neither its session nor any job is the same; "
            "name another run, or leave one of them out"
        )


def _names(tests: Sequence[Test], results: Results | None) -> Mapping[str, str]:
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


def _session(overview: Overview, batches: int) -> Session:
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
