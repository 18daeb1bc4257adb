"""Jobs that leave what can't be read, fetched or named easily; on the system itself all of them pass."""

import os

import reframe as rfm
import reframe.utility.sanity as sn


class Leaves(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    executable = "echo"
    executable_opts = ["made"]

    @sanity_function
    def validate(self):
        return sn.all(
            [
                sn.assert_found("made", self.stdout),
                sn.assert_eq(self.job.exitcode, 0),
                sn.assert_true(os.path.exists(os.path.join(self.stagedir, "readable"))),
                self.more(),
            ]
        )

    def more(self):
        with open(os.path.join(self.stagedir, "readable")) as file:
            return sn.assert_eq(file.read(), "r\n")


@rfm.simple_test
class LeavesAFile(Leaves):
    prerun_cmds = ["echo r > readable; echo x > secret; chmod 000 secret"]

    def more(self):
        return sn.assert_true(os.path.exists(os.path.join(self.stagedir, "secret")))


@rfm.simple_test
class LeavesADirectory(Leaves):
    prerun_cmds = ["echo r > readable; mkdir -p a/closed a/open; echo x > a/closed/x; echo y > a/open/y"]
    postrun_cmds = ["chmod 000 a/closed"]

    def more(self):
        with open(os.path.join(self.stagedir, "a/open/y")) as file:
            return sn.assert_eq(file.read(), "y\n")


@rfm.simple_test
class LeavesADirectoryThatIsOnlyListed(Leaves):
    prerun_cmds = ["echo r > readable; mkdir listed; echo x > listed/x"]
    postrun_cmds = ["chmod 444 listed"]


@rfm.simple_test
class LeavesOddThings(Leaves):
    prerun_cmds = [
        "echo r > readable; mkfifo pipe; ln -s loop loop; ln -s nowhere dangling",
        "touch -- \"quo'te\" 'back\\slash' $'new\\nline' '$(touch run)' '-rf' 'semi;colon' $'lat\\351n'",
        'mkdir "quo\'ted"; echo q > "quo\'ted/file"',
    ]


@rfm.simple_test
class ReadsTheFile(LeavesAFile):
    """Fails, as it would there."""

    def more(self):
        with open(os.path.join(self.stagedir, "secret")) as file:
            return sn.assert_eq(file.read(), "x\n")


@rfm.simple_test
class ListsTheDirectory(LeavesADirectory):
    """Fails, as it would there."""

    def more(self):
        return sn.assert_eq(os.listdir(os.path.join(self.stagedir, "a/closed")), [])


@rfm.simple_test
class ClosesItsOutput(Leaves):
    """Fails, as it would there."""

    prerun_cmds = ["echo r > readable"]
    postrun_cmds = ["chmod 000 rfm_job.out"]
