"""Jobs whose end is easily mistaken: arrays with tasks that take different times, and jobs that are held."""

import os

import reframe as rfm
import reframe.utility.sanity as sn

LAST_IS_EIGHT = (
    "if [ $SLURM_ARRAY_TASK_ID = 8 ]; then sleep 4; else sleep $((SLURM_ARRAY_TASK_ID % 3)); fi; "
    'echo "task $SLURM_ARRAY_TASK_ID"; if [ $SLURM_ARRAY_TASK_ID = 8 ]; then exit 7; fi'
)


class RunOnly(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    sourcesdir = None
    time_limit = "10m"


@rfm.simple_test
class ArrayOfTen(RunOnly):
    """Ten tasks, of which some end while others wait for CPUs; task 8 is the last and fails."""

    turn = parameter([1, 2])
    num_tasks = 1
    num_cpus_per_task = 8
    executable = "bash"
    executable_opts = ["-c", f"'{LAST_IS_EIGHT}'"]

    @run_before("run")
    def make_array(self):
        self.job.options = ["--array=0-9"]

    @sanity_function
    def validate(self):
        tasks = sn.extractall(r"task (\d)", self.stdout, 1, int)
        return sn.all([sn.assert_eq(self.job.exitcode, 7), sn.assert_eq(sn.sorted(tasks), list(range(10)))])


@rfm.simple_test
class Quick(RunOnly):
    turn = parameter(range(5))
    executable = "echo done"

    @sanity_function
    def validate(self):
        return sn.assert_found("done", self.stdout)


@rfm.simple_test
class Held(RunOnly):
    """Run until the job is held and cancelled."""

    executable = "sleep"
    executable_opts = [os.environ.get("HELD_FOR", "1")]

    @run_before("run")
    def may_be_requeued(self):
        self.job.options = ["--requeue"]

    @sanity_function
    def validate(self):
        return sn.assert_eq(self.job.state, "CANCELLED")
