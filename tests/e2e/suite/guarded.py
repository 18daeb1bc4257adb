"""Properties of all jobs, for any submission and any change of files."""

import os

import reframe as rfm
import reframe.core.runtime as rt
import reframe.utility.sanity as sn


class Guarded(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    sourcesdir = None

    def write(self, name, text):
        path = os.path.join(self.stagedir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def read(self, name):
        with open(os.path.join(self.stagedir, name)) as file:
            return file.read()


@rfm.simple_test
class RunsOnce(Guarded):
    """Every job that runs the commands leaves its id."""

    executable = 'echo "job ${SLURM_JOB_ID}" | tee -a ran; sleep 7; exit 3'
    tags = {"once"}

    @sanity_function
    def validate(self):
        job = f"job {self.job.jobid}\n"
        return sn.all(
            [
                sn.assert_eq(self.read("ran"), job),
                sn.assert_eq(self.read("rfm_job.out"), job),
                sn.assert_eq(self.job.exitcode, 3),
            ]
        )


@rfm.simple_test
class HiddenChanges(Guarded):
    executable = "true"
    postrun_cmds = [
        "printf 'BBBB\\n' > state.txt; touch -r input.txt state.txt",
        "cp -p other.txt copy.txt",
        "mv one swap; mv two one; mv swap two",
    ]
    tags = {"changes"}

    @run_before("run")
    def write_inputs(self):
        for name in ("state.txt", "input.txt", "copy.txt"):
            self.write(name, "AAAA\n")
        for name in ("one", "two", "other.txt", "kept.txt"):
            self.write(f"{name}/deep/case" if "." not in name else name, f"{name[:3]}!\n")
        for path, _, files in os.walk(self.stagedir):
            for name in files:
                os.utime(os.path.join(path, name), (1_600_000_000, 1_600_000_000))

    @sanity_function
    def validate(self):
        return sn.all(
            [
                sn.assert_eq(self.read("state.txt"), "BBBB\n"),
                sn.assert_eq(self.read("copy.txt"), "oth!\n"),
                sn.assert_eq(self.read("one/deep/case"), "two!\n"),
                sn.assert_eq(self.read("two/deep/case"), "one!\n"),
                sn.assert_eq(os.stat(os.path.join(self.stagedir, "kept.txt")).st_mtime, 1_600_000_000),
                sn.assert_false([name for name in os.listdir(self.stagedir) if "firecrest" in name]),
            ]
        )


@rfm.simple_test
class CannotReport(Guarded):
    """A job that replaces its shell has no way of telling what it changed."""

    executable = "bash"
    executable_opts = ["-c", "'printf BBBB > state; touch -r input state'"]
    postrun_cmds = ["exec true"]
    tags = {"changes"}

    @run_before("run")
    def write_inputs(self):
        for name in ("state", "input"):
            self.write(name, "AAAA")

    @sanity_function
    def validate(self):
        return sn.all([sn.assert_eq(self.read("state"), "BBBB"), sn.assert_eq(self.read("input"), "AAAA")])


@rfm.simple_test
class CleansUp(Guarded):
    """A job may remove whatever it finds."""

    executable = "echo cleaned"
    prerun_cmds = ["rm -rf .[!.]*"]
    tags = {"changes"}

    @sanity_function
    def validate(self):
        return sn.assert_found("cleaned", self.stdout)


class Sharing(Guarded):
    executable = "echo fine"
    tags = {"steps"}

    @run_before("run")
    def write_input(self):
        self.write("data.bin", "shared by all\n" * 1000)

    @sanity_function
    def validate(self):
        return sn.assert_not_found("wrong", self.stdout)


@rfm.simple_test
class SharesFirst(Sharing):
    pass


@rfm.simple_test
class SharesSecond(Sharing):
    """From here on, the input lies in the store; its job removes it for those that come later."""

    @run_after("init")
    def come_second(self):
        self.depends_on("SharesFirst")

    @run_before("run")
    def remove_store(self):
        self.postrun_cmds = [f"rm -rf {rt.runtime().stage_prefix}/.transfer/inputs"]


@rfm.simple_test
class SharesInVain(Sharing):
    """It would pass on what its job printed."""

    @run_after("init")
    def come_last(self):
        self.depends_on("SharesSecond")
