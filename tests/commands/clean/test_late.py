"""Jobs that come late: after their run has ended, when its directory and perhaps its journal are gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from reframe_firecrest.journal.events import Closed, Removed
from reframe_firecrest.journal.reader import SessionLog, read
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.slurm_job import JobPart
from tests.commands.clean.conftest import World, job

DAY = 86_400.0


def finished(world: World) -> SessionLog:
    """A run of which nothing was left when it ended."""
    now = clock()
    return world.run("aaaaaa", Removed(time=now, path="."), Closed(time=now), age=3 * DAY, directory=False)


def test_the_second_job_of_a_submission_is_cancelled_after_its_run_has_ended(world: World) -> None:
    session_log = finished(world)
    late = world.system.run_job(Path(session_log.opened.root) / "t", state="PENDING")
    other = world.system.run_job(world.base / "mine")
    outcome = world.cleaner().clean_finished()
    assert outcome.complete
    [left] = outcome.residues
    assert left.cancelled == {late}
    assert world.system.active_jobs() == {other}
    assert [event.run for event in outcome.residues] == [session_log.opened.run]


def test_its_run_can_be_named(world: World) -> None:
    session_log = finished(world)
    late = world.system.run_job(Path(session_log.opened.root) / "t")
    assert world.cleaner().clean_run(session_log.opened.run).residues[0].cancelled == {late}


def test_a_dry_run_names_it(world: World) -> None:
    session_log = finished(world)
    late = world.system.run_job(Path(session_log.opened.root) / "t")
    assert world.cleaner(dry_run=True).clean_finished().residues[0].cancelled == {late}
    assert world.system.active_jobs() == {late}


def test_one_that_can_not_be_cancelled_keeps_the_journal(world: World) -> None:
    session_log = finished(world)
    late = world.system.run_job(Path(session_log.opened.root) / "t")
    world.system.failures["cancel"] = [errors.ForbiddenError("Access denied")]
    outcome = world.cleaner(forget=True).clean_finished()
    assert not outcome.complete
    assert outcome.residues[0].left == {late: "Access denied"}
    again = read(session_log.path)
    assert again is not None
    assert again.closed is not None
    assert again.closed.left == (late,)
    assert world.cleaner(forget=True).clean_finished().complete
    assert world.system.active_jobs() == set()


def test_one_that_comes_after_the_others_were_cancelled_is_found(world: World) -> None:
    session_log = world.run("aaaaaa")
    first = world.system.run_job(Path(session_log.opened.root) / "t")
    remove = world.system.remove
    late: list[str] = []

    async def remove_before_another_comes(path: str) -> None:
        await remove(path)
        if not late:
            late.append(world.system.run_job(Path(session_log.opened.root) / "t"))

    world.system.remove = remove_before_another_comes  # type: ignore[method-assign]
    assert world.cleaner().clean_finished().residues[0].cancelled == {first, *late}
    assert world.system.active_jobs() == set()


@pytest.mark.parametrize("method", ["connect", "jobs"])
def test_a_gateway_that_is_gone_is_no_failure_where_nothing_was_left(method: str, world: World) -> None:
    finished(world)
    world.system.failures[method] = [errors.TransientError("it can't be reached")]
    outcome = world.cleaner().clean_finished()
    assert outcome.complete
    assert outcome.residues == []
    [settings] = world.opened
    # It may not exist any more, so it is not waited for.
    assert settings.retry_timeout == 10.0


def test_without_credentials_nothing_is_asked(world: World) -> None:
    finished(world)
    world.environment["FIRECREST_CLIENT_ID"] = ""
    assert world.cleaner().clean_finished().complete
    assert world.opened == []


def test_a_list_of_all_jobs_that_can_not_be_had_hides_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of another tool is named ``a|b``: each list that it is in fails, others do not."""
    name = world.name(3600, "aaaaaa")
    root = world.base / "reframe-firecrest" / name
    first, late = (world.system.run_job(root / "t", name="t1") for _ in range(2))
    transfer = world.system.run_job(world.base, name="IngressFileTransfer")
    world.system.scripts[transfer] = f"curl -o '{root}/.transfer/x.tgz'"
    other = world.system.run_job(world.base / "mine", name="a|b")
    session_log = world.run("aaaaaa", job(1, "submitted", first))
    assert [found.name for found in session_log.jobs.values()] == ["t1"]
    listed = world.system.jobs

    async def jobs_by_name(
        since: float, names: Sequence[str] = (), ids: Sequence[str] = (), instead: Sequence[str] = ()
    ) -> list[JobPart]:
        # The gateway lists the jobs with these names where no list of all can be had (test_job_list.py).
        assert not names
        return [part for part in await listed(since, names, ids) if part.name in instead]

    monkeypatch.setattr(world.system, "jobs", jobs_by_name)
    outcome = world.cleaner().clean_finished()
    assert outcome.complete, outcome.residues
    assert set(world.system.cancelled) == {first, late, transfer}
    assert world.system.active_jobs() == {other}


class TestWithoutJournals:
    @pytest.fixture(autouse=True)
    def settings(self, world: World) -> None:
        world.environment.update(
            {
                "FIRECREST_URL": "http://gateway.test",
                "FIRECREST_SYSTEM": "daint",
                "FIRECREST_BASEDIR": str(world.base),
            }
        )

    def test_a_run_is_known_by_the_directory_of_its_job(self, world: World) -> None:
        old, young = world.name(2 * DAY), world.name(3600)
        base = world.base / "reframe-firecrest"
        late = world.system.run_job(base / old / "t")
        others = {
            world.system.run_job(base / young / "t"),
            world.system.run_job(base / "results" / "t"),
            world.system.run_job(world.base / "another" / old / "t"),
            world.system.run_job(base / f"{old}1" / "t"),
        }
        outcome = world.cleaner().clean_remote(DAY)
        assert outcome.complete
        assert [left.run for left in outcome.residues] == [old]
        assert world.system.cancelled == [late]
        assert world.system.active_jobs() == others

    def test_links_on_the_way_and_transfer_jobs_do_no_harm(self, world: World) -> None:
        name = world.name(2 * DAY)
        resolved = world.system.run_job(Path("/real/reframe-firecrest") / name / "t")
        transfer = world.system.run_job(world.base, name="IngressFileTransfer")
        world.system.scripts[transfer] = f"curl -o '{world.base}/reframe-firecrest/{name}/.transfer/x.tgz'"
        assert world.cleaner().clean_remote(DAY).complete
        assert set(world.system.cancelled) == {resolved, transfer}

    def test_a_finished_run_whose_journal_is_there_is_found_too(self, world: World) -> None:
        session_log = finished(world)
        late = world.system.run_job(Path(session_log.opened.root) / "t")
        assert world.cleaner().clean_remote(DAY).complete
        assert world.system.cancelled == [late]
