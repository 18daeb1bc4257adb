"""Tests of a program that a fixture builds.

The fixture compiles the program once for each programming environment, and several tests run it
from the fixture's stage directory.

To adapt to a site: ``IntegralBuild``, to build another application.
"""

from pathlib import PurePath

import reframe as rfm
import reframe.utility.sanity as sn
from reframe.core.builtins import fixture, parameter, run_before, sanity_function, variable

PI = 3.14159265358979


class IntegralBuild(rfm.CompileOnlyRegressionTest):
    """Compile a small program that computes pi by numerical integration."""

    descr = "Build the integration program"
    sourcesdir = "src/integral"
    sourcepath = "integral.c"
    executable = "integral"
    build_system = "SingleSource"
    build_locally = False

    @run_before("compile")
    def set_flags(self):
        self.build_system.cflags = ["-O2"]


class IntegralTest(rfm.RunOnlyRegressionTest):
    """Base class of the tests of the program."""

    valid_systems = ["+remote"]
    valid_prog_environs = ["*"]
    sourcesdir = None
    tags = {"production"}

    build = fixture(IntegralBuild, scope="environment")
    steps = variable(int, value=1_000_000)

    @run_before("run")
    def set_program(self):
        self.executable = str(PurePath(self.build.stagedir, self.build.executable))

    def parts(self):
        return sn.extractall(r"^part \d+ of \d+: (\S+)$", self.stdout, 1, float)


@rfm.simple_test
class IntegralPrecision(IntegralTest):
    """A finer grid comes closer to pi."""

    descr = "Integration by one task"
    grid = parameter([100, 10_000])
    num_tasks = 1

    @run_before("run")
    def set_arguments(self):
        self.executable_opts = [str(self.grid)]

    @sanity_function
    def close_to_pi(self):
        # The midpoint rule's error for this integrand is 1 / (12 n^2), doubled here for rounding.
        allowed = 1 / (6 * self.grid**2)
        return sn.all(
            [
                sn.assert_eq(sn.count(self.parts()), 1),
                sn.assert_bounded(sn.sum(self.parts()), PI - allowed, PI + allowed),
            ]
        )


@rfm.simple_test
class IntegralShared(IntegralTest):
    """Several tasks on two nodes each compute a part; the parts add up to pi."""

    descr = "Integration shared by tasks on two nodes"
    num_tasks = 4
    num_tasks_per_node = 2

    @run_before("run")
    def set_arguments(self):
        self.executable_opts = [str(self.steps)]

    @sanity_function
    def parts_add_up(self):
        return sn.all(
            [
                sn.assert_eq(sn.count(self.parts()), self.num_tasks),
                sn.assert_bounded(sn.sum(self.parts()), PI - 1e-9, PI + 1e-9),
            ]
        )
