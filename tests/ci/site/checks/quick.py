"""Checks that pass in a moment."""

import reframe as rfm
import reframe.utility.sanity as sn


class Said(rfm.RunOnlyRegressionTest):
    valid_systems = ["+remote"]
    valid_prog_environs = ["builtin"]
    sourcesdir = None
    executable = "echo said in 3 ms"

    @sanity_function
    def it_is_said(self):
        return sn.assert_found("said", self.stdout)


class Prepared(Said):
    """A fixture."""


@rfm.simple_test
class Quick(Said):
    tags = {"quick"}

    @performance_function("ms")
    def saying(self):
        return sn.extractsingle(r"in (\d+) ms", self.stdout, 1, int)


@rfm.simple_test
class NeedsAFixture(Said):
    tags = {"fixture", "split"}
    prepared = fixture(Prepared, scope="session")


@rfm.simple_test
class Apart(Said):
    tags = {"split"}
    number = parameter(range(3))
