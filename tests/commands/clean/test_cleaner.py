"""Removal of runs that have ended; protection of all others."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reframe_firecrest.commands.clean import cleanup, residue, system_cleaner
from reframe_firecrest.journal.events import Closed, Removed
from reframe_firecrest.journal.reader import SessionLog, read
from reframe_firecrest.journal.run_status import RunStatus
from reframe_firecrest.journal.runs import Run
from reframe_firecrest.model import errors
from reframe_firecrest.model.slurm_job import JobPart
from tests.commands.clean.conftest import World, job

DAY = 86_400.0


def again(session_log: SessionLog) -> SessionLog:
    found = read(session_log.path)
    assert found is not None
    return found


def root_of(session_log: SessionLog) -> Path:
    return Path(session_log.opened.root)


class TestAKilledRun:
    def test_its_jobs_and_its_directory_are_gone_and_its_journal_records_it(self, world: World) -> None:
        root = world.base / "reframe-firecrest" / world.name(3600, "aaaaaa")
        known = world.system.run_job(root / "a")
        unknown = world.system.run_job(root / "b", state="PENDING")
        other = world.system.run_job(world.base / "mine")
        session_log = world.run(
            "aaaaaa", job(1, "submitted", known), job(2, "submitting"), job(3, "done", "9")
        )
        outcome = world.cleaner().clean_run(session_log.opened.run)
        assert outcome.complete
        [left] = outcome.residues
        assert left.cancelled == {known, unknown}
        assert world.system.active_jobs() == {other}
        assert not root.exists()
        after = again(session_log)
        assert after.closed == Closed(time=after.last, killed_at=session_log.last)
        assert (after.killed, after.ended) == (True, session_log.last)
        assert after.removed == ["."]
        assert [move.phase for move in after.jobs.values()] == ["cancelled", "cancelled", "done"]
        assert residue.is_clean(after)

    def test_the_removal_of_its_directory_is_charged_to_its_account(self, world: World) -> None:
        without, with_account = job(1, "done"), job(2, "done").model_copy(update={"account": "proj"})
        session_log = world.run("aaaaaa", without, with_account)
        world.cleaner().clean_run(session_log.opened.run)
        assert world.system.charged == ["proj"]

    def test_the_beginning_of_its_name_will_do(self, world: World) -> None:
        session_log = world.run("aaaaaa", age=3600)
        world.run("bbbbbb", age=7200)
        [left] = world.cleaner().clean_run(session_log.opened.run[:-4]).residues
        assert left.run == session_log.opened.run

    def test_a_beginning_that_fits_several_is_refused(self, world: World) -> None:
        first = world.run("aaaaaa")
        world.run("aaaaab")
        with pytest.raises(errors.RunError, match=r"matches 2 runs, newest .*aaaaab; give more of the name"):
            world.cleaner().clean_run(first.opened.run[:-1])
        assert root_of(first).exists()

    def test_an_unknown_run_is_refused(self, world: World) -> None:
        with pytest.raises(errors.RunError, match=r"no run 'x' in .*FIRECREST_JOURNAL_DIR"):
            world.cleaner().clean_run("x")

    def test_a_transfer_job_that_works_for_it_is_cancelled(self, world: World) -> None:
        session_log = world.run("aaaaaa")
        mine = world.system.run_job(world.base, name="IngressFileTransfer")
        other = world.system.run_job(world.base, name="IngressFileTransfer")
        world.system.scripts[mine] = f"curl -o '{root_of(session_log)}/.transfer/x.tgz'"
        world.system.scripts[other] = f"curl -o '{root_of(session_log)}1/.transfer/x.tgz'"
        world.cleaner().clean_run(session_log.opened.run)
        assert world.system.active_jobs() == {other}

    def test_a_job_whose_directory_the_list_does_not_report_is_cancelled(self, world: World) -> None:
        session_log = world.run("aaaaaa")
        mine, other = (world.system.run_job(Path()) for _ in range(2))
        world.system.places = {mine: f"{root_of(session_log)}/t", other: str(world.base / "mine")}
        world.system.parts = {
            job_id: [replace(part, working_directory="") for part in parts]
            for job_id, parts in world.system.parts.items()
        }
        world.cleaner().clean_run(session_log.opened.run)
        assert world.system.active_jobs() == {other}

    def test_an_id_that_was_given_to_another_job_is_not_cancelled(self, world: World) -> None:
        other = world.system.run_job(world.base / "mine")
        session_log = world.run("aaaaaa", job(1, "submitted", other))
        world.cleaner().clean_run(session_log.opened.run)
        assert world.system.active_jobs() == {other}

    def test_links_on_the_way_to_a_known_job_do_no_harm(self, world: World) -> None:
        name = world.name(3600, "aaaaaa")
        known = world.system.run_job(Path("/elsewhere/reframe-firecrest") / name / "t")
        world.run("aaaaaa", job(1, "submitted", known))
        assert world.cleaner().clean_run(name).complete
        assert world.system.active_jobs() == set()

    def test_what_it_asked_for_last_is_removed_too(self, world: World) -> None:
        session_log = world.run("aaaaaa", job(1, "submitting", age=0.0))
        remove = world.system.remove
        late: list[str] = []

        async def remove_before_a_job_comes(path: str) -> None:
            await remove(path)
            if not late:
                late.append(world.system.run_job(root_of(session_log) / "a"))
                (root_of(session_log) / "a").mkdir(parents=True)

        world.system.remove = remove_before_a_job_comes  # type: ignore[method-assign]
        outcome = world.cleaner().clean_run(session_log.opened.run)
        assert outcome.complete
        assert outcome.residues[0].cancelled == set(late)
        assert not root_of(session_log).exists()

    def test_what_it_was_still_writing_is_removed_at_the_second_attempt(self, world: World) -> None:
        session_log = world.run("aaaaaa", job(1, "staging", age=0.0))
        world.system.failures["remove"] = [errors.RejectedError("Directory not empty")]
        assert world.cleaner().clean_run(session_log.opened.run).complete
        assert not root_of(session_log).exists()


class TestWhatFails:
    def test_a_job_that_can_not_be_cancelled_is_named_and_keeps_its_directory(self, world: World) -> None:
        session_log = world.run("aaaaaa")
        deaf = world.system.run_job(root_of(session_log))
        other = world.system.run_job(root_of(session_log))
        world.system.failures["cancel"] = [errors.ForbiddenError("Access denied")]
        outcome = world.cleaner().clean_run(session_log.opened.run)
        assert not outcome.complete
        [left] = outcome.residues
        assert left.left == {deaf: "Access denied"}
        assert left.cancelled == {other}
        assert left.problems == [f"{root_of(session_log)} was not removed: jobs may be using it"]
        assert root_of(session_log).exists()
        closed = Closed(time=again(session_log).last, left=(deaf,), killed_at=session_log.last)
        assert again(session_log).closed == closed

    def test_the_next_attempt_finds_it(self, world: World) -> None:
        self.test_a_job_that_can_not_be_cancelled_is_named_and_keeps_its_directory(world)
        outcome = world.cleaner().clean_finished()
        assert outcome.complete
        assert world.system.active_jobs() == set()

    def test_a_job_that_does_not_end_keeps_its_directory(self, world: World) -> None:
        session_log = world.run("aaaaaa")
        deaf = world.system.run_job(root_of(session_log))
        world.system.deaf.add(deaf)
        [left] = world.cleaner().clean_run(session_log.opened.run).residues
        assert "has not ended" in left.left[deaf]
        assert world.system.cancelled == [deaf]
        assert root_of(session_log).exists()

    def test_jobs_have_their_time_to_end_however_slow_the_gateway_is(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session_log = world.run("aaaaaa")
        slow = world.system.run_job(root_of(session_log))
        world.system.deaf.add(slow)
        now = 0.0
        listed = world.system.jobs

        async def jobs(*asked: Any, **named: Any) -> list[JobPart]:
            # It takes longer than jobs have to end; the second one after the cancel is the first to see it.
            nonlocal now
            now += 1.0
            if now == 3.0:
                ended = [replace(part, state="CANCELLED") for part in world.system.parts[slow]]
                world.system.parts[slow] = ended
            return await listed(*asked, **named)

        monkeypatch.setattr(system_cleaner, "monotonic", lambda: now)
        monkeypatch.setattr(world.system, "jobs", jobs)
        assert world.cleaner().clean_run(session_log.opened.run).complete
        assert world.system.cancelled == [slow]

    def test_without_a_list_of_jobs_those_that_are_known_are_cancelled(self, world: World) -> None:
        known = world.system.run_job(Path("/x"))
        session_log = world.run("aaaaaa", job(1, "submitted", known), job(2, "done", "7"))
        world.system.failures["jobs"] = [errors.TransientError("slurmdbd is away")]
        outcome = world.cleaner().clean_run(session_log.opened.run)
        assert not outcome.complete
        assert world.system.cancelled == [known]
        assert outcome.residues[0].problems == [
            "could not determine whether its jobs are running: slurmdbd is away",
            f"{root_of(session_log)} was not removed: jobs may be using it",
        ]
        assert root_of(session_log).exists()
        assert again(session_log).closed is None

    def test_a_directory_that_can_not_be_removed_is_named(self, world: World) -> None:
        session_log = world.run("aaaaaa")
        world.system.failures["remove"] = [errors.ForbiddenError("Permission denied")] * 2
        [left] = world.cleaner().clean_run(session_log.opened.run).residues
        [problem] = left.problems
        root = root_of(session_log)
        assert problem.startswith(
            f"{root} could not be removed: Permission denied; remove it on the system: "
        )
        assert not residue.is_clean(again(session_log))

    def test_a_gateway_that_is_away_leaves_the_journal_as_it_is(self, world: World) -> None:
        session_log = world.run("aaaaaa")
        before = session_log.path.read_bytes()
        world.system.failures["connect"] = [errors.TransientError("it can't be reached")]
        [left] = world.cleaner().clean_run(session_log.opened.run).residues
        assert left.problems == ["it can't be reached"]
        assert session_log.path.read_bytes() == before
        assert world.system.closed

    def test_it_does_not_take_for_ever(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cleanup, "TIMEOUT", 0.1)
        monkeypatch.setattr("reframe_firecrest.commands.clean.system_cleaner.END_TIMEOUT", 60.0)
        session_log = world.run("aaaaaa")
        world.system.deaf.add(world.system.run_job(root_of(session_log)))
        [left] = world.cleaner().clean_run(session_log.opened.run).residues
        assert left.problems == ["cleaning up did not finish within 0.1 s"]


class TestWhatIsLeftAlone:
    def test_a_run_that_is_active(self, world: World) -> None:
        alive = world.run("aaaaaa", alive=True)
        running = world.system.run_job(root_of(alive))
        killed = world.run("bbbbbb")
        outcome = world.cleaner().clean_finished()
        assert [name for name, _ in outcome.skipped] == [alive.opened.run]
        assert [left.run for left in outcome.residues] == [killed.opened.run]
        assert world.system.active_jobs() == {running}
        assert root_of(alive).exists()
        with pytest.raises(errors.RunError, match="is still running"):
            world.cleaner().clean_run(alive.opened.run)

    def test_a_run_of_which_one_session_is_active(self, world: World) -> None:
        world.run("aaaaaa", age=60, alive=True)
        world.run("aaaaaa", age=60, system="eiger")
        outcome = world.cleaner().clean_finished()
        assert outcome.residues == []
        assert len(outcome.skipped) == 1

    def test_a_younger_run(self, world: World) -> None:
        young, old = world.run("aaaaaa", age=3600), world.run("bbbbbb", age=2 * DAY)
        world.cleaner().clean_finished(older_than=DAY)
        assert root_of(young).exists()
        assert not root_of(old).exists()

    def test_a_run_of_which_nothing_is_left(self, world: World) -> None:
        now = time.time()
        world.run("aaaaaa", Removed(time=now, path="."), Closed(time=now), directory=False)
        outcome = world.cleaner().clean_finished()
        assert outcome.complete
        assert outcome.residues == []
        # Its gateway is asked for jobs that came late, and for nothing else.
        assert set(world.system.calls) == {"connect", "jobs"}

    def test_a_run_at_another_gateway_unless_it_is_asked_for(self, world: World) -> None:
        world.environment["FIRECREST_URL"] = "http://other.test"
        session_log = world.run("aaaaaa")
        assert world.cleaner().clean_finished().skipped == [
            (
                session_log.opened.run,
                f"it used {session_log.opened.url}, but FIRECREST_URL is another gateway",
            )
        ]
        outcome = world.cleaner().clean_run(session_log.opened.run)
        assert not outcome.complete
        assert world.opened == []
        world.environment["FIRECREST_URL"] = "HTTP://gateway.test:80"
        assert world.cleaner().clean_run(session_log.opened.run).complete

    @pytest.mark.parametrize(
        ("root", "variables"),
        [
            ("/scratch/reframe-firecrest", {}),
            ("/scratch/reframe-firecrest/results", {}),
            ("/scratch/other/{run}", {}),
            ("/scratch/reframe-firecrest/{run}/..", {}),
            ("/scratch/reframe-firecrest/x/{run}", {}),
            ("/scratch/reframe-firecrest/{other}", {}),
            ("/scratch/reframe-firecrest/{run}", {"FIRECREST_BASEDIR": "/project"}),
            ("/scratch/reframe-firecrest/{run}", {"FIRECREST_NAMESPACE": "mine"}),
            ("/", {}),
            ("", {}),
        ],
    )
    def test_a_directory_that_is_not_a_runs_own(
        self, root: str, variables: dict[str, str], world: World
    ) -> None:
        world.environment.update({"FIRECREST_BASEDIR": "/scratch", **variables})
        name = world.name(3600, "aaaaaa")
        world.run("aaaaaa", root=root.format(run=name, other=world.name(3600, "bbbbbb")))
        outcome = world.cleaner().clean_run(name)
        [(refused, why)] = outcome.refused
        assert refused == name
        assert "was not removed: it is not in" in why
        assert world.system.calls["remove"] == 0

    def test_a_name_that_is_no_runs(self, world: World) -> None:
        world.run("aaaaaa", run="results", root=f"{world.base}/reframe-firecrest/results")
        assert [name for name, _ in world.cleaner().clean_finished().refused] == ["results"]

    def test_a_directory_that_another_systems_jobs_of_the_run_may_use(self, world: World) -> None:
        first = world.run("aaaaaa", age=60)
        world.run("aaaaaa", age=60, system="eiger")
        deaf = world.system.run_job(root_of(first))
        world.system.failures["cancel"] = [errors.ForbiddenError("Access denied")]
        outcome = world.cleaner().clean_run(first.opened.run)
        assert sum(deaf in left.left for left in outcome.residues) == 1
        assert root_of(first).exists()
        assert world.system.calls["remove"] == 0


class TestDryRun:
    def test_nothing_changes(self, world: World) -> None:
        session_log = world.run("aaaaaa")
        running = world.system.run_job(root_of(session_log))
        before = session_log.path.read_bytes()
        outcome = world.cleaner(dry_run=True, forget=True).clean_finished()
        [left] = outcome.residues
        assert left.cancelled == {running}
        assert left.removed
        assert world.system.active_jobs() == {running}
        assert root_of(session_log).exists()
        assert session_log.path.read_bytes() == before

    def test_a_directory_that_is_not_there_would_not_be_removed(self, world: World) -> None:
        world.run("aaaaaa", directory=False)
        outcome = world.cleaner(dry_run=True).clean_finished()
        assert outcome.complete
        assert not outcome.residues[0].removed

    def test_what_can_not_be_looked_at_is_reported(self, world: World) -> None:
        world.run("aaaaaa")
        world.system.failures["jobs"] = [errors.TransientError("away")]
        assert world.cleaner(dry_run=True).clean_finished().residues[0].problems == ["away"]


class TestJournals:
    def ended(self, world: World, mark: str, age: float) -> SessionLog:
        gone = Removed(time=time.time(), path="."), Closed(time=time.time())
        return world.run(mark, *gone, age=age, directory=False)

    def test_those_of_old_runs_of_which_nothing_is_left_are_deleted(self, world: World) -> None:
        old, younger = self.ended(world, "aaaaaa", 31 * DAY), self.ended(world, "bbbbbb", 29 * DAY)
        cleaned = world.run("cccccc", age=40 * DAY)
        outcome = world.cleaner().clean_finished()
        assert sorted(outcome.forgotten) == sorted([old.opened.run, cleaned.opened.run])
        assert [session_log.path.exists() for session_log in (old, younger, cleaned)] == [False, True, False]

    def test_those_of_runs_that_left_something_are_kept(self, world: World) -> None:
        session_log = world.run("aaaaaa", age=40 * DAY)
        world.system.failures["remove"] = [errors.ForbiddenError("Permission denied")] * 2
        assert world.cleaner().clean_finished().forgotten == []
        assert session_log.path.exists()

    def test_they_are_deleted_on_request(self, world: World) -> None:
        first, second = world.run("aaaaaa"), self.ended(world, "bbbbbb", 3600)
        other = self.ended(world, "cccccc", 60)
        outcome = world.cleaner(forget=True).clean_finished(older_than=600)
        assert len(outcome.forgotten) == 2
        assert [session_log.path.exists() for session_log in (first, second, other)] == [False, False, True]

    def test_one_session_that_left_something_keeps_those_of_the_others(self, world: World) -> None:
        first, second = (
            world.run("aaaaaa", age=60),
            world.run("aaaaaa", age=60, system="eiger", url="http://b/"),
        )
        world.environment["FIRECREST_URL"] = first.opened.url
        assert world.cleaner(forget=True).clean_finished().forgotten == []
        assert first.path.exists()
        assert second.path.exists()

    def test_one_that_can_not_be_written_is_reported(self, world: World) -> None:
        session_log = world.run("aaaaaa")
        remove = world.system.remove

        async def remove_the_journal_too(path: str) -> None:
            await remove(path)
            session_log.path.unlink()

        world.system.remove = remove_the_journal_too  # type: ignore[method-assign]
        [left] = world.cleaner().clean_run(session_log.opened.run).residues
        assert left.problems == ["its journal can't be written: No such file or directory"]


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

    def leave(self, world: World, age: float, mark: str = "abcdef") -> Path:
        made = world.base / "reframe-firecrest" / world.name(age, mark)
        made.mkdir(parents=True)
        return made

    def test_old_runs_are_known_by_the_names_of_their_directories(self, world: World) -> None:
        old, young = self.leave(world, 2 * DAY), self.leave(world, 3600)
        others = [old.parent / "results", old.parent / "20200101-000000", old.parent / f"{old.name}.tar"]
        for other in others:
            other.mkdir()
        link = old.parent / world.name(3 * DAY)
        link.symlink_to(young)
        file = old.parent / world.name(4 * DAY)
        file.write_text("")
        job_id, other_id = world.system.run_job(old / "t"), world.system.run_job(young / "t")
        outcome = world.cleaner().clean_remote(DAY)
        assert outcome.complete
        assert [left.run for left in outcome.residues] == [old.name]
        assert not old.exists()
        assert all(path.exists() for path in (young, link, file, *others))
        assert world.system.active_jobs() == {other_id}
        assert world.system.cancelled == [job_id]

    def test_a_run_that_is_known_to_be_active_is_left_alone(self, world: World) -> None:
        alive = world.run("aaaaaa", age=2 * DAY, alive=True)
        outcome = world.cleaner().clean_remote(DAY)
        assert [name for name, _ in outcome.skipped] == [alive.opened.run]
        assert root_of(alive).exists()

    def test_a_journal_that_is_there_is_used(self, world: World) -> None:
        session_log = world.run("aaaaaa", age=2 * DAY)
        world.cleaner().clean_remote(DAY)
        assert Run("x", [again(session_log)]).standing is RunStatus.ENDED
        assert not root_of(session_log).exists()

    def test_where_no_run_has_been_there_is_nothing(self, world: World) -> None:
        outcome = world.cleaner().clean_remote(DAY)
        assert outcome.complete
        assert outcome.residues == []

    def test_a_gateway_that_is_away_is_reported(self, world: World) -> None:
        world.system.failures["connect"] = [errors.TransientError("away")]
        with pytest.raises(errors.TransientError, match="away"):
            world.cleaner().clean_remote(DAY)

    def test_a_gateway_that_does_not_answer_is_reported(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("reframe_firecrest.commands.clean.remote_runs.TIMEOUT", 0.05)
        world.system.blocked["list_directory"] = asyncio.Event()
        with pytest.raises(errors.TransientError, match="could not list the runs"):
            world.cleaner().clean_remote(DAY)

    def test_a_system_that_is_not_there_is_reported(self, world: World) -> None:
        world.system.failures["connect"] = [errors.NotFoundError("no system 'daint'")]
        with pytest.raises(errors.NotFoundError, match="no system"):
            world.cleaner().clean_remote(DAY)
