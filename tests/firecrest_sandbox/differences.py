"""Where the sandbox deliberately differs from the recorded gateway, and why.

docs/sandbox.md shows the same table to users; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One difference, named for what tests excuse by it."""

    what: str
    real: str
    sandbox: str
    why: str


DIFFERENCES = {
    "paths": Difference(
        "Which paths may be touched",
        "a source has to be below a file system; targets and links are up to the user",
        "all have to be below one root, after following links; so has what an archive holds",
        "it acts as you, on your machine",
    ),
    "systems-schema": Difference(
        "Schema of `/status/systems`",
        "describes all that can be configured about a site",
        "says an object; the answer has the fields of the recorded one",
        "nothing of it can be configured here",
    ),
    "request-schema": Difference(
        "Schema of transfers' directives",
        "s3, wormhole and streamer",
        "s3",
        "the recorded site and this plugin use no other",
    ),
    "validation-message": Difference(
        "Text of a validation error",
        "a dump of all errors in lower case",
        "their messages; `data.fields` is the same",
        "nobody should read that text by program",
    ),
    "pending-start": Difference(
        "Expected start of a waiting job (embedded runner)",
        "sometimes known",
        "null",
        "it doesn't plan ahead",
    ),
    "command-texts": Difference(
        "Complaints of `tar`, `dd` and `sha256sum` in error messages",
        "whatever the remote commands print",
        "what this machine's commands print; unpacking prints less",
        "versions of coreutils and tar differ",
    ),
    "transfer-poll": Difference(
        "Looks of an upload's job for its object",
        "every 60 s",
        "every 0.2 s",
        "here the job starts at once, and would nearly always look too early",
    ),
    "time-limit": Difference(
        "Time limits",
        "rounded up to minutes",
        "to the second",
        "so that a test of a time limit takes no minute",
    ),
    "metadata-age": Difference(
        "Metadata of an ended job",
        "404 some minutes after its end",
        "stays",
        "nothing is gained by forgetting",
    ),
    "errors-of-services": Difference(
        "Failures of sshd, Slurm's daemons and the health check",
        "500, 503 and 424 with their own texts",
        "none; `--faults` answers with any status",
        "there are no such services",
    ),
    "cancelled-record": Difference(
        "A cancelled job's record in the first second",
        "may lack group, partition, directory and limit",
        "complete",
        "an accident of slurmdbd's timing",
    ),
    "job-home": Difference(
        "HOME of a job (embedded runner)",
        "the user's home",
        "the user's directory below the root",
        "so that a job leaves nothing in your home",
    ),
    "srun-stdin": Difference(
        "Standard input of `srun` (embedded runner)",
        "goes to all tasks",
        "goes to task 0",
        "a broadcast is rarely wanted",
    ),
    "reservations": Difference(
        "Reservations, quotas (embedded runner)",
        "as the site has them",
        "none",
        "there is nobody to share with",
    ),
    "extract-zstd": Difference(
        "Compressions that `extract` recognises by itself",
        "all that the remote tar knows",
        "gzip, bzip2, xz",
        "what Python knows",
    ),
    "backfill": Difference(
        "Order of jobs (embedded runner)",
        "priorities, backfill",
        "first come, first served; nobody overtakes",
        "predictable",
    ),
}
"""By the name under which tests excuse them."""
