"""Output from every task of a job array.

To adapt to a site: ``array_size``.
"""

import reframe as rfm
import reframe.utility.sanity as sn
from reframe.core.builtins import run_before, sanity_function, variable


@rfm.simple_test
class JobArray(rfm.RunOnlyRegressionTest):
    """Each array task writes one line to each stream; ReFrame merges the files."""

    descr = "Job array with merged output"
    valid_systems = ["+remote"]
    valid_prog_environs = ["builtin"]
    sourcesdir = None
    executable = "bash"
    executable_opts = [
        "-c",
        "'echo array task $SLURM_ARRAY_TASK_ID; echo notice $SLURM_ARRAY_TASK_ID >&2'",
    ]
    num_tasks = 1
    tags = {"production", "maintenance"}

    array_size = variable(int, value=4)

    @run_before("run")
    def set_array(self):
        self.job.options += [f"--array=0-{self.array_size - 1}"]

    @sanity_function
    def all_tasks_answered(self):
        expected = list(range(self.array_size))
        out = sn.extractall(r"^array task (\d+)$", self.stdout, 1, int)
        err = sn.extractall(r"^notice (\d+)$", self.stderr, 1, int)
        return sn.all(
            [
                sn.assert_eq(sn.sorted(out), expected, msg="array tasks in the output: {0}"),
                sn.assert_eq(sn.sorted(err), expected, msg="array tasks in the errors: {0}"),
            ]
        )
