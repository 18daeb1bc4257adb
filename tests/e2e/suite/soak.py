"""Many tests of ten kinds, each with its expected result."""

import hashlib
import os
import random

import reframe as rfm
import reframe.utility.sanity as sn

SECONDS = float(os.environ.get("SOAK_SECONDS", "1"))
LARGE = int(os.environ.get("SOAK_LARGE", "150000"))
LEDGER = os.environ.get("FAULTS_LEDGER")
"""File in which a job notes its id when a test's commands begin."""
JOB_ID = "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"


@rfm.simple_test
class Soak(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    sourcesdir = None
    number = parameter(range(int(os.environ.get("SOAK_TESTS", "20"))))
    keep_files = ["made*"]
    prerun_cmds = [f'echo "{JOB_ID}" >> {LEDGER}'] if LEDGER else []

    @run_after("init")
    def choose(self):
        self.array = self.number % 10 == 1
        self.large = self.number % 10 == 2
        self.bad = self.number % 10 == 3
        self.executable = "sha256sum input > made${SLURM_ARRAY_TASK_ID:-}"
        pause = SECONDS * (0.8 + 0.04 * (self.number % 11))
        self.postrun_cmds = [f"sleep {pause:.1f}", "echo done ${SLURM_ARRAY_TASK_ID:-}"]
        if self.bad:
            self.postrun_cmds += ["exit 3"]

    @run_before("run")
    def make_input(self):
        content = random.Random(self.number).randbytes(LARGE if self.large else 500)
        with open(f"{self.stagedir}/input", "wb") as file:
            file.write(content)
        self.expected = hashlib.sha256(content).hexdigest()
        if self.array:
            self.job.options = ["--array=0-2"]
        if self.large:
            self.postrun_cmds += ["cp input made-large"]

    @sanity_function
    def validate(self):
        made = ["made0", "made1", "made2"] if self.array else ["made"]
        checks = [sn.assert_found(self.expected, f"{self.stagedir}/{name}") for name in made]
        checks += [sn.assert_eq(sn.count(sn.extractall(r"^done", self.stdout)), len(made))]
        if self.large:
            with open(f"{self.stagedir}/made-large", "rb") as file:
                checks += [sn.assert_eq(hashlib.sha256(file.read()).hexdigest(), self.expected)]
        return sn.all([*checks, sn.assert_eq(self.job.exitcode, 0)])
