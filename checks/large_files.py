"""Transfer of large files in both directions.

To adapt to a site: ``size_mib``. Files above the gateway's limit of direct transfers (5 MiB by
default) are transferred through its object storage.
"""

import hashlib
import random
from pathlib import Path

import reframe as rfm
import reframe.utility.sanity as sn
from reframe.core.builtins import deferrable, run_before, sanity_function, variable

MIB = 1024 * 1024


@rfm.simple_test
class LargeFiles(rfm.RunOnlyRegressionTest):
    """Verify the checksum of a file on a node, and the checksum of another file from the node here."""

    descr = "Stage and retrieve a large file"
    valid_systems = ["+remote"]
    valid_prog_environs = ["builtin"]
    sourcesdir = None
    executable = "sha256sum"
    executable_opts = ["--check", "input.sha256"]
    num_tasks = 1
    tags = {"production", "storage"}

    size_mib = variable(int, value=24)

    @run_before("run")
    def make_input(self):
        # Random data, which can't be compressed; the seed makes it reproducible.
        data = random.Random(self.size_mib).randbytes(self.size_mib * MIB)
        head, tail = data[: len(data) // 2], data[len(data) // 2 :]
        stagedir = Path(self.stagedir)
        (stagedir / "input.bin").write_bytes(data)
        (stagedir / "input.sha256").write_text(f"{hashlib.sha256(data).hexdigest()}  input.bin\n")
        self.expected_output = hashlib.sha256(tail + head).hexdigest()
        # The output is the input with its halves exchanged, so that its checksum is known.
        half = len(head)
        self.postrun_cmds = [
            f"tail -c +{half + 1} input.bin > output.bin",
            f"head -c {half} input.bin >> output.bin",
        ]

    @sanity_function
    def checksums_agree(self):
        return sn.all(
            [
                sn.assert_found(
                    r"^input\.bin: OK$",
                    self.stdout,
                    msg="the file on the node differs from the input",
                ),
                sn.assert_true(sn.path_isfile("output.bin"), msg="the job's output.bin was not retrieved"),
                sn.assert_eq(
                    self.checksum_of("output.bin"),
                    self.expected_output,
                    msg="output.bin has the checksum {0}, expected {1}",
                ),
            ]
        )

    @deferrable
    def checksum_of(self, name):
        with Path(name).open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(MIB):
                digest.update(block)
        return digest.hexdigest()
