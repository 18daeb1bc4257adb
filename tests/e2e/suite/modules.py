"""Tests that ask for modules while they are loaded, as public suites do."""

from __future__ import annotations

import reframe as rfm
import reframe.core.runtime as rt
import reframe.utility.sanity as sn
from reframe.utility import find_modules


@rfm.simple_test
class Fftw(rfm.RunOnlyRegressionTest):
    """One test for each FFTW of each environment."""

    found = parameter(find_modules("fftw"), fmt=lambda found: "-".join(found[1:]))
    executable = "echo"
    executable_opts = ["FFTW=$FFTW"]

    @run_after("init")
    def choose(self) -> None:
        _, environ, module = self.found
        self.valid_systems = ["*"]
        self.valid_prog_environs = [environ]
        self.modules = [module]

    @sanity_function
    def is_loaded(self) -> object:
        return sn.assert_found(r"FFTW=\S+", self.stdout)


@rfm.simple_test
class Swap(rfm.RunOnlyRegressionTest):
    """The module of the test conflicts with the one of its environment."""

    valid_systems = ["*"]
    valid_prog_environs = ["gcc"]
    modules = ["clang/15.0"]
    executable = "echo"
    executable_opts = ["COMPILER=$COMPILER", "$LOADEDMODULES"]

    @sanity_function
    def is_swapped(self) -> object:
        return sn.assert_found(r"COMPILER=clang/15.0 clang/15.0$", self.stdout)


@rfm.simple_test
class Asks(rfm.RunOnlyRegressionTest):
    """A test may ask at any time, also after loading a module itself."""

    valid_systems = ["*"]
    valid_prog_environs = ["plain"]
    executable = "true"

    @run_before("run")
    def ask(self) -> None:
        modules = rt.runtime().modules_system
        before = modules.available_modules("fftw")
        with rt.temp_environment(modules=["gcc/13.1"]):
            after = modules.available_modules("fftw")
        assert (before, after) == ([], ["fftw/3.4"]), (before, after)
        assert modules.available_modules("fftw") == []

    @sanity_function
    def ran(self) -> object:
        return sn.assert_true(1)
