"""Slurm's directives in a job script. Pure functions.

sbatch reads options from lines that begin with ``#SBATCH``, up to the first line that is neither empty nor a
comment. The last of several values of an option counts, and one on sbatch's command line overrides all of
them. Sources: sbatch(1); Slurm's ``_parse_array_tok`` in slurmctld/job_mgr.c; every rule here was tried with
the sbatch of Slurm 22.05.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reframe_firecrest.model.job_shape import LARGEST_INDEX, JobShape

_DIRECTIVE = re.compile(r"#SBATCH(?=\s|$)")
_NEXT_COMPONENT = ("hetjob", "packjob")

_FLAGS = frozenset("hHkOQsuvVW")
"""Short options of sbatch without a value; they may stand in one word with others."""

_ANY_TEXT = frozenset(
    {"--admin-comment", "--chdir", "--comment", "--container", "--error", "--export", "--extra"}
    | {"--input", "--job-name", "--mail-user", "--output", "--wckey", "--wrap"}
)
"""Long options whose value, in a word of its own, may look like an option."""


@dataclass(frozen=True)
class _Option:
    """An option of sbatch.

    Attributes:
        long: its long name.
        shortest: the shortest abbreviation of it that is no other option's.
        short: its letter, if it has one.
    """

    long: str
    shortest: str
    short: str = ""

    def is_named(self, name: str) -> bool:
        """Return true if sbatch takes a name with two dashes for this option."""
        return name.startswith(self.shortest) and self.long.startswith(name)


# Shorter abbreviations of --account are ambiguous, so that sbatch refuses them by itself.
_ACCOUNT = _Option("--account", "--ac", "A")
_ARRAY = _Option("--array", "--ar", "a")
_OPEN_MODE = _Option("--open-mode", "--op")

_TASKS = re.compile(r"\[?\s*\+?([0-9]{1,9})\]?(?:-\s*\+?([0-9]{1,9})\]?(?::\s*\+?([0-9]{1,9})\]?)?)?(?:%.*)?")


def first_command(lines: Sequence[str]) -> int:
    """Return the index of the first line that is a command; the number of lines if there is none."""
    return next(
        (at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines)
    )


def shape_of(script: str) -> JobShape:
    """Return the parts that sbatch makes of a script.

    Raises:
        ValueError: its option ``--array`` is not one that Slurm takes.
    """
    components = 1 + sum(line[:1] in ([word] for word in _NEXT_COMPONENT) for line in _directives(script))
    value = _value(script, _ARRAY)
    return JobShape(tasks_of(value) if value is not None else frozenset(), components)


def tasks_of(value: str) -> frozenset[int]:
    """Return the indices that a value of ``--array`` stands for, such as ``0-15:4,20%2``.

    Raises:
        ValueError: Slurm does not take it.
    """
    indices: set[int] = set()
    for item in filter(None, value.split(",")):
        found = _TASKS.fullmatch(item)
        if found is None:
            raise ValueError(f"not a list of array indices: {value[:80]!r}")
        first = int(found[1])
        last, step = int(found[2] or first), int(found[3] or 1)
        if not first <= last <= LARGEST_INDEX or step == 0:
            raise ValueError(f"not a list of array indices: {value[:80]!r}")
        indices.update(range(first, last + 1, step))
    if not indices:
        raise ValueError(f"not a list of array indices: {value[:80]!r}")
    return frozenset(indices)


def names_account(script: str) -> bool:
    """Return true if the script says which account is charged."""
    return _value(script, _ACCOUNT) is not None


def open_mode(script: str) -> str | None:
    """Return the value of ``--open-mode`` in the script, None if it is not set."""
    return _value(script, _OPEN_MODE)


def with_directive(script: str, option: str) -> str:
    """Add an option that overrides those of the script.

    It goes behind the directives of the first component: of a heterogeneous job, only that one has a batch
    script and its output files.
    """
    lines = script.split("\n")
    end = first_command(lines)
    components = (at for at, line in enumerate(lines[:end]) if _begins_component(line))
    last = max((at for at, line in enumerate(lines[:end]) if line.startswith("#")), default=0)
    at = next(components, last + 1)
    return "\n".join([*lines[:at], f"#SBATCH {option}", *lines[at:]])


def _begins_component(line: str) -> bool:
    found = _DIRECTIVE.match(line)
    return found is not None and _words(line[found.end() :])[:1] in ([word] for word in _NEXT_COMPONENT)


def _directives(script: str) -> Iterator[list[str]]:
    """Yield the words of each directive."""
    lines = script.split("\n")
    for line in lines[: first_command(lines)]:
        found = _DIRECTIVE.match(line)
        if found is not None:
            yield _words(line[found.end() :])


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        # An open quotation mark: sbatch refuses the script, or takes the words as they are.
        return text.split()


def _value(script: str, option: _Option) -> str | None:
    """Return the last value of an option in all directives, which is the one that counts."""
    value = None
    left = iter([word for line in _directives(script) for word in line])
    for word in left:
        if word.startswith("--"):
            name, is_given, given = word.partition("=")
            if option.is_named(name):
                value = given if is_given else next(left, "")
            elif not is_given and name in _ANY_TEXT:
                next(left, None)
        elif word.startswith("-"):
            letter, given = _valued(word)
            if letter and letter == option.short:
                value = given or next(left, "")
            elif letter and not given:
                next(left, None)
    return value


def _valued(word: str) -> tuple[str, str]:
    """Split a word of short options into the one that takes a value, if any, and what follows it."""
    letters = word[1:].lstrip("".join(_FLAGS))
    return letters[:1], letters[1:]
