"""ReFrame's modules systems, answered from snapshots: no ``module`` command runs on this machine.

The backends of ReFrame (4.10) run a command in ``_execute`` and read its effects from the environment
variables LOADEDMODULES and MODULEPATH. The classes here override what reads and runs, and inherit what writes
the commands of job scripts. Private names of ReFrame that are used: ``_execute``, ``_do_validate`` and
``_validated`` of the backends, and ``ModulesSystem._load_module``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reframe.core.exceptions import EnvironError
from reframe.core.logging import getlogger
from reframe.core.modules import EnvModulesImpl, LModImpl, Module, ModulesSystem, NoModImpl, SpackImpl

from reframe_firecrest.modules.changes import Change, Changes, Verb, keep_changes, read_changes
from reframe_firecrest.modules.snapshot import Snapshot
from reframe_firecrest.modules.view import View, view
from reframe_firecrest.plugin.current_partition import current_partition


class NoSnapshotError(SystemExit):
    """A question about modules can't be answered.

    ReFrame (4.10) only warns about an ordinary exception while it loads tests: the tests would be missing,
    and the run would succeed. This one ends the program with the message and exit code 1. In a stage of a
    test, ReFrame catches it and the test fails.
    """


@dataclass(frozen=True)
class Recorded:
    """The snapshots of a system.

    Attributes:
        system: ReFrame's name of the system.
        file: the file of the snapshots.
        snapshots: its content.
        command: the command that takes new ones.
    """

    system: str
    file: Path
    snapshots: tuple[Snapshot, ...]
    command: str

    def view(self, changes: Changes) -> View | None:
        """Return the view of the current partition; None if there is no snapshot of it."""
        found = view(self.snapshots, current_partition(self.system), changes)
        return None if found is None or self._outdated(found.snapshot, changes) else found

    def lacking(self, changes: Changes) -> str:
        """Return the reason why there is no view, with the remedy."""
        where = ":".join(filter(None, [self.system, changes.partition or current_partition(self.system)]))
        if changes.environ:
            where += f"+{changes.environ}"
        found = view(self.snapshots, current_partition(self.system), changes)
        reason = f"there is no snapshot of its modules in {self.file}"
        if found is not None:
            modules = [" ".join(each) or "none" for each in (found.snapshot.modules, changes.modules)]
            reason = f"its snapshot was taken with other modules ({modules[0]}; now: {modules[1]})"
        return f"{where}: {reason}; run: {self.command}"

    def _outdated(self, snapshot: Snapshot, changes: Changes) -> bool:
        return changes.environ is not None and snapshot.modules != changes.modules


class _FromSnapshot:
    """Overrides of all backends; this class precedes ReFrame's among the base classes."""

    name: Callable[[], str]
    recorded: Recorded

    def _do_validate(self) -> None:
        """Do nothing: there is no command on this machine to validate."""

    def _view(self) -> View:
        found = self.recorded.view(read_changes(os.environ))
        if found is None:
            raise NoSnapshotError(f"reframe: {self.recorded.lacking(read_changes(os.environ))}")
        return found

    def is_known(self) -> bool:
        """Return true if there is a snapshot of the current partition and environment."""
        return self.recorded.view(read_changes(os.environ)) is not None

    def version(self) -> str:
        """Return the version of the modules system on the system."""
        return next((each.version for each in self.recorded.snapshots), "unknown")

    def available_modules(self, substr: str) -> list[Module]:
        """Return the modules that are available on the system."""
        found = self._view()
        unseen = found.unseen()
        if unseen:
            getlogger().warning(
                f"available modules of {self.recorded.system}: the effect of {', '.join(unseen)} is unknown; "
                "for a correct list, define an environment with these modules, and run: "
                f"{self.recorded.command}",
                cache=True,
            )
        return [Module(name) for name in found.available(substr)]

    def loaded_modules(self) -> list[Module]:
        """Return the modules that a job would have loaded."""
        return [Module(name) for name in self._view().loaded()]

    def conflicted_modules(self, module: Module) -> list[Module]:
        """Return the modules with which a module conflicts."""
        if module.collection:
            return []
        names = self._view().conflicts(module.fullname)
        if names is None:
            getlogger().warning(
                f"the conflicts of module {module.fullname} on {self.recorded.system} are unknown, because "
                "the job of the snapshot ran out of time; no other modules are unloaded for it",
                cache=True,
            )
        return [Module(name) for name in names or ()]

    def searchpath(self) -> list[str]:
        """Return the directories that are searched for modules on the system."""
        return self._view().searchpath()

    def _execute(self, command: str, *arguments: str) -> str:
        """Keep a change; the callers evaluate no output."""
        verb, *names = [word for word in (command, *arguments) if not word.startswith("-")]
        if verb not in set(Verb):
            raise EnvironError(
                f"'module {verb}' does not run on this machine: modules of {self.recorded.system} are known "
                f"from a snapshot"
            )
        changes = read_changes(os.environ)
        for name in names or ("",):
            changes = changes.plus(Change(Verb(verb), name))
        keep_changes(changes, os.environ)
        return ""


class RemoteEnvModules(_FromSnapshot, EnvModulesImpl):
    """Environment Modules."""


class RemoteLmod(_FromSnapshot, LModImpl):
    """Lmod."""


class RemoteSpack(_FromSnapshot, SpackImpl):
    """Spack, of which ReFrame loads and unloads nothing itself."""

    def searchpath(self) -> list[str]:
        """Return no directories, like ReFrame."""
        return []


class RemoteNoModules(NoModImpl):
    """No modules system, which makes a difference to tests that ask for modules."""

    def is_known(self) -> bool:
        """Return true: nothing is loaded, and nothing conflicts."""
        return True

    def available_modules(self, substr: str) -> list[Module]:
        """Return no modules, like ReFrame, but with a warning."""
        self._warn("no modules are found on the remote system")
        found: list[Module] = super().available_modules(substr)
        return found


REMOTE = {EnvModulesImpl: RemoteEnvModules, LModImpl: RemoteLmod, SpackImpl: RemoteSpack}
"""Our backend for each of ReFrame's."""


class RemoteModulesSystem(ModulesSystem):
    """Modules system of a system that is reached through FirecREST."""

    def _load_module(self, name: str, *options: Any) -> Any:
        if self.backend.is_known():
            return super()._load_module(name, *options)
        recorded = self.backend.recorded
        getlogger().warning(
            f"conflicts of modules are not resolved: {recorded.lacking(read_changes(os.environ))}, or set "
            "'resolve_module_conflicts' to False",
            cache=True,
        )
        self.backend.load_module(Module(name, *options[:2]))
        return []


def commands_of_run(modules_system: ModulesSystem) -> list[str]:
    """Return the commands for changes of the whole run, such as those of ReFrame's option ``--module``.

    Natively the job inherits these changes with the environment of ReFrame's process.
    """
    if not isinstance(modules_system.backend, _FromSnapshot):
        return []
    return list(_commands(modules_system, read_changes(os.environ)))


def _commands(modules_system: ModulesSystem, changes: Changes) -> Iterator[str]:
    purge = "module --force purge" if isinstance(modules_system.backend, LModImpl) else "module purge"
    for change in changes.outside:
        yield purge if change.verb is Verb.PURGE else f"module {change.verb.value} {change.name}"
