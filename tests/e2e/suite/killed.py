"""Tests whose runs are killed, each in a state that lasts long enough, and one whose run is not."""

import os

import reframe as rfm

LARGE = 7_000_000
"""Bytes: more than a gateway takes or gives directly, so that a transfer job has to bring them."""


class Killed(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    sourcesdir = None

    @sanity_function
    def validate(self):
        return True


@rfm.simple_test
class WhileStaging(Killed):
    executable = "true"

    @run_before("run")
    def make_input(self):
        with open(f"{self.stagedir}/input", "wb") as file:
            file.write(os.urandom(LARGE))


@rfm.simple_test
class WhileSubmitting(Killed):
    executable = "sleep 300"


@rfm.simple_test
class WhileRunning(Killed):
    number = parameter(range(3))
    executable = "sleep 300"


@rfm.simple_test
class WhileFetching(Killed):
    executable = f"head -c {2 * LARGE} /dev/urandom > result"


@rfm.simple_test
class Bystander(Killed):
    executable = "bash -c 'until test -d go; do sleep 0.2; done'"
