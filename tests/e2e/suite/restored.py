"""A parent that leaves files on the system, and what depends on it in a later session."""

import os

import reframe as rfm
import reframe.utility.sanity as sn


class Base(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]


@rfm.simple_test
class LeavesFiles(Base):
    executable = "seq 20 > solver.log; printf abc > tiny; echo ok > result.txt; echo made"

    @run_after("setup")
    def leave(self):
        self.job.exclude = ["solver.log", "tiny"]

    @sanity_function
    def validate(self):
        return sn.assert_found("made", self.stdout)


class Dependent(Base):
    executable = "echo ran;"

    @run_after("init")
    def depend(self):
        self.depends_on("LeavesFiles")

    @property
    def parent(self):
        return self.getdep("LeavesFiles").stagedir

    @sanity_function
    def validate(self):
        return sn.assert_found("ran", self.stdout)


@rfm.simple_test
class NeedsTheLog(Dependent):
    @run_before("run")
    def name_it(self):
        self.executable_opts = [f"cat {self.parent}/solver.log"]


@rfm.simple_test
class NeedsTheDirectory(Dependent):
    @run_before("run")
    def name_it(self):
        self.executable_opts = [f"cd {self.parent}; cat tiny"]


@rfm.simple_test
class NeedsTheResult(Dependent):
    @run_before("run")
    def name_it(self):
        self.executable_opts = [f"cat {self.parent}/result.txt"]


@rfm.simple_test
class ReadsTheLogHere(Dependent):
    @sanity_function
    def validate(self):
        with open(os.path.join(self.parent, "solver.log")) as file:
            return sn.assert_eq(file.read()[:2], "1\n")
