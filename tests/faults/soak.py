"""A long run with short tokens, a rate limit and failures by chance: nothing lost, duplicated or false."""

from __future__ import annotations

from dataclasses import dataclass

from firecrest_sandbox import FaultRule, SandboxConfig
from tests.e2e.conftest import SUITE
from tests.faults.cases import KINDS
from tests.faults.running import SMALL, Outcome, jobs_of, run

CHECKS = SUITE / "soak.py"
SHARE = 0.01
"""Of all requests, those that fail."""
TOKEN_LIFETIME = 45
"""Seconds, the last 30 of which the gateway does not accept."""
RATE_LIMIT = 5.0
"""Requests a second."""
MAX_JOBS = 25
ANSWER_TIMEOUT = 10.0
"""Seconds that the client waits for an answer."""
OVERHEAD = 5.0
"""Seconds of a test in which its job does not run, by experience."""
OFTEN = 1_000_000


@dataclass(frozen=True)
class Soak:
    """Duration and size of a soak test.

    Attributes:
        minutes: of real time, about.
        tests: in all.
        seed: of the failures.
    """

    minutes: float
    tests: int = 500
    seed: int = 1

    @property
    def seconds(self) -> float:
        """Duration of a job with which the run has its intended duration."""
        return max(0.5, self.minutes * 60 * min(MAX_JOBS, self.tests) / self.tests - OVERHEAD)


def run_soak(soak: Soak) -> Outcome:
    """Run it."""
    rules = [
        FaultRule(
            **{**kind.rule, "seconds": ANSWER_TIMEOUT + 2.0, "times": OFTEN},
            path=".",
            # Of the requests that the rules before have let pass.
            share=SHARE / (len(KINDS) - number * SHARE),
        )
        for number, kind in enumerate(KINDS.values())
    ]
    config = SandboxConfig(
        max_ops_file_size=SMALL,
        output_limit=2 * SMALL,
        max_part_size=SMALL,
        kill_wait=0.5,
        list_gap=1.0,
        token_lifetime=TOKEN_LIFETIME,
        rate_limit=RATE_LIMIT,
        faults=tuple(rules),
        fault_seed=soak.seed,
    )
    environment = {
        "SOAK_TESTS": str(soak.tests),
        "SOAK_SECONDS": f"{soak.seconds:.1f}",
        "FAULTS_TIMEOUT": str(ANSWER_TIMEOUT),
        "FAULTS_POLL": "1.0",
        "FAULTS_MAX_JOBS": str(MAX_JOBS),
    }
    return run(config, CHECKS, environment, soak.minutes * 60 * 3 + 600)


def faults_of(soak: Soak, outcome: Outcome) -> list[str]:
    """Return one line for each test or job that is not as it must be."""
    if outcome.code is None:
        return ["ReFrame did not end"]
    tests = {int(name.partition("=")[2]): test for name, test in outcome.tests.items()}
    lines = [f"never ended: job {job}" for job in outcome.unfinished]
    for number in range(soak.tests):
        bad, parts = number % 10 == 3, 3 if number % 10 == 1 else 1
        test = tests.get(number)
        if test is None:
            lines.append(f"test {number}: not in the report")
            continue
        if test["result"] != ("fail" if bad else "pass"):
            lines.append(f"test {number}: {test['result']} ({test['fail_reason']})")
        elif bad and test["fail_phase"] != "sanity":
            lines.append(f"test {number}: failed for a wrong reason ({test['fail_reason']})")
        if (jobs := jobs_of(outcome, test)) != parts:
            lines.append(f"test {number}: {jobs} jobs, expected {parts}")
    return lines
