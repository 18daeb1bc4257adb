"""The modules system as it would be after changes: a snapshot with the changes replayed. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reframe_firecrest.modules.changes import Change, Changes, Verb
from reframe_firecrest.modules.names import same_module, without
from reframe_firecrest.modules.search import search
from reframe_firecrest.modules.snapshot import ModulesState, Snapshot


@dataclass(frozen=True)
class View:
    """A snapshot and the changes to replay on it."""

    snapshot: Snapshot
    changes: tuple[Change, ...] = ()

    def loaded(self) -> list[str]:
        """Return the loaded modules."""
        names = list(self.snapshot.before.loaded)
        for change in self.changes:
            names = self._after(names, change)
        return names

    def searchpath(self) -> list[str]:
        """Return the directories that are searched for modules."""
        paths = list(self._state().modulepath)
        for change in self.changes:
            if change.verb in (Verb.USE, Verb.UNUSE):
                paths = [path for path in paths if path != change.name]
            if change.verb is Verb.USE:
                paths.insert(0, change.name)
        return paths

    def available(self, text: str) -> list[str]:
        """Return the available modules that the modules system lists for a text."""
        return search(self._state().available, text, self.snapshot.kind, self.snapshot.version)

    def conflicts(self, module: str) -> Sequence[str] | None:
        """Return the modules with which a module conflicts; None if they are unknown."""
        recorded = self.snapshot.conflicts
        if module in recorded:
            return recorded[module]
        if any(same_module(module, name) for name in self.snapshot.uninspected):
            return None
        # A name without a version means the default version, which is not recorded.
        return next((recorded[name] for name in recorded if same_module(module, name)), ())

    def unseen(self) -> list[str]:
        """Return the commands whose effects on the available modules are in no snapshot."""
        used = {path for path in self.searchpath() if path not in self._state().modulepath}
        return [
            f"module {change.verb.value} {change.name}"
            for change in self.changes
            if (change.verb in (Verb.LOAD, Verb.RESTORE) and change.name not in self.snapshot.modules)
            or (change.verb is Verb.USE and change.name in used)
        ]

    def repeated(self) -> int:
        """Return the number of modules that the job has loaded and the changes load, too."""
        return sum(change.name in self.snapshot.modules for change in self.changes)

    def covers(self) -> bool:
        """Return true if all modules that the job has loaded are loaded."""
        # A collection is not among the loaded modules.
        restored = [change.name for change in self.changes if change.verb is Verb.RESTORE]
        loaded = self.loaded()
        return all(module in restored or _is_in(module, loaded) for module in self.snapshot.modules)

    def _state(self) -> ModulesState:
        return self.snapshot.after if self.covers() else self.snapshot.before

    def _after(self, names: list[str], change: Change) -> list[str]:
        if change.verb is Verb.PURGE:
            return []
        if change.verb is Verb.UNLOAD:
            return without(names, change.name)
        if change.verb in (Verb.LOAD, Verb.RESTORE):
            return self._after_load(names, change)
        return names

    def _after_load(self, names: list[str], change: Change) -> list[str]:
        """Return the loaded modules after a load, with what else changes if the job has done the same."""
        before: Sequence[str] = self.snapshot.before.loaded
        for load in self.snapshot.loads:
            if load.module == change.name:
                kept = [name for name in names if name in load.loaded or name not in before]
                return [*kept, *(name for name in load.loaded if name not in before and name not in kept)]
            before = load.loaded
        if change.verb is Verb.RESTORE:
            return names
        # Modules systems replace another version of the same module.
        return [*without(names, change.name.partition("/")[0]), change.name]


def _is_in(module: str, names: Iterable[str]) -> bool:
    return any(same_module(module, name) for name in names)


def view(snapshots: Sequence[Snapshot], partition: str | None, changes: Changes) -> View | None:
    """Return the view of a partition; None if there is no snapshot for it.

    Args:
        snapshots: the system's snapshots.
        partition: the current partition; None if there is none, which chooses the system's first.
        changes: all changes. The partition and the environment that they name come first.
    """
    if changes.partition is not None and changes.environ is not None:
        wanted = (changes.partition, changes.environ)
        exact = [each for each in snapshots if each.key == wanted]
        return View(exact[0], changes.all) if exact else None
    candidates = [
        View(each, changes.all) for each in snapshots if partition is None or each.partition == partition
    ]
    if not candidates:
        return None
    return max(candidates, key=lambda each: (each.repeated(), -len(each.snapshot.modules)))
