"""Local and remote builds, and runs that need their results."""

import os

import reframe as rfm
import reframe.utility.sanity as sn


class Hello(rfm.RegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    sourcesdir = "hello"
    # Only the remote side has a job id.
    postbuild_cmds = ["echo built by job ${SLURM_JOB_ID:-none}"]

    @sanity_function
    def validate(self):
        return sn.all(
            [
                sn.assert_found("built and run", self.stdout),
                sn.assert_found(self.expected, os.path.join(self.stagedir, "rfm_build.out")),
            ]
        )


@rfm.simple_test
class BuiltThereByDefault(Hello):
    build_system = "SingleSource"
    sourcepath = "hello.c"
    expected = r"built by job \d+"


@rfm.simple_test
class BuiltHereOnRequest(Hello):
    build_system = "SingleSource"
    sourcepath = "hello.c"
    build_locally = True
    expected = "built by job none"


@rfm.simple_test
class BuiltWithMake(Hello):
    build_system = "Make"
    executable = "./made"
    expected = r"built by job \d+"

    @run_before("compile")
    def choose_compiler(self):
        self.build_system.cc = "gcc"


@rfm.simple_test
class OnlyBuilt(rfm.CompileOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    sourcesdir = "hello"
    build_system = "SingleSource"
    sourcepath = "hello.c"
    prebuild_cmds = ["echo preparing"]

    @sanity_function
    def validate(self):
        return sn.all(
            [
                sn.assert_found("preparing", self.stdout),
                sn.assert_true(os.path.isfile(os.path.join(self.stagedir, "OnlyBuilt"))),
            ]
        )
