"""Commands that are inserted before the first command of a job script. Pure functions.

1. The job claims its submission, or ends at once: a submission whose response was lost may have been queued
   more than once, and only one job may run the test's commands.
2. The job truncates its output files, as Slurm would have done.
3. The job copies shared inputs, and unpacks those that were sent in parts.
4. At its end, the script searches for changes that a listing does not show.
5. It reports its small results (`staging.job_report`).

All commands work in any POSIX shell. If step 4 fails, all files that may have changed are fetched; if step 5
fails, results are listed.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reframe_firecrest.model.directives import first_command, open_mode, with_directive
from reframe_firecrest.staging.job_report import removing, reporting
from reframe_firecrest.staging.markers import CHANGES, ERROR, PREFIX, READY, SEARCHED
from reframe_firecrest.staging.pack import SentStat
from reframe_firecrest.staging.shared_inputs import InputContent, copying
from reframe_firecrest.staging.split_archive import Unpacking, unpacking

BY_HAND = "REFRAME_FIRECREST_BY_HAND"
"""Environment variable that lets a user's own job run a script that was left on the system."""

TICK = 0.02
"""Seconds between the reference and the first command: file times have a resolution of 1 to 10 ms (the
kernel's tick), and a change must be newer than the reference."""

TASK = "${SLURM_ARRAY_TASK_ID:+-$SLURM_ARRAY_TASK_ID}"
"""Suffix of the markers of an array's task."""

SEARCH = 10
"""Time limit of the search for changes, in seconds."""

LONGEST = 500
"""Largest length of a marker; a longer report is omitted, so that all files are fetched."""


@dataclass(frozen=True)
class Prologue:
    """Parameters of the commands.

    Attributes:
        token: token of the submission.
        claims: remote directory of claims.
        directory: the remote stage directory.
        store: remote directory of shared inputs.
        shared: inputs to copy, by path relative to the stage directory.
        truncates: an earlier job has written to the same output files.
        unpacked: inputs to take from archives that were sent in parts.
    """

    token: str
    claims: str
    directory: str
    store: str = ""
    shared: Mapping[str, tuple[InputContent, SentStat]] = field(default_factory=dict)
    truncates: bool = False
    unpacked: Sequence[Unpacking] = ()

    @property
    def prepares(self) -> bool:
        """True if the job prepares inputs before the test's commands."""
        return bool(self.shared or self.unpacked)

    @property
    def claim(self) -> str:
        """Path of the claim."""
        return f"{self.claims}/{self.token}"

    @property
    def marker(self) -> str:
        """Path of the markers in the stage directory, without their suffixes."""
        return f"{self.directory}/{PREFIX}{self.token}"


def with_prologue(script: bytes, prologue: Prologue) -> bytes:
    """Insert the commands into a job script, after its directives."""
    text = script.decode("utf-8", "surrogateescape")
    mode = open_mode(text) or ""
    appends = mode.startswith("a")
    if not appends:
        # Another job of the same submission would truncate the output of the first, even if it ends at once.
        text = with_directive(text, "--open-mode=append")
    lines = text.split("\n")
    first = first_command(lines)
    added = _commands(prologue, truncated=not appends, mode=mode)
    return "\n".join([*lines[:first], *added, *lines[first:]]).encode("utf-8", "surrogateescape")


def _commands(prologue: Prologue, *, truncated: bool, mode: str) -> Iterator[str]:
    yield "# reframe-firecrest: of several jobs from one submission, only the first runs this script."
    yield f"# To run it in a job of your own, set {BY_HAND}=1."
    yield "__reframe_firecrest_job="
    yield f'if [ -n "${{SLURM_JOB_ID-}}" ] && [ -z "${{{BY_HAND}-}}" ]; then'
    yield from _claiming(prologue)
    if truncated:
        yield from _truncating(prologue, mode)
    yield "fi"
    if prologue.shared:
        yield from _copying(prologue)
    for number, wanted in enumerate(prologue.unpacked):
        yield from _unpacking(prologue, wanted, number)
    yield 'if [ -n "$__reframe_firecrest_job" ]; then'
    yield from _starting(prologue)
    yield "fi"
    yield "# reframe-firecrest: the test's own commands"


