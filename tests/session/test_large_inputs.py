"""Inputs that are too large for one request: sent in parts, and unpacked by the job itself."""

from __future__ import annotations

import asyncio
import os
import random
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from reframe_firecrest.model import errors
from reframe_firecrest.model.capabilities import TransferMethod
from reframe_firecrest.model.job import JobHandle, JobSpec, Phase
from reframe_firecrest.model.job_shape import JobShape
from reframe_firecrest.session.reactor import reactor
from tests.session.conftest import Stage, eventually

LIMIT = 1 << 18
SIZE = 3 * LIMIT


@pytest.fixture(autouse=True)
def small_requests(stage: Stage) -> None:
    stage.gateway.max_direct_upload = LIMIT


def content(seed: int = 1, size: int = SIZE) -> bytes:
    return random.Random(seed).randbytes(size)


def submit(stage: Stage, name: str, files: dict[str, bytes], script: str = "", **more: object) -> JobHandle:
    """Hand over a job with input files."""
    directory = stage.directory(name)
    for path, data in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
    if script:
        (directory / "job.sh").write_text(f"#!/bin/bash\n{script}\n")
    spec = JobSpec(f"rfm_{name}", str(directory), "job.sh", ("job.out", "job.err"))
    return stage.session.submit(replace(spec, **more))  # type: ignore[arg-type]


