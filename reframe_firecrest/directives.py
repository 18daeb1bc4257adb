"""The directives of a job script, as far as they define which parts its job has. Pure functions.

Sources: sbatch(1); Slurm's ``_parse_array_tok`` in slurmctld/job_mgr.c; every rule here was tried with the
sbatch of Slurm 22.05.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from reframe_firecrest.shape import LARGEST_INDEX, JobShape

_DIRECTIVE = re.compile(r"#SBATCH(?=\s|$)")
_NEXT_COMPONENT = ("hetjob", "packjob")

_FLAGS = frozenset("hHkOQsuvVW")
"""Short options of sbatch without a value; they may stand in one word with others."""

_ANY_TEXT = frozenset(
    {"--admin-comment", "--chdir", "--comment", "--container", "--error", "--export", "--extra"}
    | {"--input", "--job-name", "--mail-user", "--output", "--wckey", "--wrap"}
)
"""Long options whose value, in a word of its own, may look like an option."""

_SHORTEST = len("--ar")
"""Letters of ``--array`` that no other option of sbatch shares."""

_TASKS = re.compile(r"\[?\s*\+?([0-9]{1,9})\]?(?:-\s*\+?([0-9]{1,9})\]?(?::\s*\+?([0-9]{1,9})\]?)?)?(?:%.*)?")


def shape_of(script: str) -> JobShape:
    """Return the parts that sbatch makes of a script.

    Raises:
        ValueError: its option ``--array`` is not one that Slurm takes.
    """
    components = 1
    words: list[str] = []
    for line in _directives(script):
        if line[:1] in ([word] for word in _NEXT_COMPONENT):
            components += 1
        words += line
    value = _array_in(words)
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


def _directives(script: str) -> Iterator[list[str]]:
    """Yield the words of each directive; sbatch reads no further than the first command."""
    for line in script.split("\n"):
        found = _DIRECTIVE.match(line)
        if found is not None:
            try:
                yield shlex.split(line[found.end() :], comments=True)
            except ValueError:
                # An open quotation mark: sbatch refuses the script, or takes the words as they are.
                yield line[found.end() :].split()
        elif line.strip() and not line.startswith("#"):
            return


def _array_in(words: Sequence[str]) -> str | None:
    """Return the last value of ``--array``, which is the one that counts."""
    value = None
    left = iter(words)
    for word in left:
        if word.startswith("--"):
            name, is_given, given = word.partition("=")
            if len(name) >= _SHORTEST and "--array".startswith(name):
                value = given if is_given else next(left, "")
            elif not is_given and name in _ANY_TEXT:
                next(left, None)
        elif word.startswith("-"):
            letter, given = _valued(word)
            if letter == "a":
                value = given or next(left, "")
            elif letter and not given:
                next(left, None)
    return value


def _valued(word: str) -> tuple[str, str]:
    """Split a word of short options into the one that takes a value, if any, and what follows it."""
    letters = word[1:].lstrip("".join(_FLAGS))
    return letters[:1], letters[1:]
