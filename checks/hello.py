"""Output from every task on every node of a job.

To adapt to a site: ``num_nodes`` and ``tasks_per_node``, on the command line for instance by
``-S HelloNodes.num_nodes=4``.
"""

import reframe as rfm
import reframe.utility.sanity as sn
from reframe.core.builtins import run_before, sanity_function, variable


@rfm.simple_test
class HelloNodes(rfm.RunOnlyRegressionTest):
    """Every task prints its rank and its node; no rank and no node may be missing."""

    descr = "Hello from every task on several nodes"
    valid_systems = ["+remote"]
    valid_prog_environs = ["builtin"]
    sourcesdir = "src/hello"
    executable = "./hello.sh"
    tags = {"production", "maintenance"}

    num_nodes = variable(int, value=2)
    tasks_per_node = variable(int, value=2)

    @run_before("run")
    def set_layout(self):
        self.num_tasks = self.num_nodes * self.tasks_per_node
        self.num_tasks_per_node = self.tasks_per_node

    @sanity_function
    def everyone_answered(self):
        # Slurm's names of nodes, because several nodes of a small test system can share a host.
        answer = rf"^hello from task (\d+) of {self.num_tasks} on (\S+)$"
        ranks = sn.extractall(answer, self.stdout, 1, int)
        nodes = sn.extractall(answer, self.stdout, 2)
        return sn.all(
            [
                sn.assert_eq(sn.sorted(ranks), list(range(self.num_tasks)), msg="tasks that answered: {0}"),
                sn.assert_eq(sn.count_uniq(nodes), self.num_nodes, msg="{0} nodes answered, expected {1}"),
            ]
        )
