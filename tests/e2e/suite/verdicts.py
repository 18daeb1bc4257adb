"""Tests that must fail, each for its own reason, beside one that must pass."""

import reframe as rfm
import reframe.utility.sanity as sn


class Verdict(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    sourcesdir = None

    @sanity_function
    def validate(self):
        return sn.assert_found("fine", self.stdout)


@rfm.simple_test
class Good(Verdict):
    executable = "echo fine"


@rfm.simple_test
class WrongOutput(Verdict):
    executable = "echo bad"


@rfm.simple_test
class NonZeroExit(Verdict):
    executable = "echo fine; exit 3"

    @sanity_function
    def validate(self):
        return sn.assert_eq(self.job.exitcode, 0)


@rfm.simple_test
class NoSuchPartition(Verdict):
    executable = "echo fine"

    @run_before("run")
    def ask_for_it(self):
        self.job.options = ["--partition=nosuch"]


@rfm.simple_test
class DoesNotCompile(rfm.RegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    build_locally = False
    sourcesdir = None
    build_system = "SingleSource"
    sourcepath = "broken.c"

    @run_before("compile")
    def write_source(self):
        with open(f"{self.stagedir}/broken.c", "w") as file:
            file.write("int main(void) { return nonsense; }\n")

    @sanity_function
    def validate(self):
        return True
