"""Deliberate differences of the server from the recorded gateway, with reasons.

docs/sandbox.md contains the same table; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One difference. Tests refer to it by its key."""

    what: str
    real: str
    sandbox: str
    why: str


DIFFERENCES = {
    "paths": Difference(
        "Accessible paths",
        "a source must be below a file system; targets and links may be anywhere",
        "all must be below one root, also after following links; the same holds for members of archives",
        "it acts as you, on your machine",
    ),
    "systems-schema": Difference(
        "Schema of `/status/systems`",
        "describes all settings of a site",
        "an object; the answer has the recorded fields",
        "there are no such settings",
    ),
    "streamer": Difference(
        "Streamer and wormhole",
        "a job receives or sends the file",
        "the same answers; the job waits until its time limit",
        "the other end would need programs that are not installed",
    ),
    "slurmrestd": Difference(
        "Answers over slurmrestd",
        "differ between its versions; an unknown job is 404 or 500",
        "jobs as of 24.11, refusals as of 22.05; an unknown job is 404; nodes and partitions as over SSH",
        "one form suffices for tests of clients",
    ),
    "pbs": Difference(
        "PBS",
        "runs jobs",
        "its commands are missing",
        "sufficient for clients that support only Slurm",
    ),
    "validation-message": Difference(
        "Text of a validation error",
        "all errors in lower case",
        "the messages only; `data.fields` is the same",
        "programs should not parse that text",
    ),
    "pending-start": Difference(
        "Expected start of a waiting job (embedded runner)",
        "sometimes known",
        "null",
        "the runner does not plan ahead",
    ),
    "command-texts": Difference(
        "Messages of `tar`, `dd` and `sha256sum` in errors",
        "those of the remote commands",
        "those of this machine's commands; extraction prints less",
        "versions of coreutils and tar differ",
    ),
    "transfer-poll": Difference(
        "Interval at which an upload's job checks for its object",
        "60 s",
        "0.2 s",
        "the job starts immediately, and its first check would nearly always be too early",
    ),
    "time-limit": Difference(
        "Time limits",
        "rounded up to minutes",
        "to the second",
        "tests of time limits take seconds",
    ),
    "metadata-age": Difference(
        "Metadata of an ended job",
        "404 some minutes after its end",
        "remains available",
        "removal would have no benefit",
    ),
    "errors-of-services": Difference(
        "Failures of sshd, Slurm's daemons and the health check",
        "500, 503 and 424 with specific texts",
        "none; `--faults` answers with any status",
        "it has no such services",
    ),
    "cancelled-record": Difference(
        "A cancelled job's record in the first second",
        "may lack group, partition, directory and limit",
        "complete",
        "a matter of slurmdbd's timing",
    ),
    "job-home": Difference(
        "HOME of a job (embedded runner)",
        "the user's home",
        "the user's directory below the root",
        "jobs leave no files in your home",
    ),
    "srun-stdin": Difference(
        "Standard input of `srun` (embedded runner)",
        "goes to all tasks",
        "goes to task 0",
        "rarely needed",
    ),
    "reservations": Difference(
        "Reservations, quotas (embedded runner)",
        "those of the site",
        "none",
        "there is only one user",
    ),
    "extract-zstd": Difference(
        "Compressions that `extract` detects",
        "all that the remote tar supports",
        "gzip, bzip2, xz",
        "those that Python supports",
    ),
    "backfill": Difference(
        "Order of jobs (embedded runner)",
        "priorities, backfill",
        "first come, first served; no job overtakes",
        "predictable",
    ),
}
"""By the name under which tests excuse them."""
