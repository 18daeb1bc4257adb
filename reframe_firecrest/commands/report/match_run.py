"""Match journals and reports by identifiers that both contain, not by times."""

from __future__ import annotations

from pathlib import Path

from reframe_firecrest.commands.report.reframe_report import ReframeReport
from reframe_firecrest.journal.events import Opened
from reframe_firecrest.journal.reader import read_opening
from reframe_firecrest.journal.runs import Run, runs_in
from reframe_firecrest.journal.writer import SUFFIX
from reframe_firecrest.model.errors import RunError


def matches_run(run: Run, results: ReframeReport) -> bool:
    """Report whether a journal and a report belong to the same run.

    They have the same id of ReFrame's session or, if the journal has none, a job with the same id in the same
    stage directory.
    """
    sessions = {session_log.opened.session for session_log in run.session_logs if session_log.opened.session}
    if sessions and results.session_info.uuid:
        return results.session_info.uuid in sessions
    jobs = {
        (job.directory, job.job_id)
        for session_log in run.session_logs
        for job in session_log.jobs.values()
        if job.job_id
    }
    return not jobs.isdisjoint((case.stagedir, case.jobid) for one in results.runs for case in one.testcases)


def find_run(directory: Path, results: ReframeReport) -> Run:
    """Return the run that a report belongs to.

    Args:
        directory: directory of the journals.
        results: the report.

    Raises:
        RunError: there is no such run, or a journal can't be read.
    """
    openings = _openings(directory)
    # The openings suffice to select the journals to read.
    same = [one.run for one in openings if one.session and one.session == results.session_info.uuid]
    unknown = [one.run for one in openings if not (one.session and results.session_info.uuid)]
    for name in dict.fromkeys([*same, *unknown]):
        for run in runs_in(directory, name):
            if run.name == name and matches_run(run, results):
                return run
    raise RunError(
        f"there is no journal of this report's run in {directory}; "
        "set FIRECREST_JOURNAL_DIR if your journals are elsewhere"
    )


def _openings(directory: Path) -> list[Opened]:
    """Return the openings of all journals, newest first."""
    found = []
    for path in sorted(directory.glob(f"*{SUFFIX}"), reverse=True):
        try:
            opened = read_opening(path)
        except OSError as error:
            raise RunError(f"{path} can't be read: {error.strerror or error}") from None
        if opened is not None:
            found.append(opened)
    return found