def _claiming(prologue: Prologue) -> Iterator[str]:
    """Yield the commands that claim the submission, or end the job without output.

    If the directory of claims is missing, the run is over, and a user has submitted the script again.

    ``ln`` is atomic. In a directory it would create a link, so a directory in the place of the claim keeps
    every job out (see `reframe_firecrest.session.submission`). A requeued job, the tasks of an array and the
    components of a heterogeneous job have the id that the claim names already.
    """
    claim = shlex.quote(prologue.claim)
    job = '"$__reframe_firecrest_job"'
    yield "__reframe_firecrest_job=${SLURM_HET_JOB_ID:-${SLURM_PACK_JOB_ID:-$SLURM_JOB_ID}}"
    yield "__reframe_firecrest_job=${SLURM_ARRAY_JOB_ID:-$__reframe_firecrest_job}"
    yield "for __reframe_firecrest_try in 1 2 3; do"
    yield f"[ -d {shlex.quote(prologue.claims)} ] || {{"
    yield f"echo 'reframe-firecrest: the run is over; to run the script again, set {BY_HAND}=1' >&2"
    yield "exit 1; }"
    yield f"! [ -d {claim} ] || exit 0"
    yield f"command ln -sn {job} {claim} 2>/dev/null && [ -L {claim} ] && break"
    yield f"__reframe_firecrest_holder=$(command readlink {claim} 2>/dev/null) || :"
    yield f'[ "$__reframe_firecrest_holder" = {job} ] && break'
    yield '[ -z "$__reframe_firecrest_holder" ] && [ "$__reframe_firecrest_try" != 3 ] || exit 0'
    yield "command sleep 1 || :"
    yield "done"


def _truncating(prologue: Prologue, mode: str) -> Iterator[str]:
    """Yield the commands that truncate the output files, as Slurm does without ``--open-mode=append``.

    sbatch passes the mode to each srun of the job in ``SLURM_OPEN_MODE``, so that variable is restored, too.
    """
    changes = f"{shlex.quote(prologue.marker + CHANGES)}{TASK}"
    errors = f"{shlex.quote(prologue.marker + ERROR)} {shlex.quote(prologue.claim + ERROR)}"
    yield "SLURM_OPEN_MODE=t" if mode else "unset SLURM_OPEN_MODE"
    yield 'if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] 2>/dev/null; then'
    yield f"command rm -f {changes} {errors} {removing(prologue.claim)} 2>/dev/null || :"
    yield from (["fi", "{"] if prologue.truncates else [])
    yield "for __reframe_firecrest_fd in 1 2; do"
    yield "! [ -f /proc/$$/fd/$__reframe_firecrest_fd ] || : > /proc/$$/fd/$__reframe_firecrest_fd"
    yield "done"
    yield "}" if prologue.truncates else "fi"


def _copying(prologue: Prologue) -> Iterator[str]:
    """Yield the commands that copy inputs, or report an error and end the job."""
    yield "# reframe-firecrest: inputs that other tests have too were sent once; here they are copied."
    some_input = posixpath.join(prologue.directory, next(iter(prologue.shared)))
    commands = copying(prologue.store, prologue.directory, prologue.shared)
    yield from _preparing(prologue, prologue.store, some_input, commands)


def _unpacking(prologue: Prologue, wanted: Unpacking, number: int) -> Iterator[str]:
    """Yield the commands that unpack inputs, or report an error and end the job."""
    yield "# reframe-firecrest: large inputs were sent in parts; here they are joined and unpacked."
    directory = wanted.archive.directory
    some_input = posixpath.join(wanted.target, next(iter(wanted.files)))
    scratch = f"{shlex.quote(f'{directory}/{prologue.token}-{number}')}{TASK}"
    yield from _preparing(prologue, directory, some_input, unpacking(wanted, scratch))


def _preparing(prologue: Prologue, source: str, some_input: str, commands: Iterable[str]) -> Iterator[str]:
    """Yield commands that prepare inputs, or report an error and end the job.

    Args:
        prologue: parameters.
        source: directory that the inputs come from. If the script runs again after the session, it is
            missing, and the inputs exist already.
        some_input: one of the inputs.
        commands: the commands; they end the shell if one of them fails.
    """
    yield f"if [ -d {shlex.quote(source)} ] || ! [ -e {shlex.quote(some_input)} ]; then"
    yield "__reframe_firecrest_error=$( {"
    yield from commands
    yield "} 2>&1 ) || {"
    yield "echo 'reframe-firecrest: inputs could not be copied on the system' >&2"
    yield "printf '%s\\n' \"$__reframe_firecrest_error\" >&2"
    yield 'if [ -n "$__reframe_firecrest_job" ]; then'
    yield from _reporting(prologue)
    yield "fi"
    yield "exit 1"
    yield "}"
    yield "fi"


