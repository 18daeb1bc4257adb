"""Run-only tests of the benchmark: five files of 20 kB and a small tree each, less than 1 s of work."""

import os
import random

import reframe as rfm
import reframe.utility.sanity as sn


@rfm.simple_test
class Bench(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    number = parameter(range(int(os.environ.get("BENCH_TESTS", "20"))))
    large_mib = variable(int, value=int(os.environ.get("BENCH_LARGE_MIB", "0")))
    sourcesdir = "src"
    executable = "cksum data-* > sums && echo made > result && echo done"
    sleep = int(os.environ.get("BENCH_SLEEP", "0"))

    @run_before("run")
    def wait(self):
        if self.sleep:
            self.prerun_cmds = [f"sleep {self.sleep}"]

    @run_before("run")
    def make_inputs(self):
        # Random data can't be compressed, so the bytes on the network are those of the files.
        seed = 0 if os.environ.get("BENCH_SHARED") else self.number + 1
        noise = random.Random(seed)
        for name in range(5):
            with open(f"{self.stagedir}/data-{name}", "wb") as file:
                file.write(noise.randbytes(20_000))
        if self.large_mib:
            with open(f"{self.stagedir}/data-large", "wb") as file:
                file.writelines(noise.randbytes(1 << 20) for _ in range(self.large_mib))
            self.postrun_cmds = ["tac -s x data-large > made-large"]

    @sanity_function
    def validate(self):
        return sn.all([sn.assert_found("done", self.stdout), sn.assert_found("made", "result")])
