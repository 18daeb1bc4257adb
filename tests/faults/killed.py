"""Kill ReFrame at instants chosen by chance, and clean up after it: nothing must be left.

    python -m tests.faults.killed --times 20 --within 40

The runs go through the gateway that FIRECREST_* name, as those of `tests.faults.restarts` do.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reframe_firecrest.settings import read_settings
from tests.conftest import PROJECT
from tests.faults.onlooker import Seen, look
from tests.faults.restarts import SHOWN, TESTS, begin, workplace

COMMAND = "from reframe_firecrest.cli.main import main; main()"
PATIENCE = 600.0
"""Seconds after which cleaning up is given up."""
STATES = 3
"""Seconds for which Slurm may show as running what it has just ended."""


@dataclass
class Cleaned:
    """Output of `reframe-firecrest clean`, and the leftovers.

    Attributes:
        code: its exit code.
        runs: what it says of the runs that it found.
        errors: what it wrote to standard error.
        seconds: that it took.
        seen: what is there.
    """

    code: int
    runs: Sequence[Mapping[str, Any]]
    errors: str
    seconds: float
    seen: Seen

    @property
    def complaints(self) -> list[str]:
        """One line for each thing that is not as it should be."""
        lines = [f"exit code {self.code}: {self.errors.strip()}"] if self.code else []
        lines += [problem for run in self.runs for problem in run["problems"]]
        lines += [f"left running: {job}" for job in self.seen.unfinished]
        return lines + [f"left on the system: {path}" for path in self.seen.remote]


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill and clean up; the exit code says whether nothing was ever left."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.killed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--times", type=int, default=20, metavar="N", help="how often (default: 20)")
    add("--within", type=float, default=40.0, metavar="SECONDS", help="of the beginning (default: 40)")
    add("--seed", type=int, default=1, help="of the instants (default: 1)")
    add("--tests", type=int, default=TESTS, metavar="N", help=f"beside five others (default: {TESTS})")
    options = parser.parse_args(arguments)
    chance = random.Random(options.seed)
    left = 0
    for _ in range(options.times):
        instant = chance.uniform(0.0, options.within)
        cleaned = kill_and_clean(instant, options.tests)
        print(line(instant, cleaned), flush=True)
        left += bool(cleaned.complaints)
    print(f"{options.times} kills, nothing left after {options.times - left}")
    return 1 if left else 0


def kill_and_clean(instant: float, tests: int) -> Cleaned:
    """Kill a run so many seconds after its beginning, and clean up."""
    with workplace(None) as directory:
        begun = time.time()
        reframe, process, given = begin(directory, tests)
        try:
            reframe.finish(process, instant)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        finally:
            reframe.close()
        started = time.monotonic()
        answer = subprocess.run(
            [sys.executable, "-c", COMMAND, "clean", "--all", "--json"],
            env={**os.environ, **given, "PYTHONPATH": str(PROJECT), "HOME": str(directory)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        seconds = time.monotonic() - started
        runs = json.loads(answer.stdout)["runs"] if answer.stdout else []
        seen = look(read_settings([], given), begun, STATES)
        return Cleaned(answer.returncode, runs, answer.stderr, seconds, seen)


def line(instant: float, cleaned: Cleaned) -> str:
    """Describe the outcome in one line."""
    cancelled = sum(len(run["cancelled"]) for run in cleaned.runs)
    removed = sum(bool(run["removed"]) for run in cleaned.runs)
    jobs = sum(cleaned.seen.jobs.values())
    unlike = cleaned.complaints
    more = f"; and {len(unlike) - SHOWN} more" if len(unlike) > SHOWN else ""
    came = "; ".join(unlike[:SHOWN]) + more or "nothing left"
    return (
        f"killed after {instant:.1f} s: {jobs} jobs by then, {cancelled} cancelled, "
        f"{removed} directories removed in {cleaned.seconds:.0f} s: {came}"
    )


if __name__ == "__main__":
    sys.exit(main())
