"""Tests of each kind that a deployment of FirecREST may treat differently."""

import hashlib
import random

import reframe as rfm
import reframe.utility.sanity as sn
from reframe.core.builtins import run_before, sanity_function, variable


class Base(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["builtin"]
    sourcesdir = None


@rfm.simple_test
class Simple(Base):
    executable = 'echo "ran in $PWD"'

    @sanity_function
    def validate(self):
        return sn.assert_found(r"^ran in /.*Simple", self.stdout)


@rfm.simple_test
class Fails(Base):
    executable = "echo fine; exit 3"

    @sanity_function
    def validate(self):
        return sn.assert_eq(self.job.exitcode, 0)


@rfm.simple_test
class Array(Base):
    executable = 'echo "task $SLURM_ARRAY_TASK_ID" > task-$SLURM_ARRAY_TASK_ID'
    keep_files = ["task-*"]

    @run_before("run")
    def make_array(self):
        self.job.options = ["--array=0-2"]

    @sanity_function
    def validate(self):
        found = [sn.extractsingle(r"^task (\d)$", f"task-{index}", 1) for index in range(3)]
        return sn.assert_eq(sn.sorted(found), ["0", "1", "2"])


class Large(Base):
    size = variable(int, value=1_000_000)

    def noise(self):
        # Incompressible, because it must be large in an archive, too.
        return random.Random(1).randbytes(self.size)


@rfm.simple_test
class LargeInput(Large):
    executable = "sha256sum --check input.sha256"

    @run_before("run")
    def make_input(self):
        content = self.noise()
        with open(f"{self.stagedir}/input", "wb") as file:
            file.write(content)
        with open(f"{self.stagedir}/input.sha256", "w") as file:
            file.write(f"{hashlib.sha256(content).hexdigest()}  input\n")

    @sanity_function
    def validate(self):
        return sn.assert_found(r"^input: OK$", self.stdout)


@rfm.simple_test
class LargeOutput(Large):
    keep_files = ["output"]

    @run_before("run")
    def make_command(self):
        program = f"import random; open('output', 'wb').write(random.Random(1).randbytes({self.size}))"
        self.executable = f'python3 -c "{program}"'

    @sanity_function
    def validate(self):
        with open(f"{self.stagedir}/output", "rb") as file:
            return sn.assert_eq(file.read(), self.noise())
