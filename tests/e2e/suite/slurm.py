"""Features of Slurm: arrays, nodes, environments, limits."""

import os

import reframe as rfm
import reframe.utility.sanity as sn


class RunOnly(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    sourcesdir = None


@rfm.simple_test
class ArrayWithAFailingTask(RunOnly):
    executable = 'echo "task ${SLURM_ARRAY_TASK_ID}"; exit $((SLURM_ARRAY_TASK_ID * 2))'

    @run_before("run")
    def make_array(self):
        self.job.options = ["--array=0-2"]

    @sanity_function
    def validate(self):
        return sn.all(
            [
                sn.assert_eq(self.job.exitcode, 4),
                sn.assert_eq(sorted(sn.extractall(r"task (\d)", self.stdout, 1)), ["0", "1", "2"]),
            ]
        )


@rfm.simple_test
class Flexible(RunOnly):
    num_tasks = 0
    num_tasks_per_node = 1
    executable = "bash"
    executable_opts = ["-c", "'echo task ${SLURM_PROCID}'"]

    @sanity_function
    def validate(self):
        return sn.all(
            [
                sn.assert_ge(self.num_tasks, 1),
                sn.assert_eq(len(set(sn.extractall(r"task (\d+)", self.stdout, 1))), self.num_tasks),
                sn.assert_eq(len(set(self.job.nodelist)), self.num_tasks),
            ]
        )


@rfm.simple_test
class ExpandedOnTheNode(RunOnly):
    # The command exists on both machines; on this one, it reports its call.
    env_vars = {"WHERE": "$(sinfo >/dev/null 2>&1; echo job-${SLURM_JOB_ID})"}
    executable = "echo ${WHERE}"

    @sanity_function
    def validate(self):
        return sn.assert_found(rf"job-{self.job.jobid}$", self.stdout)


@rfm.simple_test
class LeftOnTheSystem(RunOnly):
    executable = (
        "head -c 200000 /dev/zero > image.img; echo small > small.txt; head -c 300000 /dev/zero > big"
    )

    @run_before("run")
    def select(self):
        self.job.exclude = ["*.img"]
        self.job.max_file_size = 250000

    @sanity_function
    def validate(self):
        stage = self.stagedir
        return sn.all(
            [
                sn.assert_true(os.path.isfile(os.path.join(stage, "image.img"))),
                sn.assert_eq(os.path.getsize(os.path.join(stage, "big")), 300000),
                sn.assert_found("small", os.path.join(stage, "small.txt")),
            ]
        )


@rfm.simple_test
class ReadsWhatWasLeft(RunOnly):
    executable = "echo found > result.img"

    @run_before("run")
    def select(self):
        self.job.exclude = ["*.img"]

    @sanity_function
    def validate(self):
        return sn.assert_found("found", os.path.join(self.stagedir, "result.img"))
