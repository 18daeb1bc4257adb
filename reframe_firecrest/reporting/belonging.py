"""Which journal and which report are of the same run."""

from __future__ import annotations

from pathlib import Path

from reframe_firecrest.errors import RunError
from reframe_firecrest.journal.runs import Run, names_in, runs_in
from reframe_firecrest.reporting.results import Results
from reframe_firecrest.runs import begun_at


def belongs(run: Run, results: Results) -> bool:
    """Tell whether a journal and a report are of the same run: it has stage directories of its time."""
    session = results.session_info
    if not session.time_start_unix <= run.begun <= session.time_end_unix:
        return False
    staged = {case.stagedir for one in results.runs for case in one.testcases}
    jobs = [job for story in run.stories for job in story.jobs.values()]
    return not jobs or any(job.directory in staged for job in jobs)


def run_of(directory: Path, results: Results) -> Run:
    """Return the run that a report is of.

    Args:
        directory: where the journals are.
        results: the report.

    Raises:
        RunError: there is none, or a journal can't be read.
    """
    session = results.session_info
    for name in names_in(directory):
        begun = begun_at(name)
        # Names tell whole seconds. So not all journals need be read.
        if begun is None or not session.time_start_unix - 1 <= begun <= session.time_end_unix:
            continue
        for run in runs_in(directory, name):
            if belongs(run, results):
                return run
    raise RunError(
        f"there is no journal of this report's run in {directory}; FIRECREST_JOURNAL_DIR says where they are"
    )
