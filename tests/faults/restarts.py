"""Kill something in the middle of a run and start it again.

The run goes through the gateway that FIRECREST_* name, with the settings that users have who change none, and
must come out as an undisturbed run did. What is killed is for the commands to say: the gateway, Slurm's
daemons, an identity provider, an object store.

    python -m tests.faults.restarts --kill 'kill -9 1234' --start './start-it' --after 8 20 --for 10 90
"""

from __future__ import annotations

import argparse
import itertools
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.journal.reader import session_logs
from reframe_firecrest.settings import read_settings
from tests.conftest import PROJECT, GatewayUnderTest
from tests.e2e.conftest import SUITE, ReFrame
from tests.faults.compare import differences
from tests.faults.onlooker import ledger_of, look
from tests.faults.running import Outcome, checksums, tests_of

CHECKS = ("soak.py", "disturbed.py")
OPTIONS = ("-x", "AllNodes")
"""The number of nodes is unknown."""
TESTS = 24
JOURNALS = "journals"
SECONDS = 4.0
"""Approximate duration of a job's sleep."""
LARGE = 8_000_000
"""Bytes of a file that can't go through a gateway directly, by FirecREST's defaults."""
PATIENCE = 1200.0
"""Seconds after which a run is killed."""
GRACE = 150.0
"""Seconds that a run may take longer than something is away: gateways look at their systems every minute."""
ENDING = 60.0
"""Seconds that jobs may take to end after ReFrame has."""
SHOWN = 6
"""Differences that a line shows."""


@dataclass(frozen=True)
class Absence:
    """The disturbance of a run.

    Attributes:
        kill: shell command that takes something away.
        start: shell command that brings it back; it may wait until it is there.
        after: seconds from the beginning of the run to the kill.
        lasting: seconds from the kill to the start.
    """

    kill: str
    start: str
    after: float
    lasting: float


@dataclass(frozen=True)
class Times:
    """When it was away, in seconds since the epoch; `started` is when it began to come back."""

    killed: float
    started: float


