"""The modules system after changes, none of which is made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reframe_firecrest.modules.changes import (
    Change,
    Changes,
    Verb,
    changes_undone,
    keep_changes,
    read_changes,
)
from reframe_firecrest.modules.view import View, view
from tests.modules.samples import BASE, CORE, GNU, OTHER, PLAIN, SNAPSHOTS

GNU_LOADS = (Change(Verb.LOAD, "PrgEnv-gnu"), Change(Verb.LOAD, "gcc/13.1"))


def test_without_changes_it_is_as_the_job_has_found_it() -> None:
    seen = View(GNU)
    assert seen.loaded() == ["cce/15", "PrgEnv-cray/8"]
    assert seen.searchpath() == ["/core"]
    assert seen.available("") == list(CORE)
    assert not seen.covers()


def test_loading_what_the_job_has_loaded_has_the_same_effects() -> None:
    first = View(GNU, GNU_LOADS[:1])
    assert first.loaded() == ["gcc/12.2", "PrgEnv-gnu/8"]
    assert first.available("") == list(CORE)
    both = View(GNU, GNU_LOADS)
    assert both.loaded() == ["PrgEnv-gnu/8", "gcc/13.1"]
    assert both.available("fftw") == ["fftw/3.4"]
    assert both.searchpath() == ["/gnu", "/core"]
    assert both.unseen() == []


def test_what_was_loaded_in_addition_stays_loaded() -> None:
    seen = View(GNU, (Change(Verb.LOAD, "tool/1"), *GNU_LOADS))
    assert seen.loaded() == ["tool/1", "PrgEnv-gnu/8", "gcc/13.1"]
    assert seen.unseen() == ["module load tool/1"]


@pytest.mark.parametrize(
    ("changes", "loaded"),
    [
        ((Change(Verb.PURGE),), []),
        ((Change(Verb.UNLOAD, "cce"),), ["PrgEnv-cray/8"]),
        ((Change(Verb.UNLOAD, "cce/14"),), ["cce/15", "PrgEnv-cray/8"]),
        ((Change(Verb.LOAD, "cce/16"),), ["PrgEnv-cray/8", "cce/16"]),
        ((Change(Verb.RESTORE, "mine"),), ["cce/15", "PrgEnv-cray/8"]),
        ((Change(Verb.USE, "/x"),), ["cce/15", "PrgEnv-cray/8"]),
    ],
)
def test_other_changes_are_replayed(changes: tuple[Change, ...], loaded: list[str]) -> None:
    assert View(GNU, changes).loaded() == loaded


def test_the_module_path_follows_use_and_unuse() -> None:
    seen = View(GNU, (Change(Verb.USE, "/x"), Change(Verb.USE, "/y"), Change(Verb.UNUSE, "/core")))
    assert seen.searchpath() == ["/y", "/x"]
    assert seen.unseen() == ["module use /x", "module use /y"]
    # ReFrame does so for a module with a path.
    passing = View(GNU, (Change(Verb.USE, "/x"), Change(Verb.UNUSE, "/x")))
    assert (passing.searchpath(), passing.unseen()) == (["/core"], [])


def test_a_collection_that_the_job_has_restored_counts_as_loaded() -> None:
    load = replace(GNU.loads[0], module="mine")
    seen = View(replace(GNU, loads=(load,)), (Change(Verb.RESTORE, "mine"),))
    assert seen.covers()
    assert seen.available("fftw") == ["fftw/3.4"]


@pytest.mark.parametrize(
    ("module", "conflicts"),
    [("gcc/13.1", ("gcc",)), ("gcc", ("gcc",)), ("cmake/3.25", ()), ("slow/1", None), ("slow", None)],
)
def test_conflicts_are_those_that_the_job_has_seen(module: str, conflicts: tuple[str, ...] | None) -> None:
    assert View(GNU).conflicts(module) == conflicts


class TestChoice:
    def test_the_partition_and_the_environment_that_are_loaded_come_first(self) -> None:
        changes = Changes((), "cpu", "gnu", GNU.modules, GNU_LOADS)
        assert view(SNAPSHOTS, "gpu", changes) == View(GNU, GNU_LOADS)
        assert view(SNAPSHOTS, None, replace(changes, environ="intel")) is None

    def test_outside_of_an_environment_it_is_the_current_partition_or_the_first(self) -> None:
        assert view(SNAPSHOTS, "gpu", Changes()) == View(OTHER)
        assert view(SNAPSHOTS, "cpu", Changes()) == View(PLAIN)
        assert view(SNAPSHOTS, None, Changes()) == View(PLAIN)
        assert view([GNU], None, Changes()) == View(GNU)
        assert view(SNAPSHOTS, "other", Changes()) is None
        assert view(SNAPSHOTS, "cpu", Changes(partition="cpu")) == View(PLAIN)

    def test_modules_that_a_test_loads_itself_find_the_snapshot_in_which_they_are_loaded(self) -> None:
        assert view(SNAPSHOTS, None, Changes(GNU_LOADS)) == View(GNU, GNU_LOADS)


class TestKeeping:
    def test_changes_are_kept_in_the_environment(self) -> None:
        variables: dict[str, str] = {}
        assert read_changes(variables) == Changes()
        changes = Changes().plus(Change(Verb.PURGE)).entering("cpu", "gnu", ("a",)).plus(GNU_LOADS[0])
        keep_changes(changes, variables)
        assert read_changes(variables) == changes
        assert changes.outside == (Change(Verb.PURGE),)
        assert changes.all == (Change(Verb.PURGE), GNU_LOADS[0])

    def test_entering_an_environment_leaves_the_one_before(self) -> None:
        changes = Changes().entering("cpu", "gnu", ()).plus(GNU_LOADS[0]).entering("cpu", "plain", ())
        assert changes.all == ()

    @pytest.mark.parametrize("before", [Changes(), Changes(GNU_LOADS)])
    def test_changes_of_a_block_are_undone(self, before: Changes) -> None:
        variables: dict[str, str] = {}
        if before.all:
            keep_changes(before, variables)
        kept = dict(variables)
        with changes_undone(variables):
            keep_changes(Changes(GNU_LOADS[:1]), variables)
        assert variables == kept


def test_a_module_without_environment_modules_is_covered() -> None:
    assert View(PLAIN).covers()
    assert View(PLAIN).snapshot.after == BASE
