"""Journals of runs that can't be cleaned up: nothing was created, or the gateway can't be used any more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import pytest

from reframe_firecrest.journal.events import Closed, Event, Prepared
from reframe_firecrest.journal.reader import SessionLog
from reframe_firecrest.model import errors
from tests.commands.clean.conftest import World, job
from tests.journal.processes import ELSEWHERE

Outcome = Literal["asked", "made", "refused"]
AWAY = errors.TransientError("the gateway can't be reached")


def empty(world: World, *outcomes: Outcome, jobs: Sequence[Event] = (), **more: object) -> SessionLog:
    prepared = [Prepared(time=time.time() - 3000, outcome=outcome) for outcome in outcomes]
    known = {"tells_creation": True, "directory": False, **more}
    return world.run("aaaaaa", *prepared, *jobs, **known)  # type: ignore[arg-type]


FAILED = job(1, "queued"), job(1, "failed")


@pytest.mark.parametrize("outcomes", [("asked", "refused"), ()])
@pytest.mark.parametrize("ended", [True, False])
def test_a_run_that_never_created_anything_is_forgotten_without_its_gateway(
    *, outcomes: tuple[Outcome, ...], ended: bool, world: World
) -> None:
    """Its system, its base directory or its URL was wrong, and they still are."""
    session_log = empty(world, *outcomes, jobs=[*FAILED, *([Closed(time=time.time())] if ended else [])])
    world.environment["FIRECREST_CLIENT_ID"] = ""
    outcome = world.cleaner().clean_finished()
    assert outcome.complete
    assert outcome.empty == [session_log.opened.run]
    assert not session_log.path.exists()
    assert world.opened == []


def test_it_can_be_named(world: World) -> None:
    session_log = empty(world, "asked", "refused")
    assert world.cleaner(dry_run=True).clean_run(session_log.opened.run).empty == [session_log.opened.run]
    assert session_log.path.exists()
    assert world.cleaner().clean_run(session_log.opened.run).empty == [session_log.opened.run]
    assert not session_log.path.exists()


@pytest.mark.parametrize(
    ("outcomes", "jobs", "more"),
    [
        (("asked",), FAILED, {}),
        (("asked", "made"), FAILED, {}),
        (("asked", "refused"), [job(1, "submitting")], {}),
        (("asked", "refused"), [job(1, "submitted", "7")], {}),
        # An earlier version did not say.
        ((), FAILED, {"tells_creation": False}),
    ],
)
def test_what_is_not_proven_to_have_created_nothing_is_not_forgotten(
    outcomes: tuple[Outcome, ...], jobs: Sequence[Event], more: dict[str, object], world: World
) -> None:
    session_log = empty(world, *outcomes, jobs=jobs, **more)
    world.system.failures["connect"] = [AWAY]
    outcome = world.cleaner().clean_finished()
    assert not outcome.complete
    assert outcome.empty == []
    assert session_log.path.exists()


def test_a_run_that_may_be_alive_is_not_forgotten(world: World) -> None:
    session_log = empty(world, "asked", "refused", **ELSEWHERE)
    world.cleaner(forget=True, offline=True).clean_finished()
    assert session_log.path.exists()


GONE_GATEWAYS = [
    AWAY,
    errors.AuthError("the client is not known"),
    errors.NotFoundError("the gateway has no system 'daint'"),
]


@pytest.mark.parametrize("error", GONE_GATEWAYS, ids=lambda error: type(error).__name__)
def test_a_named_run_is_forgotten_when_its_gateway_can_not_be_used(
    error: errors.GatewayError, world: World
) -> None:
    session_log = world.run("aaaaaa", job(1, "submitted", "77"), job(2, "done", "78"))
    world.system.failures["connect"] = [error]
    outcome = world.cleaner(forget=True).clean_run(session_log.opened.run)
    assert outcome.complete
    opened = session_log.opened
    left = f"{opened.root} on 'daint' at {opened.url}, and jobs: 77"
    assert outcome.dropped == [(opened.run, left)]
    assert not session_log.path.exists()


@pytest.mark.parametrize(
    "variables",
    [
        {"FIRECREST_CLIENT_ID": ""},
        {"FIRECREST_URL": "http://other.test"},
        {"FIRECREST_BASEDIR": "/elsewhere"},
    ],
)
def test_a_named_run_is_forgotten_when_the_settings_do_not_reach_it(
    variables: dict[str, str], world: World
) -> None:
    session_log = world.run("aaaaaa", job(1, "submitting"))
    world.environment.update(variables)
    outcome = world.cleaner(forget=True).clean_run(session_log.opened.run)
    assert outcome.complete
    assert outcome.dropped[0][1].endswith(", and jobs with unknown ids")
    assert not session_log.path.exists()
    assert world.opened == []


def test_a_gateway_that_is_away_for_now_does_not_have_all_runs_with_jobs_forgotten(world: World) -> None:
    jobs = world.run("aaaaaa", job(1, "submitted", "7"))
    files = world.run("bbbbbb", job(1, "staging"))
    world.system.failures["connect"] = [AWAY]
    outcome = world.cleaner(forget=True).clean_finished()
    assert not outcome.complete
    assert [name for name, _ in outcome.dropped] == [files.opened.run]
    assert (jobs.path.exists(), files.path.exists()) == (True, False)


def test_what_a_working_gateway_could_not_remove_is_not_forgotten(world: World) -> None:
    session_log = world.run("aaaaaa")
    world.system.failures["remove"] = [errors.ForbiddenError("Permission denied")] * 2
    outcome = world.cleaner(forget=True).clean_run(session_log.opened.run)
    assert not outcome.complete
    assert outcome.dropped == []
    assert session_log.path.exists()


def test_offline_no_gateway_is_asked(world: World) -> None:
    first, second = world.run("aaaaaa", job(1, "submitted", "7")), world.run("bbbbbb")
    alive = world.run("cccccc", alive=True)
    assert len(world.cleaner(forget=True, offline=True, dry_run=True).clean_finished().dropped) == 2
    assert first.path.exists()
    outcome = world.cleaner(forget=True, offline=True).clean_finished()
    assert outcome.complete
    assert sorted(name for name, _ in outcome.dropped) == sorted([first.opened.run, second.opened.run])
    assert [session_log.path.exists() for session_log in (first, second, alive)] == [False, False, True]
    assert world.opened == []
