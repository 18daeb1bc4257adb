"""Earlier sessions of a run's tests: past performance figures, and since when a test has been failing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from reframe_firecrest.commands.report.performance import PastValue, PerformanceValue, performance_values
from reframe_firecrest.commands.report.reframe_report import ReframeReport
from reframe_firecrest.commands.report.verdicts import BAD, Test, Verdict, join_tests
from reframe_firecrest.commands.results_database import newest_sessions

MOST_SESSIONS = 200
"""Newest sessions that are read: a figure may be missing in most of them, such as one that is weekly."""

MOST_VALUES = 30
"""Values of a figure that the page shows, including the run's own."""

TestKey = tuple[str, str]
"""Name with parameters, and system, partition and environment."""

FigureKey = tuple[str, str, str]
"""Test, place and name of a performance variable."""

_CONCLUSIVE = BAD | {Verdict.PASSED, Verdict.XFAILED}


@dataclass(frozen=True)
class PastSession:
    """Results of an earlier session.

    Attributes:
        uuid: ReFrame's id of the session.
        begin: its start in seconds since the epoch.
        values: performance figures.
        failed: tests that passed (False) or failed (True); without those that were skipped.
    """

    uuid: str
    begin: float
    values: Mapping[FigureKey, float]
    failed: Mapping[TestKey, bool]


@dataclass(frozen=True)
class FailureHistory:
    """Consecutive sessions in which a test has failed.

    Attributes:
        since: start of the first of them, in seconds since the epoch.
        sessions: number of them, including this one.
        passed: start of the last session in which it passed, like `since`; None if none is known.
    """

    since: float
    sessions: int
    passed: float | None


def read_history(path: Path) -> list[PastSession]:
    """Read the newest sessions of a results database, oldest first; those in an unknown format are left out.

    Raises:
        ReportError: the file is missing or is not a results database.
    """
    sessions = []
    for text in newest_sessions(path, MOST_SESSIONS):
        try:
            sessions.append(past_session(ReframeReport.model_validate_json(text)))
        except ValidationError:
            continue
    return sessions[::-1]


def past_session(results: ReframeReport) -> PastSession:
    """Return what the history needs of a session's report."""
    figures = performance_values(results)
    tests = join_tests((), results, "")
    return PastSession(
        uuid=results.session_info.uuid,
        begin=results.session_info.time_start_unix,
        values={_key(figure): figure.value for figure in figures if figure.value is not None},
        failed={
            (test.name, test.where): test.verdict in BAD for test in tests if test.verdict in _CONCLUSIVE
        },
    )


def earlier_than(results: ReframeReport | None, sessions: Sequence[PastSession]) -> list[PastSession]:
    """Return the sessions before a report's own."""
    if results is None:
        return []
    info = results.session_info
    return [
        session for session in sessions if session.uuid != info.uuid and session.begin <= info.time_start_unix
    ]


def with_past(
    figures: Iterable[PerformanceValue], sessions: Sequence[PastSession], now: float
) -> list[PerformanceValue]:
    """Add past values to the figures of a run that began at `now`."""
    return [replace(figure, past=_past(figure, sessions, now)) for figure in figures]


def _past(figure: PerformanceValue, sessions: Sequence[PastSession], now: float) -> list[PastValue]:
    key = _key(figure)
    past = [PastValue(session.begin, session.values[key]) for session in sessions if key in session.values]
    if not past:
        return []
    own = [] if figure.value is None else [PastValue(now, figure.value)]
    return [*past, *own][-MOST_VALUES:]


def failure_history(test: Test, sessions: Sequence[PastSession], now: float) -> FailureHistory | None:
    """Return since when a test that failed in a run that began at `now` has failed; None if it is new."""
    key = (test.name, test.where)
    known = [(session.begin, session.failed[key]) for session in sessions if key in session.failed]
    if not known:
        return None
    streak = [now]
    for begin, failed in reversed(known):
        if not failed:
            return FailureHistory(streak[-1], len(streak), begin)
        streak.append(begin)
    return FailureHistory(streak[-1], len(streak), None)


def _key(figure: PerformanceValue) -> FigureKey:
    return (figure.test, figure.where, figure.name)
