"""A job whose script is sent inline, for gateways that submit by slurmrestd.

slurmrestd does not read directives (measured with slurmrestd 22.05.8: a script with ``--ntasks=3`` got one
CPU), so its options are sent as fields of the job. FirecREST has few of them; source: ``JobDescriptionModel``
in its ``scheduler_clients/models.py``. A script with other options is refused rather than run with fewer
resources than it asks for.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache

from reframe_firecrest.model import errors
from reframe_firecrest.model.directives import options_of
from reframe_firecrest.model.units import format_size

LARGEST_SCRIPT = 4 * 1024 * 1024
"""Bytes that a script may have by default; source: ``max_script_size`` in slurm.conf(5)."""

PATH = "/usr/local/bin:/usr/bin:/bin"
"""Search path of a job. slurmrestd passes on no environment but the one that is sent."""

_FIELDS = {
    "job-name": "name",
    "account": "account",
    "partition": "partition",
    "reservation": "reservation",
    "constraint": "constraints",
    "input": "standardInput",
    "output": "standardOutput",
    "error": "standardError",
}
"""Options of sbatch, and the field of the job for each."""

_SHORT = {
    "J": "job-name",
    "A": "account",
    "p": "partition",
    "C": "constraint",
    "i": "input",
    "o": "output",
    "e": "error",
    "n": "ntasks",
    "N": "nodes",
    "c": "cpus-per-task",
    "t": "time",
    "D": "chdir",
}

_ONE = ("ntasks", "nodes", "cpus-per-task", "ntasks-per-node", "ntasks-per-core", "ntasks-per-socket")
"""Options that need not be sent if their value is 1, since that is Slurm's default."""

_DISPENSABLE = ("chdir", "comment", "open-mode")
"""Options that need not be sent: the directory is sent anyway, the mode matters for duplicates only, and a
comment changes nothing."""

_UNSENT = ("time",)
"""Options without which a job runs, but under the partition's default."""

_LOGGER = logging.getLogger(__name__)


def inline_job(script: str, directory: str, account: str | None, where: str) -> Mapping[str, object]:
    """Return the description of a job for a script with directives.

    Args:
        script: the script.
        directory: the job's working directory.
        account: to charge; None leaves it to the script.
        where: the gateway and system, as the user knows them.

    Raises:
        RejectedError: the script is too large, or has options that can't be sent.
    """
    _check_size(script, where)
    job: dict[str, object] = {}
    refused = []
    for given, value in options_of(script):
        name = _SHORT.get(given, given)
        if name in _FIELDS:
            job[_FIELDS[name]] = value
        elif name in _UNSENT:
            _report(name)
        elif name not in _DISPENSABLE and not (name in _ONE and value in ("1", "1-1")):
            refused.append(f"--{name}" if len(name) > 1 else f"-{name}")
    if refused:
        raise errors.RejectedError(
            f"the job can't be submitted on {where}: the gateway uses slurmrestd (connection_mode: rest), "
            f"which ignores these options of its script: {', '.join(dict.fromkeys(refused))}; "
            "ask the site for connection_mode: hybrid or ssh"
        )
    job |= {"account": account} if account else {}
    return {**job, "workingDirectory": directory, "env": {"PATH": PATH}, "script": script}


def _check_size(script: str, where: str) -> None:
    size = len(script.encode("utf-8", "surrogateescape"))
    if size > LARGEST_SCRIPT:
        raise errors.RejectedError(
            f"the job can't be submitted on {where}: its script has {format_size(size)}, more than Slurm's "
            f"default limit, {format_size(LARGEST_SCRIPT)}; move data from the script into files"
        )


@lru_cache(maxsize=16)
def _report(name: str) -> None:
    """Warn about an option that is not sent, once."""
    _LOGGER.warning(
        "the gateway submits by slurmrestd, which ignores --%s of job scripts; the partition's default holds",
        name,
    )