def _reporting(prologue: Prologue) -> Iterator[str]:
    """Yield the commands that report the reason of a failure.

    A long target needs a data block, which a full quota refuses; a short one is written then.
    """
    yield "__reframe_firecrest_error=$(printf '%s' \"$__reframe_firecrest_error\" |"
    yield "command tr -c '[:alnum:] ._:/=+,@-' ' ' | command cut -c 1-400)"
    for base in (prologue.claim, prologue.marker):
        path = shlex.quote(base + ERROR)
        yield f'command ln -sn "$__reframe_firecrest_error" {path} 2>/dev/null ||'
        yield f"command ln -sn 'unknown reason' {path} 2>/dev/null || :"


def _starting(prologue: Prologue) -> Iterator[str]:
    """Yield the commands that mark the start of the test's own commands, and set a trap for their end."""
    ready = shlex.quote(prologue.claim + READY)
    if prologue.prepares:
        yield f'command ln -sn "$__reframe_firecrest_job" {ready} 2>/dev/null || [ -L {ready} ] || exit 1'
    yield f'command ln -sn "$__reframe_firecrest_job" {shlex.quote(prologue.marker + READY)} 2>/dev/null || :'
    yield f"command sleep {TICK} 2>/dev/null || :"
    yield "__reframe_firecrest_path=$PATH"
    yield f"__reframe_firecrest_task={TASK}"
    yield "__reframe_firecrest_end() {"
    yield from _ending(prologue)
    yield "}"
    # Shell tracing would appear in the test's output.
    yield "trap '{ set +xv; } 2>/dev/null; __reframe_firecrest_end' EXIT"


def _ending(prologue: Prologue) -> Iterator[str]:
    """Yield the commands that search for changes which keep size and modification time.

    A change updates the time of the last status change (ctime), which can't be set back. ``find`` prints
    ``ok`` for the stage directory, ``d`` for each directory that was renamed or written to, and the size of
    each file that was changed but has an older modification time. On any error, no marker is left.
    """
    reference = shlex.quote(prologue.claim + (READY if prologue.prepares else ""))
    directory = shlex.quote(prologue.directory)
    top = shlex.quote(re.sub(r"([*?\[\]\\])", r"\\\1", prologue.directory))
    yield "set +eu"
    yield '[ -z "${BASH_VERSION-}" ] || trap - DEBUG ERR RETURN'
    yield "__reframe_firecrest_found=$(unset LD_PRELOAD LD_LIBRARY_PATH; PATH=$__reframe_firecrest_path"
    yield f"LC_ALL=C command timeout {SEARCH} find {directory} -path {top} -printf ok -o \\"
    yield f"-type d -cnewer {reference} -printf ' d' -o \\"
    yield f"-type f -cnewer {reference} ! -newer {reference} -printf ' %s' 2>/dev/null"
    yield "case $? in 0 | 1) ;; *) printf ' failed' ;; esac)"
    yield "set -f; IFS=' '"
    yield "set -- $__reframe_firecrest_found"
    # find fails on a directory that it can't read, but nothing can be fetched from it either.
    yield '[ "${1-}" = ok ] || return 0'
    yield f"shift; __reframe_firecrest_found={SEARCHED}"
    yield "for __reframe_firecrest_word; do"
    yield 'case " $__reframe_firecrest_found " in'
    yield '*" $__reframe_firecrest_word "*) ;;'
    yield '*) __reframe_firecrest_found="$__reframe_firecrest_found $__reframe_firecrest_word" ;;'
    yield "esac"
    yield f"[ ${{#__reframe_firecrest_found}} -lt {LONGEST} ] || return 0"
    yield "done"
    marker = f'{shlex.quote(prologue.marker + CHANGES)}"$__reframe_firecrest_task"'
    yield "PATH=$__reframe_firecrest_path"
    yield f'command ln -sfn "$__reframe_firecrest_found" {marker} 2>/dev/null || return 0'
    yield from reporting(prologue.claim, prologue.directory, reference)
    yield "return 0"