def run_script(stage: Stage, handle: JobHandle, code: int = 0, **slurm: str) -> None:
    """Run the job script on the system."""
    directory = stage.remote / Path(handle.spec.directory).name
    variables = {"PATH": os.environ["PATH"], "SLURM_JOB_ID": str(handle.state.job_id), **slurm}
    done = subprocess.run(
        ["bash", "job.sh"], cwd=directory, env=variables, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr


def packed(stage: Stage) -> list[str]:
    """Return the names in the archives that were sent whole."""
    return [name for archive in stage.gateway.uploaded for name in archive]


def parts(stage: Stage) -> list[str]:
    return sorted(path.name for path in (stage.remote / ".transfer").glob("large-*"))


def without_storage(stage: Stage) -> None:
    stage.gateway.capabilities = replace(stage.gateway.capabilities, transfer=TransferMethod.NONE)


class TestOneTest:
    def test_a_large_file_travels_in_parts_and_the_job_has_it(self, stage: Stage) -> None:
        handle = submit(stage, "a", {"deep/data": content(), "small": b"s"})
        stage.submitted(handle)
        assert len(parts(stage)) == 4
        assert [name for name in packed(stage) if "deep/data" in name] == []
        assert not (stage.remote / "a/deep/data").exists()
        run_script(stage, handle)
        assert (stage.remote / "a/deep/data").read_bytes() == content()
        assert (stage.remote / "a/small").read_bytes() == b"s"

    def test_the_file_is_not_fetched_again_and_not_sent_again(self, stage: Stage) -> None:
        first = submit(stage, "a", {"data": content()})
        [job_id] = stage.submitted(first)
        run_script(stage, first)
        stage.gateway.finish(job_id, files={"made": "result"})
        assert first.ended.wait(15)
        assert (first.state.phase, first.state.error) == (Phase.DONE, None)
        assert (stage.local / "a/made").read_text() == "result"
        sent = len(parts(stage))
        second = submit(stage, "a", {})
        stage.submitted(second)
        assert len(parts(stage)) == sent
        assert "joined" not in (stage.remote / "a/job.sh").read_text()

    def test_files_that_compress_well_need_few_parts(self, stage: Stage) -> None:
        handle = submit(stage, "a", {"data": b"text " * SIZE})
        stage.submitted(handle)
        assert len(parts(stage)) == 1
        run_script(stage, handle)
        assert (stage.remote / "a/data").stat().st_size == 5 * SIZE

    def test_many_small_files_travel_in_parts_too(self, stage: Stage) -> None:
        files = {f"d/f{number}": content(number, 2000) for number in range(200)}
        handle = submit(stage, "a", files)
        stage.submitted(handle)
        assert len(parts(stage)) >= 2
        run_script(stage, handle)
        assert all((stage.remote / "a" / path).read_bytes() == data for path, data in files.items())

    def test_a_large_translated_text_arrives_translated(self, stage: Stage) -> None:
        text = f"{stage.local}/a/input\n".encode() * 2000
        handle = submit(stage, "a", {"paths": text, "data": content()})
        stage.submitted(handle)
        run_script(stage, handle)
        assert (stage.remote / "a/paths").read_text().splitlines()[0] == f"{stage.remote}/a/input"

    @pytest.mark.parametrize("size", [LIMIT // 2, LIMIT // 4])
    def test_what_fits_into_one_request_travels_as_before(self, stage: Stage, size: int) -> None:
        stage.submitted(submit(stage, "a", {"data": content(size=size)}))
        assert parts(stage) == []

    def test_a_damaged_part_fails_the_test_with_that_reason(self, stage: Stage) -> None:
        handle = submit(stage, "a", {"data": content()})
        [job_id] = stage.submitted(handle)
        (stage.remote / ".transfer" / parts(stage)[1]).write_bytes(b"damaged")
        run_script(stage, handle, code=1)
        stage.gateway.begins = False
        stage.gateway.finish(job_id, "FAILED", 1)
        assert handle.ended.wait(15)
        assert handle.state.phase is Phase.FAILED
        assert "a part is missing or damaged" in str(handle.state.error)

    def test_a_job_that_is_killed_while_it_unpacks_has_not_started(self, stage: Stage) -> None:
        handle = submit(stage, "a", {"data": content()})
        [job_id] = stage.submitted(handle)
        # It has claimed its submission, and no more.
        claims = stage.remote / ".transfer/claims"
        token = re.findall(rf"{claims}/([0-9a-f]{{32}})", (stage.remote / "a/job.sh").read_text())[0]
        (claims / token).symlink_to(job_id)
        stage.gateway.begins = False
        stage.gateway.finish(job_id, "FAILED", 137)
        assert handle.ended.wait(15)
        assert "without a sign" in str(handle.state.error)


class TestSeveralTests:
    def test_parts_that_take_long_hold_no_other_test_up(self, stage: Stage) -> None:
        gate = stage.gateway.blocked["upload_part"] = asyncio.Event()
        large, small = submit(stage, "large", {"data": content()}), submit(stage, "small", {})
        stage.submitted(small)
        assert large.state.phase is Phase.STAGING
        reactor().call(gate.set)
        stage.submitted(large)

    def test_the_same_file_travels_once(self, stage: Stage) -> None:
        handles = [submit(stage, f"t{number}", {"data": content()}) for number in range(3)]
        stage.submitted(*handles)
        late = submit(stage, "late", {"data": content(), "own": content(2)})
        stage.submitted(late)
        assert len(parts(stage)) == 8
        for handle in (*handles, late):
            run_script(stage, handle)
            assert (stage.remote / Path(handle.spec.directory).name / "data").read_bytes() == content()
        assert (stage.remote / "late/own").read_bytes() == content(2)
        assert not (stage.remote / "t0/own").exists()

    def test_if_its_archive_fails_another_test_sends_the_file(self, stage: Stage) -> None:
        stage.gateway.failures["upload_part"] = [errors.RejectedError("quota")]
        handles = [submit(stage, f"t{number}", {"data": content()}) for number in range(3)]
        eventually(lambda: all(handle.state.job_id or handle.ended.is_set() for handle in handles))
        failed = [handle for handle in handles if handle.state.phase is Phase.FAILED]
        assert len(failed) == 1
        for handle in set(handles) - set(failed):
            run_script(stage, handle)
            assert (stage.remote / Path(handle.spec.directory).name / "data").read_bytes() == content()

    def test_a_cancelled_test_takes_its_file_from_no_other(self, stage: Stage) -> None:
        handles = [submit(stage, f"t{number}", {"data": content()}) for number in range(2)]
        stage.session.cancel([handles[0]])
        stage.submitted(handles[1])
        run_script(stage, handles[1])
        assert (stage.remote / "t1/data").read_bytes() == content()


class TestSharedDirectories:
    def test_tasks_of_an_array_unpack_once(self, stage: Stage) -> None:
        script = "wc -c < data >> sizes; echo x >> data"
        handle = submit(stage, "a", {"data": content()}, script, shape=JobShape(frozenset({0, 1}), 1))
        [job_id] = stage.submitted(handle)
        for task in ("0", "1"):
            run_script(
                stage,
                handle,
                SLURM_JOB_ID=job_id if task == "0" else "999",
                SLURM_ARRAY_JOB_ID=job_id,
                SLURM_ARRAY_TASK_ID=task,
            )
        assert (stage.remote / "a/sizes").read_text().split() == [str(SIZE), str(SIZE + 2)]

    def test_jobs_unpack_a_directory_without_a_job_once(self, stage: Stage) -> None:
        fixture = stage.directory("system/partition/environ/fixture")
        (fixture / "data").write_bytes(content())
        script = f"cat {fixture}/data > copy; echo x >> {fixture}/data"
        handles = [submit(stage, name, {}, script) for name in ("a", "b")]
        stage.submitted(*handles)
        late = submit(stage, "late", {}, script)
        stage.submitted(late)
        assert len(parts(stage)) == 4
        for number, handle in enumerate((*handles, late)):
            run_script(stage, handle)
            copy = stage.remote / Path(handle.spec.directory).name / "copy"
            assert copy.stat().st_size == SIZE + 2 * number


class TestTooLarge:
    def test_above_the_setting_the_storage_is_used(self, stage: Stage) -> None:
        stage.settings = stage.settings.model_copy(update={"direct_upload_max": SIZE - 1})
        stage.submitted(submit(stage, "a", {"data": content()}))
        assert parts(stage) == []
        assert (stage.remote / "a/data").read_bytes() == content()

    def test_the_storage_is_used_instead_of_very_many_parts(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("reframe_firecrest.session.large_inputs.MOST_PARTS", 3)
        stage.submitted(submit(stage, "a", {"data": content(size=4 * LIMIT)}))
        assert parts(stage) == []
        assert [name for name in packed(stage) if name.endswith("a/data")]

    def test_without_a_storage_it_is_refused_before_anything_is_sent(self, stage: Stage) -> None:
        without_storage(stage)
        stage.settings = stage.settings.model_copy(update={"direct_upload_max": SIZE - 1})
        handle = submit(stage, "a", {"data": content()})
        assert handle.ended.wait(15)
        assert "'direct_upload_max'" in str(handle.state.error)
        assert stage.gateway.calls["upload"] + stage.gateway.calls["upload_part"] == 0

    @pytest.mark.parametrize("error", [errors.TooLargeError, errors.OperationTimeoutError])
    def test_parts_that_are_refused_go_through_the_storage(
        self, stage: Stage, error: type[errors.FinalError]
    ) -> None:
        stage.gateway.failures["upload_part"] = [error("413")]
        stage.submitted(submit(stage, "a", {"data": content()}))
        assert (stage.remote / "a/data").read_bytes() == content()
        assert "joined" not in (stage.remote / "a/job.sh").read_text()
