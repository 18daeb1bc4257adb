"""Checks that don't pass."""

import reframe as rfm
import reframe.utility.sanity as sn


@rfm.simple_test
class Broken(rfm.RunOnlyRegressionTest):
    valid_systems = ["+remote"]
    valid_prog_environs = ["builtin"]
    sourcesdir = None
    executable = "echo this is not it"
    tags = {"broken"}

    @sanity_function
    def it_is_right(self):
        return sn.assert_found("right", self.stdout)


@rfm.simple_test
class Endless(rfm.RunOnlyRegressionTest):
    valid_systems = ["+remote"]
    valid_prog_environs = ["builtin"]
    sourcesdir = None
    executable = "sleep 600"
    tags = {"endless"}

    @sanity_function
    def it_ended(self):
        return True
