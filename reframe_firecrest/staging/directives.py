"""Slurm's directives in a job script. Pure functions.

sbatch reads options from lines that begin with ``#SBATCH``, up to the first line that is neither empty nor a
comment. The last of several options for the same thing counts; so does one on sbatch's command line, which
overrides all of them. Source: sbatch(1).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

_PREFIX = "#SBATCH"
_SWITCHES = frozenset("hHIkOQRsuvVW")
"""Short options of sbatch without a value: others may follow in the same word."""

_SHORTEST = {"--account": "--ac", "--open-mode": "--op"}
"""The shortest abbreviation of each option that is looked for.

sbatch takes any that is unambiguous. Ambiguous ones (``--ac``, ``--acc``) it refuses by itself.
"""

_NEXT_COMPONENT = re.compile(r"#SBATCH\s+(?:hetjob|packjob)\b")


def first_command(lines: list[str]) -> int:
    """Return the index of the first line that is a command; the number of lines if there is none."""
    return next(
        (at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines)
    )


def names_account(script: str) -> bool:
    """Return true if the script says which account is charged."""
    return next(_values(script, "--account", "A"), None) is not None


def open_mode(script: str) -> str | None:
    """Return the value of ``--open-mode`` in the script, None if it is not set."""
    found = None
    for value in _values(script, "--open-mode", ""):
        found = value
    return found


def with_directive(script: str, option: str) -> str:
    """Add an option that overrides those of the script.

    It goes behind the directives of the first component: of a heterogeneous job, only that one has a batch
    script and its output files.
    """
    lines = script.split("\n")
    end = first_command(lines)
    components = (at for at, line in enumerate(lines[:end]) if _NEXT_COMPONENT.match(line))
    last = max((at for at, line in enumerate(lines[:end]) if line.startswith("#")), default=0)
    at = next(components, last + 1)
    return "\n".join([*lines[:at], f"{_PREFIX} {option}", *lines[at:]])


def _values(script: str, long: str, short: str) -> Iterator[str]:
    """Yield the values that the script gives an option, in their order."""
    lines = script.split("\n")
    for line in lines[: first_command(lines)]:
        if line.startswith(_PREFIX):
            yield from _values_in(_words(line.removeprefix(_PREFIX)), long, short)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        # A quotation that does not end; sbatch refuses it.
        return text.split()


def _values_in(words: list[str], long: str, short: str) -> Iterator[str]:
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            if name.startswith(_SHORTEST[long]) and long.startswith(name):
                yield value if equals else following
        elif word.startswith("-") and short:
            rest = word[1:].lstrip("".join(_SWITCHES))
            if rest.startswith(short):
                yield rest[len(short) :] or following
