"""Jobs that would go on for long."""

import reframe as rfm


@rfm.simple_test
class Sleeper(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    sourcesdir = None
    number = parameter(range(3))
    executable = "sleep 300"

    @sanity_function
    def validate(self):
        return True