@dataclass
class Run:
    """A run, and what was done to it.

    Attributes:
        outcome: result of the run.
        absence: when something was away, None if the run was over before.
        moves: times at which any of its jobs made progress, in seconds since the epoch.
        ended: when it ended, in seconds since the epoch.
    """

    outcome: Outcome
    absence: Times | None
    moves: Sequence[float]
    ended: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run undisturbed, then once for each instant and duration; the exit code says whether all survived."""
    options = _parser().parse_args(arguments)
    expected = run(None, options.tests, _place(options.keep, "undisturbed")).outcome
    jobs = sum(expected.jobs.values())
    print(f"undisturbed: {len(expected.tests)} tests, {jobs} jobs, {expected.seconds:.0f} s", flush=True)
    if not expected.tests or expected.unfinished:
        print(expected.output)
        return 1
    survived = True
    absences = itertools.product(options.after, options.lasting)
    for number, (after, lasting) in enumerate(absences, start=1):
        absence = Absence(options.kill, options.start, after, lasting)
        found = run(absence, options.tests, _place(options.keep, f"{number}-{after:g}-{lasting:g}"))
        line, well = verdict(absence, expected, found)
        print(line, flush=True)
        survived = survived and well
    return 0 if survived else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.restarts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--kill", required=True, metavar="COMMAND", help="takes it away")
    add("--start", required=True, metavar="COMMAND", help="brings it back")
    add(
        "--after",
        type=float,
        nargs="+",
        required=True,
        metavar="SECONDS",
        help="from the beginning of the run to the kill; a run for each",
    )
    add(
        "--for",
        dest="lasting",
        type=float,
        nargs="+",
        required=True,
        metavar="SECONDS",
        help="from the kill to the start; a run for each",
    )
    add("--tests", type=int, default=TESTS, metavar="N", help=f"beside five others (default: {TESTS})")
    add("--keep", type=Path, metavar="DIRECTORY", help="where the runs leave what they leave")
    return parser


def _place(keep: Path | None, name: str) -> Path | None:
    return keep and keep / name


def run(absence: Absence | None, tests: int, place: Path | None = None) -> Run:
    """Run the suite through the gateway that the environment names.

    Args:
        absence: what is done to it, if anything.
        tests: how many, beside those of the small suite.
        place: where it leaves what it leaves; otherwise nothing remains.
    """
    with workplace(place) as directory:
        return _run_in(directory, absence, tests)


@contextmanager
def workplace(place: Path | None) -> Iterator[Path]:
    """Make a directory that only we can look into: paths that were not translated must not work for jobs.

    Args:
        place: where it is and stays; otherwise nothing remains of it.
    """
    if place is not None:
        place.mkdir(parents=True, mode=0o700)
        yield place.resolve()
        return
    directory = Path(tempfile.mkdtemp(prefix="reframe-firecrest-restarts-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def begin(directory: Path, tests: int) -> tuple[ReFrame, subprocess.Popen[str], dict[str, str]]:
    """Start ReFrame in a namespace of its own; returns also the variables that name it.

    Args:
        directory: where it leaves what it leaves, journals too.
        tests: how many, beside those of the small suite.
    """
    given = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("FIRECREST_") or name == "AUTH_TOKEN_URL"
    }
    given["FIRECREST_NAMESPACE"] = f"restarts-{secrets.token_hex(3)}"
    given["FIRECREST_JOURNAL_DIR"] = str(directory / JOURNALS)
    reframe = ReFrame(directory, GatewayUnderTest("given", given))
    process = reframe.start(
        [str(SUITE / name) for name in CHECKS],
        *OPTIONS,
        config=PROJECT / "config/sandbox.py",
        environment={
            "SOAK_TESTS": str(tests),
            "SOAK_SECONDS": str(SECONDS),
            "SOAK_LARGE": str(LARGE),
            "FAULTS_LEDGER": ledger_of(read_settings([], given)),
            "TMPDIR": str(directory),
        },
    )
    return reframe, process, given


def _run_in(directory: Path, absence: Absence | None, tests: int) -> Run:
    over, begun = threading.Event(), time.time()
    with ThreadPoolExecutor(1) as pool:
        reframe, process, given = begin(directory, tests)
        away = pool.submit(fault_injection, absence, over) if absence else None
        try:
            left = reframe.finish(process, PATIENCE)
            outcome = Outcome(left.code, tests_of(left.report), output=left.output)
        except subprocess.TimeoutExpired:
            outcome = Outcome(None)
        finally:
            ended = time.time()
            over.set()
            reframe.close()
        times = away.result() if away else None
    outcome.seconds = ended - begun
    Path(directory, "output.txt").write_text(outcome.output, encoding="utf-8")
    seen = look(read_settings([], given), begun, ENDING)
    outcome.jobs, outcome.unfinished, outcome.remote = seen.jobs, seen.unfinished, seen.remote
    outcome.files = dict(checksums(directory, given["FIRECREST_NAMESPACE"]))
    moves = [
        move.time
        for session_log in session_logs(directory / JOURNALS)
        for moved in session_log.moves.values()
        for move in moved
    ]
    return Run(outcome, times, sorted(moves), ended)


def fault_injection(absence: Absence, over: threading.Event) -> Times | None:
    """Take something away and bring it back; None if the run was over before.

    Args:
        absence: what, and when.
        over: set when the run is.

    Raises:
        CalledProcessError: one of the commands failed.
    """
    if over.wait(absence.after):
        return None
    killed = time.time()
    try:
        subprocess.run(absence.kill, shell=True, check=True, stdout=subprocess.DEVNULL)
        time.sleep(absence.lasting)
    finally:
        # Whatever happens, what is shared with others is not left without it.
        started = time.time()
        subprocess.run(absence.start, shell=True, check=True, stdout=subprocess.DEVNULL)
    return Times(killed, started)


def standstill(times: Times, moves: Iterable[float], end: float) -> float:
    """Return the longest time without progress, in seconds, of those that began before the restart.

    Args:
        times: when it was away.
        moves: times of progress, in order.
        end: of the run.
    """
    instants = [times.killed, *(at for at in moves if at > times.killed), end]
    return max(after - before for before, after in itertools.pairwise(instants) if before <= times.started)


def went_on(times: Times, moves: Iterable[float]) -> float | None:
    """Return the seconds from the restart to the first progress, None without progress."""
    return next((at - times.started for at in moves if at > times.started), None)


def verdict(absence: Absence, expected: Outcome, found: Run) -> tuple[str, bool]:
    """Describe a run's outcome in one line; return it and true if the run survived."""
    where = f"after {absence.after:g} s for {absence.lasting:g} s"
    outcome, times = found.outcome, found.absence
    if times is None:
        return f"{where}: the run was over before", False
    unlike = differences(expected, outcome, absence.lasting + GRACE)
    more = f"; and {len(unlike) - SHOWN} more" if len(unlike) > SHOWN else ""
    came = "as undisturbed" if not unlike else "; ".join(unlike[:SHOWN]) + more
    again = went_on(times, found.moves)
    jobs = sum(outcome.jobs.values())
    figures = [
        f"{len(outcome.tests)} tests",
        f"{jobs} jobs",
        f"{outcome.seconds:.0f} s instead of {expected.seconds:.0f} s",
        f"nothing moved for {standstill(times, found.moves, found.ended):.0f} s",
        "nothing went on" if again is None else f"it went on {again:.0f} s after the start",
    ]
    return f"{where}: {', '.join(figures)}: {came}", not unlike


if __name__ == "__main__":
    sys.exit(main())
