"""Tests for the settings in site.py."""

import os

import reframe as rfm
import reframe.utility.sanity as sn


class RunOnly(rfm.RunOnlyRegressionTest):
    valid_prog_environs = ["*"]
    sourcesdir = None


@rfm.simple_test
class LoadsModules(RunOnly):
    valid_systems = ["site:modules"]
    modules = ["tool/1.0"]
    executable = "echo ran"

    @sanity_function
    def validate(self):
        return sn.all(
            [sn.assert_found("module load tool/1.0", self.stdout), sn.assert_found("ran", self.stdout)]
        )


@rfm.simple_test
class MountsItsStageDirectory(RunOnly):
    valid_systems = ["site:modules"]

    @run_before("run")
    def contain(self):
        self.container_platform = "Singularity"
        self.container_platform.image = "docker://image"
        self.container_platform.command = "true"
        self.prerun_cmds = ['singularity() { echo "contained $*"; }']

    @sanity_function
    def validate(self):
        return sn.all(
            [
                sn.assert_found(r"contained exec -B ?\S+/MountsItsStageDirectory:/rfm_workdir", self.stdout),
                sn.assert_not_found(self.stagedir, self.stdout),
            ]
        )


@rfm.simple_test
class OnAPlainPartition(RunOnly):
    valid_systems = ["site:plain"]
    prerun_cmds = ["shopt -q login_shell && echo login shell"]
    executable = "true"

    @sanity_function
    def validate(self):
        script = os.path.join(self.stagedir, "rfm_job.sh")
        return sn.all([sn.assert_found("login shell", self.stdout), sn.assert_found("--time=0:10:0", script)])


@rfm.simple_test
class TakesTooLong(RunOnly):
    valid_systems = ["site:plain"]
    time_limit = "2s"
    executable = "sleep 120"
    tags = {"slow"}

    @sanity_function
    def validate(self):
        return sn.assert_eq(self.job.state, "TIMEOUT")


@rfm.simple_test
class TwoComponents(RunOnly):
    valid_systems = ["site:plain"]
    tags = {"het"}
    executable = "hostname"
    num_tasks = None

    @run_before("run")
    def make_two(self):
        self.job.options = ["--ntasks=1", "#SBATCH hetjob", "#SBATCH --ntasks=1"]

    @sanity_function
    def validate(self):
        return sn.all(
            [
                sn.assert_eq(self.job.state, "COMPLETED,COMPLETED"),
                sn.assert_eq(len(self.job.nodelist), 2),
            ]
        )


@rfm.simple_test
class WithCMake(rfm.RegressionTest):
    valid_systems = ["site:plain"]
    valid_prog_environs = ["*"]
    sourcesdir = "hello"
    build_system = "CMake"
    executable = "./made"
    tags = {"cmake"}

    @run_before("compile")
    def write_project(self):
        with open(os.path.join(self.stagedir, "CMakeLists.txt"), "w") as file:
            file.write(
                "cmake_minimum_required(VERSION 3.10)\nproject(hello C)\nadd_executable(made hello.c)\n"
            )

    @sanity_function
    def validate(self):
        return sn.assert_found("built and run", self.stdout)
