"""Modules of a system as a job found them, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

ENVMOD, LMOD, SPACK = "envmod", "lmod", "spack"
KINDS = (ENVMOD, LMOD, SPACK)
"""Modules systems, by ReFrame's names of their backends (``ModulesSystem.name``)."""


@dataclass(frozen=True)
class ModulesState:
    """State of the modules system at one moment.

    Attributes:
        modulepath: directories that are searched for modules.
        loaded: modules that are loaded.
        available: names of available modules as the modules system prints them, without annotations.
    """

    modulepath: tuple[str, ...] = ()
    loaded: tuple[str, ...] = ()
    available: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModuleLoad:
    """Loading of one module of an environment.

    Attributes:
        module: name of the module or collection.
        loaded: modules that are loaded afterwards, in the order of the modules system.
    """

    module: str
    loaded: tuple[str, ...]


@dataclass(frozen=True)
class Snapshot:
    """Modules of one partition and environment, recorded by one job.

    Attributes:
        partition: ReFrame's name of the partition.
        environ: ReFrame's name of the environment.
        taken: time at which the job's output was read.
        kind: one of `KINDS`.
        version: version of the modules system.
        before: state before the modules of the partition and the environment were loaded.
        loads: these modules, in order.
        after: state after all of them were loaded.
        conflicts: modules that each module conflicts with; a module without an entry has no conflicts.
        uninspected: modules whose conflicts are unknown, because the job ran out of time.
    """

    partition: str
    environ: str
    taken: datetime
    kind: str
    version: str
    before: ModulesState
    loads: tuple[ModuleLoad, ...]
    after: ModulesState
    conflicts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    uninspected: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """The partition and the environment."""
        return self.partition, self.environ

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the modules that were loaded."""
        return tuple(load.module for load in self.loads)
