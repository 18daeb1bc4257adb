"""Slurm's directives in a job script. Pure functions.

sbatch reads options from lines that begin with ``#SBATCH``, up to the first line that is neither empty nor a
comment. The last value of an option counts, and sbatch's command line overrides all of them. Sources:
sbatch(1); Slurm's ``_parse_array_tok`` in slurmctld/job_mgr.c. Each rule was verified with Slurm 22.05.
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
"""Short options of sbatch without a value, which can be combined in one word."""

_ANY_TEXT = frozenset(
    {"--admin-comment", "--chdir", "--comment", "--container", "--error", "--export", "--extra"}
    | {"--input", "--job-name", "--mail-user", "--output", "--wckey", "--wrap"}
)
"""Long options whose value, as a separate word, may look like an option."""


@dataclass(frozen=True)
class _Option:
    """Option of sbatch.

    Attributes:
        long: its long name.
        shortest: its shortest unambiguous abbreviation.
        short: its letter, if any.
    """

    long: str
    shortest: str
    short: str = ""

    def is_named(self, name: str) -> bool:
        """Return whether sbatch accepts a name with two dashes as this option."""
        return name.startswith(self.shortest) and self.long.startswith(name)


# sbatch refuses shorter abbreviations of --account as ambiguous.
_ACCOUNT = _Option("--account", "--ac", "A")
_ARRAY = _Option("--array", "--ar", "a")
_OPEN_MODE = _Option("--open-mode", "--op")
_ACCESS = (
    _ACCOUNT,
    _Option("--constraint", "--cons", "C"),
    _Option("--partition", "--part", "p"),
    _Option("--qos", "--qo", "q"),
    _Option("--reservation", "--res"),
)
"""Options that decide where a job may run, and on whose account."""

_TASKS = re.compile(r"\[?\s*\+?([0-9]{1,9})\]?(?:-\s*\+?([0-9]{1,9})\]?(?::\s*\+?([0-9]{1,9})\]?)?)?(?:%.*)?")


def first_command(lines: Sequence[str]) -> int:
    """Return the index of the first command; the number of lines if there are only comments."""
    return next(
        (at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines)
    )


def shape_of(script: str) -> JobShape:
    """Return the parts of the job that sbatch creates from a script.

    Raises:
        ValueError: the value of ``--array`` is invalid.
    """
    components = 1 + sum(line[:1] in ([word] for word in _NEXT_COMPONENT) for line in _directives(script))
    value = _value(script, _ARRAY)
    return JobShape(tasks_of(value) if value is not None else frozenset(), components)


def tasks_of(value: str) -> frozenset[int]:
    """Return the indices in a value of ``--array``, such as ``0-15:4,20%2``.

    Raises:
        ValueError: the value is invalid.
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


def directive(option: str) -> str:
    """Return the line of a script for an option of a partition, which may be an entire directive."""
    return option if option.startswith("#") else f"#SBATCH {option}"


def names_account(script: str) -> bool:
    """Return whether the script names the account to charge."""
    return account_in(script) is not None


def account_in(script: str) -> str | None:
    """Return the account to charge that a script names; None if it names none."""
    return _value(script, _ACCOUNT)


def options_of(script: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each option in the script, as they are given; the value may be empty.

    A word after a name is its value unless it looks like an option.
    """
    for words in _directives(script):
        left = list(words)
        while left:
            word = left.pop(0)
            name, is_given, value = word.lstrip("-").partition("=")
            if word.startswith("-") and not word.startswith("--"):
                name, value, is_given = word[1:2], word[2:].removeprefix("="), word[2:]
            if not is_given and left and not left[0].startswith("-"):
                value = left.pop(0)
            yield name, value


def access_options(script: str) -> list[str]:
    """Return the options by which another job gets the same access to the system as a script."""
    found = ((option.long, _value(script, option)) for option in _ACCESS)
    return [f"{name}={shlex.quote(value)}" for name, value in found if value]


def open_mode(script: str) -> str | None:
    """Return the value of ``--open-mode`` in the script; None if it is not set."""
    return _value(script, _OPEN_MODE)


def with_directive(script: str, option: str) -> str:
    """Add an option that overrides those of the script.

    It is added after the directives of the first component: only this component of a heterogeneous job has a
    batch script and its output files.
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
        # An unclosed quotation mark: sbatch refuses the script, or splits it at blanks.
        return text.split()


def _value(script: str, option: _Option) -> str | None:
    """Return the last value of an option in all directives; None if it is not set."""
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
    """Split a word of short options into the option that takes a value, if any, and the rest."""
    letters = word[1:].lstrip("".join(_FLAGS))
    return letters[:1], letters[1:]
