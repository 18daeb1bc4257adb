"""Files and properties that must survive both transfers."""

import os

import reframe as rfm
import reframe.utility.sanity as sn


@rfm.simple_test
class Travel(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    executable = "./run.sh"

    @run_before("run")
    def add_awkward_files(self):
        stage = self.stagedir
        os.makedirs(f"{stage}/empty dir/deeper")
        os.makedirs(f"{stage}/tree")
        for name, text in {
            ".hidden": "hidden",
            "with space": "space",
            "ünïcode": "unicode",
            "tree/a+b[1].txt": "special",
            "empty": "",
            "rewritten": "0123456789",
        }.items():
            with open(f"{stage}/{name}", "w") as file:
                file.write(text)
        outside = f"{os.path.dirname(stage)}/outside-{self.name}"
        with open(outside, "w") as file:
            file.write("followed")
        os.symlink(outside, f"{stage}/link")
        self.executable_opts = [self.stagedir]

    @sanity_function
    def validate(self):
        def text(name):
            with open(os.path.join(self.stagedir, name)) as file:
                return file.read()

        return sn.all(
            [
                sn.assert_found("arrived", self.stdout),
                sn.assert_not_found("lacking", self.stdout),
                sn.assert_eq(text("made/deep/result"), "made\n"),
                sn.assert_eq(text("made/with space"), "space\n"),
                sn.assert_eq(text("made/ünïcode+[1]"), "unicode\n"),
                sn.assert_eq(text("made/col:on ü/file"), "colon\n"),
                sn.assert_eq(text("made/empty"), ""),
                sn.assert_eq(text("rewritten"), "9876543210"),
                sn.assert_eq(text("made/link"), "made\n"),
                sn.assert_true(os.path.isdir(os.path.join(self.stagedir, "made/nothing in it"))),
                sn.assert_true(os.access(os.path.join(self.stagedir, "made/tool"), os.X_OK)),
                sn.assert_eq(self.job.exitcode, 0),
                sn.assert_eq(len(self.job.nodelist), 1),
                sn.assert_gt(self.job.completion_time, self.job.submit_time - 60),
            ]
        )
