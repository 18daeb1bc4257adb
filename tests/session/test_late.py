"""Requests that act late: what a job has written stays."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from reframe_firecrest.model import errors
from reframe_firecrest.model.job import Phase
from reframe_firecrest.session import archive_upload
from tests.session.conftest import Stage, eventually


class Late:
    """Let some of a gateway's requests act after their answers were lost.

    Attributes:
        extracts: archives whose unpacking is still to come.
        refused: archives that were not there any more when it came.
    """

    def __init__(self, stage: Stage, times: int = 1) -> None:
        self.extracts: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self.times = times
        self.used: list[str] = []
        self._extract = stage.gateway.extract
        stage.gateway.extract = self.extract  # type: ignore[method-assign]

    async def extract(self, archive: str, directory: str) -> None:
        self.used.append(archive)
        if self.times:
            self.times -= 1
            self.extracts.append((archive, directory))
            raise errors.UncertainError("the connection broke")
        await self._extract(archive, directory)

    async def act(self) -> None:
        for archive, directory in self.extracts:
            try:
                await self._extract(archive, directory)
            except FileNotFoundError:
                self.refused.append(archive)


def test_an_extract_that_acts_late_leaves_alone_what_a_job_has_written(stage: Stage) -> None:
    late = Late(stage)
    handle = stage.submit("a", files={"state.txt": "sent"})
    [job_id] = stage.submitted(handle)
    (stage.remote / "a/state.txt").write_text("written by the job")
    asyncio.run(late.act())
    assert late.refused == [late.used[0]]
    assert (stage.remote / "a/state.txt").read_text() == "written by the job"
    stage.gateway.finish(job_id)
    eventually(handle.ended.is_set)
    assert handle.state.phase is Phase.DONE
    assert len(set(late.used)) == 2


def test_an_archive_is_withdrawn_before_the_next_is_unpacked(stage: Stage) -> None:
    late = Late(stage)
    gone: list[bool] = []
    upload = stage.gateway.upload

    async def note(local: Path, remote: str, progress: object = None) -> str:
        gone.append(bool(late.used) and not Path(late.used[0]).exists())
        return await upload(local, remote)

    stage.gateway.upload = note  # type: ignore[method-assign]
    stage.submitted(stage.submit("a"))
    assert gone == [False, True]
    assert stage.gateway.calls["withdraw"] == 1


def test_where_it_can_not_be_withdrawn_nothing_is_submitted(stage: Stage) -> None:
    Late(stage)
    stage.gateway.failures["withdraw"] = [errors.ForbiddenError("rm: Permission denied")]
    handle = stage.submit("a")
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.FAILED
    assert "Permission denied" in str(handle.state.error)
    assert stage.gateway.calls["submit"] == 0


def test_an_extract_that_remains_uncertain_fails_the_test(stage: Stage) -> None:
    late = Late(stage, times=99)
    handle = stage.submit("a")
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.FAILED
    assert len(set(late.used)) == archive_upload.EXTRACT_ATTEMPTS
    assert stage.gateway.calls["withdraw"] == archive_upload.EXTRACT_ATTEMPTS
    assert stage.gateway.calls["submit"] == 0


def test_inputs_of_several_tests_survive_an_uncertain_extract(stage: Stage) -> None:
    shared = os.urandom(6000)
    Late(stage)
    handles = []
    for name in ("a", "b"):
        (stage.directory(name) / "input").write_bytes(shared)
        handles.append(stage.submit(name))
    stage.submitted(*handles)
    stored = [path for path in stage.remote.rglob("*") if path.is_file() and path.read_bytes() == shared]
    assert stored
