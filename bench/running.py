"""Run the suite in ReFrame, with or without a gateway."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from bench.bounds import measure_bounds
from bench.cases import FIRECREST, Case
from bench.runs import ProcessFigures, Run, contradictions, traffic_of
from firecrest_sandbox import Sandbox, SandboxConfig, SandboxError

HERE = Path(__file__).resolve().parent

LIMIT_S = 3600.0
"""Seconds after which a run has failed."""

TIMED_OUT = f"not finished after {LIMIT_S:.0f} s"

PROCESS_FILE = "process.json"
"""File in which bench/settings.py reports its measurements."""

LISTINGS = 7
"""Number of lists whose median counts: a single list of half a second varies too much."""

IDLE = 8.0
"""Seconds without jobs before a run on a real system. Slurm schedules batch jobs every three seconds by
default (batch_sched_delay), so the last jobs of a run would delay the first ones of the next."""


def measure(case: Case, api: Literal["v1", "v2"] = "v2") -> Run:
    """Run a case once, through a new sandbox with the given version of the API if it needs one."""
    if case.listing:
        return list_tests(case)
    if case.is_on_a_system:
        time.sleep(IDLE)
    if case.partition != FIRECREST or case.latency is None:
        return run_reframe(case, {})
    # Other versions of the sandbox know no history.
    history = {"history": case.history} if case.history else {}
    config = SandboxConfig.model_validate(
        {
            "api": api,
            "nodes": 8,
            "cpus": 64,
            "latency": case.latency,
            "runner": "slurm" if case.over_slurm else "embedded",
            **history,
        }
    )
    try:
        with Sandbox(config) as sandbox:
            run = run_reframe(case, sandbox.environment())
            run.remarks += contradictions(run.traffic, sandbox.stats())
            return run
    except SandboxError as error:
        return Run(remarks=[str(error)])


def list_tests(case: Case) -> Run:
    """List the tests several times; return the median wall time and memory."""
    runs = []
    for _ in range(LISTINGS):
        with _scratch() as scratch:
            begun = time.monotonic()
            answer = _start(case, {}, scratch, "-l")
            run = Run(wall_s=time.monotonic() - begun)
            if answer is None or answer.returncode or f"Found {case.tests} check(s)" not in answer.stdout:
                return Run(remarks=_complaints(answer) if answer else [TIMED_OUT])
            run.process = ProcessFigures.model_validate_json(Path(scratch, PROCESS_FILE).read_text())
            runs.append(run)
    middle = median_low(runs, key=lambda run: run.wall_s)
    middle.passed = True
    middle.process.peak_bytes = median_low(runs, key=lambda run: run.process.peak_bytes).process.peak_bytes
    return middle


def median_low(runs: list[Run], key: Callable[[Run], float]) -> Run:
    """Return the run with the median value; of two, the one with the lower."""
    return sorted(runs, key=key)[(len(runs) - 1) // 2]


def run_reframe(case: Case, gateway: Mapping[str, str]) -> Run:
    """Run ReFrame once.

    Args:
        case: the case.
        gateway: environment variables of the gateway, in addition to those of this process.
    """
    with _scratch() as scratch:
        report = Path(scratch, "report.json")
        start = time.monotonic()
        answer = _start(case, gateway, scratch, "-r", "--keep-stage-files", "--report-file", str(report))
        if answer is None:
            return Run(wall_s=LIMIT_S, remarks=[TIMED_OUT])
        run = Run(wall_s=time.monotonic() - start, session_s=_session_s(report))
        run.passed = f"Ran {case.tests}/{case.tests} test case(s)" in answer.stdout and answer.returncode == 0
        if not run.passed:
            run.remarks += _complaints(answer)
        file = Path(scratch, PROCESS_FILE)
        if file.exists():
            run.process = ProcessFigures.model_validate_json(file.read_text())
        run.traffic = traffic_of(run.process.requests, {**os.environ, **gateway})
        bounds = measure_bounds(Path(scratch, "stage"), HERE / "src", Path(scratch), pack=not case.large_mib)
        run.inputs, run.scripts, run.packed = bounds.inputs, bounds.scripts, bounds.packed
        return run


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)


def _start(
    case: Case, gateway: Mapping[str, str], scratch: str, *action: str
) -> subprocess.CompletedProcess[str] | None:
    """Start ReFrame and wait for its end; return None if it takes too long."""
    command = [
        *(sys.executable, "-c", "from reframe.frontend.cli import main; main()"),
        *("-C", str(HERE / "settings.py"), "-c", str(HERE / "suite.py")),
        *("--system", f"bench:{case.partition}", "--prefix", scratch, *action),
    ]
    variables = {
        **os.environ,
        **gateway,
        "XDG_STATE_HOME": scratch,
        "BENCH_OUT": str(Path(scratch, PROCESS_FILE)),
        "BENCH_PARTITION": case.partition,
        "BENCH_TESTS": str(case.tests),
        "BENCH_SHARED": "1" if case.shared else "",
        "BENCH_LARGE_MIB": str(case.large_mib),
        "BENCH_SLEEP": str(case.sleep),
        "BENCH_LISTING": "1" if case.listing else "",
    }
    try:
        return subprocess.run(
            command,
            env=variables,
            cwd=scratch,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


def _complaints(answer: subprocess.CompletedProcess[str]) -> list[str]:
    """Return why ReFrame failed: each reason once, or the last lines of its output."""
    lines = answer.stdout.splitlines()
    reasons = {line.strip(): None for line in lines if line.lstrip().startswith("* Reason:")}
    last = [*lines[-5:], *answer.stderr.splitlines()[-5:]]
    return [f"ReFrame ended with exit code {answer.returncode}", *(list(reasons)[:5] or last)]


def _session_s(report: Path) -> float | None:
    if not report.exists():
        return None
    return float(json.loads(report.read_text())["session_info"]["time_elapsed"])


def why_no_slurm() -> str | None:
    """Return why jobs can't be submitted to Slurm from here; None if they can."""
    if shutil.which("sbatch") is None:
        return "there is no sbatch on the PATH"
    command = ["sbatch", "--test-only", "--wrap=true"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return "sbatch did not answer within 30 s"
    lines = answer.stderr.strip().splitlines() or [f"sbatch ended with exit code {answer.returncode}"]
    return lines[-1] if answer.returncode else None
