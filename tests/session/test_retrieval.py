"""Readable files are fetched, whatever other files exist; placeholders are never sent as data."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest

from reframe_firecrest.model import errors
from reframe_firecrest.model.job import JobHandle, JobSpec, Phase
from reframe_firecrest.model.selection import Selection
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.session import Session
from reframe_firecrest.session.session_record import open_journal
from reframe_firecrest.staging.paths import PathMap
from reframe_firecrest.staging.placeholder_index import INDEX
from tests.session.conftest import Stage, eventually
from tests.session.fakes import FakeGateway

PARENT = "system/partition/environ/parent"


def ended(handle: JobHandle) -> JobHandle:
    assert handle.ended.wait(15)
    return handle


def warnings(stage: Stage) -> list[str]:
    return [text for level, text in stage.said() if level == logging.WARNING]


def run(stage: Stage, name: str, *directories: str, **files: str) -> JobHandle:
    """Run a job that makes directories and files."""
    handle = stage.submit(name)
    [job_id] = stage.submitted(handle)
    for directory in directories:
        (stage.remote / name / directory).mkdir(parents=True)
    made = {path.replace("__", "/"): text for path, text in files.items()}
    stage.gateway.finish(job_id, files=made)
    return ended(handle)


def test_a_file_that_can_not_be_read_is_left_and_the_rest_comes(stage: Stage) -> None:
    stage.gateway.unreadable.add("secret")
    handle = run(stage, "a", secret="x", result="made", other="too")
    assert handle.state.phase is Phase.DONE
    local = stage.local / "a"
    assert [(local / name).read_text() for name in ("job.out", "result", "other")] == ["out", "made", "too"]
    with pytest.raises(PermissionError, match="Permission denied"):
        (local / "secret").read_text()
    assert (local / "secret").stat().st_size == 1
    [reported] = [text for text in warnings(stage) if "left on the system" in text]
    assert "/a/secret: " in reported


def test_what_is_known_not_to_be_readable_makes_nothing_be_packed_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "reframe_firecrest.session.retrieval.is_doubtful", lambda file, _: "secret" in file.path
    )
    stage.gateway.unreadable.add("secret")
    handle = run(stage, "a", secret="x", result="made")
    assert handle.state.phase is Phase.DONE
    assert stage.gateway.calls["archive"] == 2
    assert (stage.local / "a/result").read_text() == "made"


def test_a_directory_that_can_not_be_read_is_left_and_the_rest_comes(stage: Stage) -> None:
    stage.gateway.unreadable.add("closed")
    handle = run(stage, "a", "d/closed", "d/open", d__closed__x="x", d__open__y="y", top="t")
    assert handle.state.phase is Phase.DONE
    local = stage.local / "a"
    assert (local / "d/open/y").read_text() == "y"
    assert (local / "top").read_text() == "t"
    assert (local / "d/closed").is_dir()
    with pytest.raises(PermissionError, match="it can't be listed: permission denied"):
        list((local / "d/closed").iterdir())
    [reported] = [text for text in warnings(stage) if "left on the system" in text]
    assert "/a/d/closed: " in reported


def test_what_was_sent_into_a_directory_that_is_closed_now_is_not_read_as_it_was(stage: Stage) -> None:
    directory = stage.directory("a")
    (directory / "closed").mkdir()
    (directory / "closed/input").write_text("old")
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.unreadable.add("closed")
    stage.gateway.finish(job_id)
    assert ended(handle).state.phase is Phase.DONE
    with pytest.raises(PermissionError, match="left on the system"):
        (directory / "closed/input").read_text()


def test_output_comes_when_nothing_can_be_packed(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.failures["archive"] = [errors.NoSpaceError("your quota is used up")] * 5
    stage.gateway.finish(job_id, files={"result": "made"})
    assert ended(handle).state.phase is Phase.DONE
    assert (stage.local / "a/job.out").read_text() == "out"
    with pytest.raises(PermissionError, match="your quota is used up"):
        (stage.local / "a/result").read_text()


def test_output_comes_when_nothing_can_be_listed_and_the_test_fails(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    for method in ("list_tree", "list_directory"):
        stage.gateway.failures[method] = [errors.ForbiddenError("the directory is closed")] * 9
    stage.gateway.finish(job_id)
    assert "the directory is closed" in str(ended(handle).state.error)
    assert (stage.local / "a/job.out").read_text() == "out"


@pytest.mark.parametrize("name", ["job.out", "job.err"])
def test_output_that_can_not_be_read_fails_the_test_and_reports_why(stage: Stage, name: str) -> None:
    stage.gateway.unreadable.add(name)
    handle = run(stage, "a", result="made")
    assert f"/a/{name} was not retrieved: " in str(handle.state.error)
    assert "Permission denied" in str(handle.state.error)


def test_one_tests_unreadable_file_costs_the_others_nothing(stage: Stage) -> None:
    stage.gateway.unreadable.add("secret")
    handles = [stage.submit(name) for name in "abc"]
    ids = stage.submitted(*handles)
    for job_id in ids:
        stage.gateway.finish(job_id, files={"result": "made", "secret": "x"})
    for handle, name in zip(handles, "abc", strict=True):
        assert ended(handle).state.phase is Phase.DONE
        assert (stage.local / name / "result").read_text() == "made"


def test_a_pipe_is_named_and_does_no_harm(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    os.mkfifo(stage.remote / "a/pipe")
    stage.gateway.finish(job_id, files={"result": "made"})
    assert ended(handle).state.phase is Phase.DONE
    assert (stage.local / "a/pipe").exists()
    assert any("/a/pipe: it is not a regular file" in text for text in warnings(stage))


class TestPlaceholdersOfAnEarlierRun:
    @pytest.fixture
    def later(self, stage: Stage) -> Stage:
        """The same stage prefix in a later session, over another remote directory."""
        parent = stage.directory(PARENT)
        handle = stage.session.submit(
            JobSpec(
                "rfm_parent",
                str(parent),
                "job.sh",
                ("job.out", "job.err"),
                selection=Selection(exclude=("*.log", "tiny")),
            )
        )
        [job_id] = stage.submitted(handle)
        stage.gateway.finish(job_id, files={"solver.log": "x" * 39, "tiny": "abc", "result": "made"})
        ended(handle)
        stage.close()
        stage._sessions.clear()
        stage.gateway = FakeGateway()
        stage.remote = stage.remote.parent / "later"
        paths = PathMap(str(stage.local), str(stage.remote))
        stage._sessions.append(
            Session(
                stage.settings,
                paths,
                reactor(),
                lambda _settings: stage.gateway,
                open_journal(stage.settings, paths, "later"),
            )
        )
        return stage

    def submit(self, stage: Stage, command: str) -> JobHandle:
        child = stage.directory("child")
        (child / "job.sh").write_text(f"#!/bin/bash\n{command}\n")
        return stage.session.submit(JobSpec("rfm_child", str(child), "job.sh", ("job.out", "job.err")))

    @pytest.mark.parametrize("command", ["cat {parent}/solver.log", "cd {parent}", "cat {parent}/*.log"])
    def test_a_job_that_needs_one_fails_and_reports_the_remedy(self, later: Stage, command: str) -> None:
        handle = ended(self.submit(later, command.format(parent=later.local / PARENT)))
        error = str(handle.state.error)
        assert "is a placeholder of an earlier run and can't be sent" in error
        assert "an 'exclude' pattern names it" in error
        assert "max_file_size" in error
        assert not later.gateway.submitted

    def test_a_job_that_needs_none_runs_and_none_is_sent(self, later: Stage) -> None:
        handle = self.submit(later, f"cat {later.local}/{PARENT}/result")
        later.submitted(handle)
        sent = sorted(path.name for path in (later.remote / PARENT).iterdir())
        assert sent == ["job.err", "job.out", "job.sh", "result"]
        assert INDEX not in sent

    def test_one_in_the_jobs_own_directory_fails_it(self, later: Stage) -> None:
        child = later.directory("child")
        (later.local / PARENT / "solver.log").rename(child / "copy.log")
        handle = ended(later.submit("child"))
        assert f"{child}/copy.log is a placeholder" in str(handle.state.error)


def test_a_file_that_still_names_the_stage_prefix_is_warned_of_once(stage: Stage) -> None:
    directory = stage.directory("a")
    here = bytes(directory)
    for number in range(5):
        (directory / f"binary{number}").write_bytes(b"\0" + here)
    (directory / "text").write_bytes(b"x" * 100_000 + b" " + here)
    handle = stage.submit("a")
    stage.submitted(handle)
    [reported] = [text for text in warnings(stage) if "untranslated" in text]
    assert "binary0, binary1, binary2 and 2 more" in reported
    assert (stage.remote / "a/text").read_bytes() == b"x" * 100_000 + b" " + bytes(stage.remote / "a")
    assert not list(Path(stage.session._scratch).glob("translated-*"))


def test_a_large_translated_text_is_not_fetched_back(stage: Stage) -> None:
    text = "y" * 100_000 + f" {stage.local}/a"
    handle = stage.submit("a", files={"input": text})
    [job_id] = stage.submitted(handle)
    stage.gateway.finish(job_id)
    ended(handle)
    assert (stage.local / "a/input").read_text() == text


def test_a_few_results_among_many_are_listed_one_by_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reframe_firecrest.session.result_listing.ENTRIES_PER_REQUEST", 1)
    crowd = {f"file-{number}": "x" for number in range(40)}
    names = ("a", "b", "c", "d", "crowd")
    handles = [stage.submit(name, files=crowd if name == "crowd" else None) for name in names]
    ids = stage.submitted(*handles)
    listed = []
    for pair in (slice(0, 2), slice(2, 4)):
        answering = stage.gateway.blocked["jobs"] = asyncio.Event()
        stage.gateway.calls["jobs"] = 0
        eventually(lambda: stage.gateway.calls["jobs"])
        for job_id in ids[pair]:
            stage.gateway.finish(job_id, "FAILED", code=1)
        reactor().call(answering.set)
        for handle in handles[pair]:
            assert handle.ended.wait(15)
        listed.append(sorted(Path(path).name for path in stage.gateway.listed))
        stage.gateway.listed.clear()
    assert listed == [["run"], ["c", "d"]]
