"""Time that the launcher takes to start tasks.

To adapt to a site: the values of ``num_ranks`` and ``ranks_per_node``, and a reference for
``launch_time``.
"""

import reframe as rfm
import reframe.utility.sanity as sn
from reframe.core.builtins import (
    parameter,
    performance_function,
    run_before,
    sanity_function,
    variable,
)


@rfm.simple_test
class LaunchTime(rfm.RunOnlyRegressionTest):
    """One test for each number of tasks."""

    descr = "Time to start tasks that do nothing"
    valid_systems = ["+remote"]
    valid_prog_environs = ["builtin"]
    sourcesdir = None
    executable = "bash"
    # Quoted twice, so that the tasks and not the job script expand the variable.
    executable_opts = ["-c", "'echo started $SLURM_PROCID'"]
    # Milliseconds, because bash has only integers.
    prerun_cmds = ["start=$(date +%s%3N)"]
    postrun_cmds = ['echo "launch time: $(( $(date +%s%3N) - start )) ms"']
    tags = {"production", "maintenance", "performance"}

    num_ranks = parameter([1, 2, 4], loggable=True)
    ranks_per_node = variable(int, value=2)

    @run_before("run")
    def set_layout(self):
        self.num_tasks = self.num_ranks
        self.num_tasks_per_node = min(self.num_ranks, self.ranks_per_node)

    @sanity_function
    def every_rank_started_once(self):
        ranks = sn.extractall(r"^started (\d+)$", self.stdout, 1, int)
        return sn.assert_eq(sn.sorted(ranks), list(range(self.num_ranks)), msg="ranks that started: {0}")

    @performance_function("ms")
    def launch_time(self):
        return sn.extractsingle(r"^launch time: (\d+) ms$", self.stdout, 1, int)
