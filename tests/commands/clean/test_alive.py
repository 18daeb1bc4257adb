"""No run is touched that is not proven dead."""

from __future__ import annotations

import fcntl
from dataclasses import asdict
from pathlib import Path

import pytest

from reframe_firecrest.commands.clean.model import Outcome
from reframe_firecrest.journal.process_identity import own_identity
from reframe_firecrest.model import errors
from tests.commands.clean.conftest import World
from tests.journal.processes import ELSEWHERE

HOUR = 3600.0
DAY = 24 * HOUR


def untouched(world: World, outcome: Outcome, name: str) -> str:
    """Check that a run was left alone; return why."""
    assert outcome.residues == []
    assert world.opened == []
    [(skipped, why)] = outcome.skipped
    assert skipped == name
    return why


def test_a_live_run_is_left_alone_without_locks_and_after_a_night_of_sleep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    alive = world.run("aaaaaa", age=2 * DAY, **asdict(own_identity()))
    running = world.system.run_job(Path(alive.opened.root))
    assert "it is still running" in untouched(world, world.cleaner().clean_finished(), alive.opened.run)
    with pytest.raises(errors.RunError, match="is still running"):
        world.cleaner(force=True).clean_run(alive.opened.run)
    assert world.system.active_jobs() == {running}


def test_a_run_of_a_machine_of_the_same_name_is_left_alone_until_it_has_been_silent_for_a_day(
    world: World,
) -> None:
    unknown = world.run("aaaaaa", age=7 * HOUR, **ELSEWHERE)
    why = untouched(world, world.cleaner().clean_finished(), unknown.opened.run)
    assert why.startswith("could not determine whether it is running (process 7 on ")
    assert "silent for 7 h, it counts as dead after 1 d (FIRECREST_HEARTBEAT_TIMEOUT)" in why
    assert f"if it is dead: reframe-firecrest clean {unknown.opened.run} --force" in why
    world.run("bbbbbb", age=25 * HOUR, **ELSEWHERE)
    [left] = world.cleaner().clean_finished().residues
    assert left.run.endswith("bbbbbb")


def test_a_run_of_which_nothing_is_known_is_cleaned_up_by_force_only(world: World) -> None:
    unknown = world.run("aaaaaa", age=7 * HOUR, **ELSEWHERE)
    running = world.system.run_job(Path(unknown.opened.root))
    with pytest.raises(errors.RunError, match=r"could not determine whether run .* --force"):
        world.cleaner().clean_run(unknown.opened.run)
    assert world.system.active_jobs() == {running}
    assert world.cleaner(force=True).clean_run(unknown.opened.run).complete
    assert world.system.active_jobs() == set()


@pytest.fixture
def settings(world: World) -> None:
    world.environment.update(
        {
            "FIRECREST_URL": "http://gateway.test",
            "FIRECREST_SYSTEM": "daint",
            "FIRECREST_BASEDIR": str(world.base),
        }
    )


@pytest.mark.usefixtures("settings")
class TestRemote:
    def test_a_run_that_may_be_alive_elsewhere_is_left_alone(self, world: World) -> None:
        unknown = world.run("aaaaaa", age=7 * HOUR, **ELSEWHERE)
        outcome = world.cleaner().clean_remote(6 * HOUR)
        assert [name for name, _ in outcome.skipped] == [unknown.opened.run]
        assert Path(unknown.opened.root).exists()

    @pytest.mark.parametrize("ahead", [DAY, -DAY])
    def test_a_clock_that_is_a_day_wrong_makes_no_run_old(self, ahead: float, world: World) -> None:
        """The gateway's, or, seen from the gateway, ours."""
        world.system.clock_ahead = ahead
        young = world.base / "reframe-firecrest" / world.name(6 * HOUR if ahead > 0 else 30 * HOUR)
        young.mkdir(parents=True)
        outcome = world.cleaner().clean_remote(12 * HOUR)
        assert outcome.residues == []
        assert young.exists()

    def test_a_run_with_a_recent_job_is_left_alone(self, world: World) -> None:
        name = world.name(30 * HOUR)
        job_id = world.system.run_job(world.base / "reframe-firecrest" / name / "t", submitted=HOUR)
        outcome = world.cleaner().clean_remote(12 * HOUR)
        assert outcome.skipped == [(name, f"its job {job_id} was submitted more recently than that")]
        assert world.system.active_jobs() == {job_id}
