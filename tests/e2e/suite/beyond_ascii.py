"""Names beyond ASCII, and names that are no text, on both sides; this file itself is ASCII."""

import os

import reframe as rfm
import reframe.utility.sanity as sn


class Names(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]

    def place(self, name):
        return os.path.join(os.fsencode(self.stagedir), name)

    def text(self, name):
        with open(self.place(name), encoding="utf-8") as file:
            return file.read()


@rfm.simple_test
class MakesThem(Names):
    executable = r"""
echo x > "$(printf 'f\303\274r.txt')"
mkdir "$(printf 'd\303\274')"
echo y > "$(printf 'd\303\274/\303\237')"
ln -s "$(printf 'f\303\274r.txt')" "$(printf 'l\303\274')"
echo z > "$(printf 'lat\351n')"
echo made"""

    @sanity_function
    def validate(self):
        return sn.all(
            [
                sn.assert_found("made", self.stdout),
                sn.assert_eq(self.text(b"f\303\274r.txt"), "x\n"),
                sn.assert_eq(self.text(b"d\303\274/\303\237"), "y\n"),
                sn.assert_eq(self.text(b"l\303\274"), "x\n"),
                sn.assert_eq(self.text(b"lat\351n"), "z\n"),
            ]
        )


@rfm.simple_test
class SendsThem(Names):
    executable = "cat f*.txt lat*n"

    @run_before("run")
    def write(self):
        for name, text in {b"f\303\274r.txt": f"path {self.stagedir}\n", b"lat\351n": "latin\n"}.items():
            with open(self.place(name), "w", encoding="utf-8") as file:
                file.write(text)

    @sanity_function
    def validate(self):
        return sn.all(
            [
                sn.assert_found("latin", self.stdout),
                sn.assert_found("path /", self.stdout),
                sn.assert_not_found(self.stagedir, self.stdout),
            ]
        )


@rfm.simple_test
class LeavesOne(Names):
    executable = r"""echo x > "$(printf 'f\303\274r.txt')"; echo made"""

    @run_after("setup")
    def leave(self):
        self.job.exclude = ["f*.txt"]

    @sanity_function
    def validate(self):
        return sn.all(
            [
                sn.assert_found("made", self.stdout),
                sn.assert_true(os.path.exists(self.place(b"f\303\274r.txt"))),
            ]
        )


@rfm.simple_test
class ReadsWhatItLeft(LeavesOne):
    """Fails, and says why in one line."""

    @sanity_function
    def validate(self):
        return sn.assert_eq(self.text(b"f\303\274r.txt"), "x\n")
