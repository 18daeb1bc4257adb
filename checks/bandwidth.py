"""Memory bandwidth of one node.

To adapt to a site: ``num_threads`` (all cores of a node), ``array_mib`` (at least four times the
last-level cache; otherwise the test measures the cache) and the references of the partitions. The
test runs in programming environments with the feature ``openmp`` and, in ``extras``, the compiler's
``omp_flag``.
"""

import reframe as rfm
import reframe.utility.sanity as sn
from reframe.core.builtins import (
    performance_function,
    run_before,
    sanity_function,
    variable,
)


@rfm.simple_test
class MemoryBandwidth(rfm.RegressionTest):
    """Compile a C/OpenMP program on the remote system, and measure a copy and a triad."""

    descr = "Memory bandwidth of one node"
    valid_systems = ["+remote"]
    valid_prog_environs = ["+openmp"]
    sourcesdir = "src/bandwidth"
    sourcepath = "bandwidth.c"
    build_system = "SingleSource"
    build_locally = False
    tags = {"production", "performance"}

    num_threads = variable(int, value=2)
    array_mib = variable(int, value=32)
    repetitions = variable(int, value=20)

    num_tasks = 1
    num_tasks_per_node = 1

    # The limits for the sandbox are low, since it runs on any machine. Replace the others by the
    # bandwidth of your nodes; until then the test fails only on broken nodes.
    reference = {
        "sandbox": {
            "copy": (4.0, -0.75, None, "GB/s"),
            "triad": (4.0, -0.75, None, "GB/s"),
        },
        "*": {
            "copy": (10.0, -0.95, None, "GB/s"),
            "triad": (10.0, -0.95, None, "GB/s"),
        },
    }

    @run_before("compile")
    def set_flags(self):
        self.build_system.cflags = ["-O3", self.current_environ.extras["omp_flag"]]

    @run_before("run")
    def set_threads(self):
        self.num_cpus_per_task = self.num_threads
        self.env_vars = {"OMP_NUM_THREADS": self.num_threads, "OMP_PROC_BIND": "true"}
        self.executable_opts = [str(self.array_mib), str(self.repetitions)]

    @sanity_function
    def results_are_right(self):
        return sn.all(
            [
                sn.assert_found(rf"^threads: {self.num_threads}$", self.stdout),
                sn.assert_found(r"^check: ok$", self.stdout),
            ]
        )

    def bandwidth(self, kernel):
        return sn.extractsingle(rf"^{kernel}: (\S+) GB/s$", self.stdout, 1, float)

    @performance_function("GB/s")
    def copy(self):
        return self.bandwidth("copy")

    @performance_function("GB/s")
    def triad(self):
        return self.bandwidth("triad")
