"""Do large files arrive unchanged, in both directions?

A site adapts: ``size_mib``. Above the gateway's limit for direct transfers (5 MiB unless the site
says otherwise) files travel through its object storage.
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
    """Send a file, have its checksum verified on a node, fetch another file, verify that here."""

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
        # Random, so that compression cannot shorten it; seeded, so that it can be made again.
        data = random.Random(self.size_mib).randbytes(self.size_mib * MIB)
        head, tail = data[: len(data) // 2], data[len(data) // 2 :]
        stagedir = Path(self.stagedir)
        (stagedir / "input.bin").write_bytes(data)
        (stagedir / "input.sha256").write_text(f"{hashlib.sha256(data).hexdigest()}  input.bin\n")
        self.expected_output = hashlib.sha256(tail + head).hexdigest()
        # The halves exchanged: a different file, of which the checksum is known here.
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
                    r"^input\.bin: OK$", self.stdout, msg="the node read something else than was sent"
                ),
                sn.assert_true(sn.path_isfile("output.bin"), msg="the job's output.bin did not come back"),
                sn.assert_eq(
                    self.checksum_of("output.bin"),
                    self.expected_output,
                    msg="output.bin came back with the checksum {0}, expected {1}",
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
