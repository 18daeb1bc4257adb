"""A few tests that need every request there is; each says on its own whether what it got is true.

Nothing in their results depends on time or chance, so that two runs can be compared to the byte.
"""

import hashlib
import os
import random

import reframe as rfm
import reframe.utility.sanity as sn

LEDGER = os.environ.get("FAULTS_LEDGER")
"""File in which a job notes its id when a test's commands begin."""
JOB_ID = "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"
NOTES = (
    [
        f'echo "{JOB_ID}" >> {LEDGER}',
        # Its length is no part of the script, which must be the same in runs of any length.
        f"test ! -e {LEDGER}.pause || sleep $(cat {LEDGER}.pause)",
    ]
    if LEDGER
    else []
)


class Disturbed(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    sourcesdir = None
    prerun_cmds = NOTES


@rfm.simple_test
class RunOnly(Disturbed):
    executable = "sort -n input > result; sleep 0.4; echo sorted $(wc -l < result)"
    keep_files = ["result", "input"]

    @run_before("run")
    def make_input(self):
        with open(f"{self.stagedir}/input", "w") as file:
            file.writelines(f"{7 * number % 1009}\n" for number in range(1, 1009))

    @sanity_function
    def validate(self):
        with open(f"{self.stagedir}/result") as file:
            return sn.all(
                [
                    sn.assert_found(r"^sorted 1008$", self.stdout),
                    sn.assert_eq(file.read(), "".join(f"{number}\n" for number in range(1, 1009))),
                ]
            )

    @performance_function("lines")
    def lines(self):
        return sn.extractsingle(r"^sorted (\d+)", self.stdout, 1, int)


@rfm.simple_test
class BuildAndRun(rfm.RegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    sourcesdir = "hello"
    build_system = "SingleSource"
    sourcepath = "hello.c"
    build_locally = False
    prebuild_cmds = NOTES
    prerun_cmds = NOTES
    postbuild_cmds = ["echo built there: ${SLURM_JOB_ID:+yes}"]

    @sanity_function
    def validate(self):
        return sn.all(
            [
                sn.assert_found("built and run", self.stdout),
                sn.assert_found("built there: yes", os.path.join(self.stagedir, "rfm_build.out")),
            ]
        )


@rfm.simple_test
class ArrayJob(Disturbed):
    executable = "echo task ${SLURM_ARRAY_TASK_ID} | tee made-${SLURM_ARRAY_TASK_ID}"
    keep_files = ["made-0", "made-1", "made-2"]

    @run_before("run")
    def make_array(self):
        self.job.options = ["--array=0-2"]

    @sanity_function
    def validate(self):
        found = sn.extractall(r"^task (\d)$", self.stdout, 1)
        return sn.assert_eq(sn.sorted(found), ["0", "1", "2"])


@rfm.simple_test
class LargeFile(Disturbed):
    executable = "sha256sum --check input.sha256"
    postrun_cmds = ["tac -s x input > output"]
    keep_files = ["output"]
    size = 150_000

    @run_before("run")
    def make_input(self):
        # Noise, because it has to be large when it is packed too.
        content = random.Random(1).randbytes(self.size)
        with open(f"{self.stagedir}/input", "wb") as file:
            file.write(content)
        with open(f"{self.stagedir}/input.sha256", "w") as file:
            file.write(f"{hashlib.sha256(content).hexdigest()}  input\n")
        pieces = content.split(b"x")
        ended = [piece + b"x" for piece in pieces[:-1]]
        self.expected = hashlib.sha256(pieces[-1] + b"".join(reversed(ended))).hexdigest()

    @sanity_function
    def validate(self):
        with open(f"{self.stagedir}/output", "rb") as file:
            return sn.all(
                [
                    sn.assert_found(r"^input: OK$", self.stdout),
                    sn.assert_eq(hashlib.sha256(file.read()).hexdigest(), self.expected),
                ]
            )


@rfm.simple_test
class AllNodes(Disturbed):
    num_tasks = 0
    num_tasks_per_node = 1
    executable = "bash"
    executable_opts = ["-c", "'echo task ${SLURM_PROCID}' > said; sort -o said said; cat said"]
    keep_files = ["said"]

    @sanity_function
    def validate(self):
        found = sn.extractall(r"^task (\d+)$", self.stdout, 1)
        return sn.all(
            [
                sn.assert_eq(sn.sorted(found), ["0", "1", "2", "3"]),
                sn.assert_eq(len(set(self.job.nodelist)), 4),
            ]
        )


@rfm.simple_test
class MustFail(Disturbed):
    executable = "echo fine; exit 3"

    @sanity_function
    def validate(self):
        return sn.assert_eq(self.job.exitcode, 0)
