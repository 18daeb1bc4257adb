"""Changes to the modules system that ReFrame has requested, none of which is made on this machine.

ReFrame undoes its changes by restoring the environment variables (``_EnvironmentSnapshot``, 4.10), so they
are kept in one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum

VARIABLE = "REFRAME_FIRECREST_MODULES"


class Verb(str, Enum):
    """Subcommand of ``module`` that changes something."""

    LOAD = "load"
    RESTORE = "restore"
    UNLOAD = "unload"
    PURGE = "purge"
    USE = "use"
    UNUSE = "unuse"


@dataclass(frozen=True)
class Change:
    """One change; `name` is a module, a collection or a directory, and empty for `Verb.PURGE`."""

    verb: Verb
    name: str = ""


@dataclass(frozen=True)
class Changes:
    """Everything that has changed.

    Attributes:
        outside: changes of the whole run, such as those of ReFrame's option ``--module``.
        partition: the partition whose modules are loaded; None if none is.
        environ: the environment whose modules are loaded.
        modules: modules of this partition and this environment.
        inside: changes since then.
    """

    outside: tuple[Change, ...] = ()
    partition: str | None = None
    environ: str | None = None
    modules: tuple[str, ...] = ()
    inside: tuple[Change, ...] = ()

    @property
    def all(self) -> tuple[Change, ...]:
        """All changes, in order."""
        return self.outside + self.inside

    def plus(self, change: Change) -> Changes:
        """Return these changes and another one."""
        if self.partition is None:
            return replace(self, outside=(*self.outside, change))
        return replace(self, inside=(*self.inside, change))

    def entering(self, partition: str, environ: str | None, modules: tuple[str, ...]) -> Changes:
        """Return the changes of the run only, for the modules of a partition and an environment."""
        return Changes(self.outside, partition, environ, modules)


def read_changes(variables: MutableMapping[str, str]) -> Changes:
    """Return the changes that are kept in environment variables."""
    kept = variables.get(VARIABLE)
    if not kept:
        return Changes()
    outside, partition, environ, modules, inside = json.loads(kept)
    return Changes(_changes(outside), partition, environ, tuple(modules), _changes(inside))


def keep_changes(changes: Changes, variables: MutableMapping[str, str]) -> None:
    """Keep changes in environment variables."""
    pairs = [[[each.verb.value, each.name] for each in part] for part in (changes.outside, changes.inside)]
    variables[VARIABLE] = json.dumps(
        [pairs[0], changes.partition, changes.environ, list(changes.modules), pairs[1]]
    )


@contextmanager
def changes_undone(variables: MutableMapping[str, str]) -> Iterator[None]:
    """Undo the changes of a block when it ends."""
    kept = variables.get(VARIABLE)
    try:
        yield
    finally:
        if kept is not None:
            variables[VARIABLE] = kept
        else:
            variables.pop(VARIABLE, None)


def _changes(pairs: list[list[str]]) -> tuple[Change, ...]:
    return tuple(Change(Verb(verb), name) for verb, name in pairs)
