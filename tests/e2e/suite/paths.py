"""Local paths in scripts, in files that hooks write, and in other stage directories."""

import os

import reframe as rfm
import reframe.utility.sanity as sn


class RunOnly(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    sourcesdir = None


class MadeHere(RunOnly):
    """A fixture that runs on this side: its stage directory exists only here."""

    local = True
    executable = "echo 42 > answer"

    @sanity_function
    def validate(self):
        return sn.path_isfile(os.path.join(self.stagedir, "answer"))


@rfm.simple_test
class NamesALocalFixture(RunOnly):
    made_here = fixture(MadeHere, scope="environment")
    executable = "cat"

    @run_before("run")
    def name_it(self):
        self.executable_opts = [os.path.join(self.made_here.stagedir, "answer")]

    @sanity_function
    def validate(self):
        return sn.assert_found("42", self.stdout)


@rfm.simple_test
class ReadsAFileThatAHookWrote(RunOnly):
    executable = "cat $(cat input.cfg)"

    @run_before("run")
    def write_it(self):
        with open(os.path.join(self.stagedir, "data"), "w") as file:
            file.write("content of data\n")
        with open(os.path.join(self.stagedir, "input.cfg"), "w") as file:
            file.write(f"{self.stagedir}/data\n")

    @sanity_function
    def validate(self):
        return sn.assert_found("content of data", self.stdout)


@rfm.simple_test
class LeavesAloneWhatOnlyLooksLikeAPath(RunOnly):
    executable = "cat words"

    @run_before("run")
    def write_it(self):
        with open(os.path.join(self.stagedir, "words"), "w") as file:
            file.write(f"/elsewhere{self.stagedir} {self.prefix()}-old http://host{self.stagedir}\n")

    def prefix(self):
        return self.stagedir.rsplit("/", 4)[0]

    @sanity_function
    def validate(self):
        here = self.stagedir
        return sn.all(
            [
                sn.assert_found(f"/elsewhere{here} ", self.stdout),
                sn.assert_found(f" {self.prefix()}-old ", self.stdout),
                sn.assert_found(f"http://host{here}", self.stdout),
            ]
        )


class Parent(RunOnly):
    executable = "echo from the parent > result"

    @sanity_function
    def validate(self):
        return sn.path_isfile(os.path.join(self.stagedir, "result"))


@rfm.simple_test
class Elder(Parent):
    pass


@rfm.simple_test
class Child(RunOnly):
    executable = "cat"

    @run_after("init")
    def depend(self):
        self.depends_on("Elder")

    @require_deps
    def name_the_parent(self, Elder):
        parent = Elder(part="*", environ="*")
        # The parent's outputs are local before its child is set up.
        with open(os.path.join(parent.stagedir, "result")) as file:
            self.expected = file.read().strip()
        self.executable_opts = [os.path.join(parent.stagedir, "result")]

    expected = variable(str, value="")

    @sanity_function
    def validate(self):
        return sn.all(
            [sn.assert_eq(self.expected, "from the parent"), sn.assert_found(self.expected, self.stdout)]
        )
