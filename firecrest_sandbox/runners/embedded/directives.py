"""Requirements of a job, from the `#SBATCH` lines of its script and from the request.

The request's fields correspond to sbatch's command line, which takes precedence over the script.
"""

from __future__ import annotations

import argparse
import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

from firecrest_sandbox.runners.embedded.arrays import ArraySpec
from firecrest_sandbox.runners.embedded.durations import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from firecrest_sandbox.records import JobDescription

_SHEBANG_MISSING = (
    "This does not look like a batch script.  The first\n"
    "sbatch: error: line must start with #! followed by the path to an interpreter.\n"
    "sbatch: error: For instance: #!/bin/sh"
)


class SbatchError(Exception):
    """Refusal of a submission, with sbatch's message and exit status 1."""

    @property
    def stderr(self) -> str:
        """Error output of sbatch."""
        return f"sbatch: error: {self}\n"

    @property
    def reason(self) -> str:
        """Slurm's own message, which slurmrestd sends without the messages of sbatch."""
        return str(self).rpartition("failed: ")[2]


class QuotaError(SbatchError):
    """Refusal of a submission beyond an accounting or QOS limit."""


@dataclass(frozen=True)
class JobSpec:
    """Requirements of a job; None where it has none."""

    name: str
    script: str
    directory: str
    exported: str
    variables: Mapping[str, str] | None = None
    """The complete environment of a job that was submitted through slurmrestd."""
    command: str = "(null)"
    output: str | None = None
    error: str | None = None
    input: str = "/dev/null"
    time_limit: int | None = None
    unlimited: bool = False
    nodes: int | None = None
    tasks: int | None = None
    tasks_per_node: int | None = None
    cpus_per_task: int | None = None
    partition: str | None = None
    account: str | None = None
    reservation: str | None = None
    constraint: str | None = None
    array: ArraySpec | None = None
    nodelist: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    exclusive: bool = False
    open_mode: str = ""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SbatchError(message)


def _minimum(text: str) -> int:
    return _positive(text.partition("-")[0])


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'Invalid numeric value "{text}"')
    return int(text)


def _open_mode(text: str) -> str:
    if text[:1] not in ("a", "t"):
        raise argparse.ArgumentTypeError(f"Invalid --open-mode argument: {text}")
    return text[0]


def _names(text: str) -> tuple[str, ...]:
    try:
        return tuple(NodeSet(text, resolver=RESOLVER_NOGROUP))
    except NodeSetException as error:
        raise argparse.ArgumentTypeError(f"Invalid node name specified: {error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("-J", "--job-name")
    parser.add_argument("-o", "--output")
    parser.add_argument("-e", "--error")
    parser.add_argument("-i", "--input")
    parser.add_argument("-t", "--time")
    parser.add_argument("-N", "--nodes", type=_minimum)
    parser.add_argument("-n", "--ntasks", type=_positive)
    parser.add_argument("--ntasks-per-node", type=_positive)
    parser.add_argument("-c", "--cpus-per-task", type=_positive)
    parser.add_argument("-p", "--partition")
    parser.add_argument("-A", "--account")
    parser.add_argument("--reservation")
    parser.add_argument("-C", "--constraint")
    parser.add_argument("-a", "--array", type=ArraySpec.parse)
    parser.add_argument("-w", "--nodelist", type=_names, default=())
    parser.add_argument("-x", "--exclude", type=_names, default=())
    parser.add_argument("--exclusive", nargs="?", const=True)
    parser.add_argument("-D", "--chdir")
    parser.add_argument("--open-mode", type=_open_mode)
    return parser


def script_path(description: JobDescription) -> str:
    """Return the absolute path of a submitted script, or an empty string if its text was submitted."""
    path = description.script_path
    return path and os.path.join(description.working_directory, path)  # noqa: PTH118  as Slurm opens it


def _directives(script: str) -> Iterator[str]:
    for line in script.splitlines()[1:]:
        if line.startswith("#SBATCH"):
            yield from shlex.split(line.removeprefix("#SBATCH"), comments=True)
        elif line.strip() and not line.lstrip().startswith("#"):
            # sbatch stops at the first command.
            return


def rest_spec(description: JobDescription) -> JobSpec:
    """Return the requirements of a job that is submitted through slurmrestd.

    It reads no `#SBATCH` lines, which are sbatch's own, and the job gets only the variables of the request
    (measured with slurmrestd 22.05).
    """
    return JobSpec(
        name=description.name or "",
        script=description.script,
        directory=description.working_directory,
        exported="",
        variables=description.variables(),
        output=description.standard_output,
        error=description.standard_error,
        input=description.standard_input or "/dev/null",
        partition=description.partition,
        account=description.account,
        reservation=description.reservation,
        constraint=description.constraints,
    )


def read_spec(description: JobDescription, script: str, default_name: str) -> JobSpec:
    """Return the requirements of a job; unknown options are ignored.

    Args:
        description: the request.
        script: text of the batch script.
        default_name: name of a job without a name: the script's file name, or `sbatch`.

    Raises:
        SbatchError: sbatch would refuse the submission.
    """
    if not script.startswith("#!"):
        raise SbatchError(_SHEBANG_MISSING)
    try:
        options, _ = _parser().parse_known_args(list(_directives(script)))
        limit = None if options.time is None else seconds_of(options.time)
    except ValueError as error:
        raise SbatchError(str(error)) from None
    return JobSpec(
        name=description.name or options.job_name or default_name,
        script=script,
        directory=description.working_directory,
        exported=description.exported(),
        command=script_path(description) or "(null)",
        output=description.standard_output or options.output,
        error=description.standard_error or options.error,
        input=description.standard_input or options.input or "/dev/null",
        time_limit=limit,
        unlimited=options.time is not None and limit is None,
        nodes=options.nodes,
        tasks=options.ntasks,
        tasks_per_node=options.ntasks_per_node,
        cpus_per_task=options.cpus_per_task,
        partition=description.partition or options.partition,
        account=description.account or options.account,
        reservation=description.reservation or options.reservation,
        constraint=description.constraints or options.constraint,
        array=options.array,
        nodelist=options.nodelist,
        exclude=options.exclude,
        exclusive=bool(options.exclusive),
        open_mode=options.open_mode or "",
    )
