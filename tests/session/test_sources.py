"""Files of the tests' code that scripts name are on the system before a job starts, and go with the run."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from reframe_firecrest.model.job import JobHandle
from reframe_firecrest.session.log_queue import LogQueue
from reframe_firecrest.staging.local_sources import LocalSources
from reframe_firecrest.staging.paths import PathMap
from tests.session.conftest import Stage, eventually


@pytest.fixture
def checks(tmp_path: Path, stage: Stage) -> Path:
    """A directory of checks that the session sends files of."""
    made = tmp_path / "checks"
    (made / "helper").mkdir(parents=True)
    (made / "helper" / "tool.sh").write_text(f"cat {made}/table.txt\n")
    (made / "table.txt").write_text(f"made by {made}/helper/tool.sh\n")
    (made / "other.txt").write_text("not named\n")
    stage.sources = LocalSources(send=True, elsewhere=[str(stage.local)])
    stage.session.add_sources([str(made)], [])
    return made


def run(stage: Stage, name: str, *named: Path) -> JobHandle:
    job = stage.submit(name, files={"names": "\n".join(map(str, named))})
    [job_id] = stage.submitted(job)
    stage.gateway.finish(job_id)
    eventually(job.ended.is_set)
    return job


def sent(stage: Stage) -> dict[str, Path]:
    """Return the files on the system that are outside the stage directories, by name."""
    return {path.name: path for path in stage.remote.glob("_outside/**/*") if path.is_file()}


def test_files_that_a_named_file_names_are_sent_too(stage: Stage, checks: Path) -> None:
    run(stage, "a", checks / "helper" / "tool.sh")
    files = sent(stage)
    assert sorted(files) == ["table.txt", "tool.sh"]
    assert files["tool.sh"].read_text() == f"cat {files['table.txt']}\n"
    assert files["table.txt"].read_text() == f"made by {files['tool.sh']}\n"
    assert (stage.remote / "a" / "names").read_text() == str(files["tool.sh"])


def test_each_file_is_sent_once_in_a_run(stage: Stage, checks: Path) -> None:
    run(stage, "a", checks / "table.txt")
    table = sent(stage)["table.txt"]
    table.write_text("changed by a job\n")
    run(stage, "b", checks / "table.txt", checks / "other.txt")
    assert table.read_text() == "changed by a job\n"
    assert sorted(sent(stage)) == ["other.txt", "table.txt", "tool.sh"]


def test_nothing_of_them_stays_when_reframe_keeps_nothing(stage: Stage, checks: Path) -> None:
    run(stage, "a", checks / "table.txt")
    shutil.rmtree(stage.local / "a")
    stage.close()
    assert not stage.remote.exists()


def test_they_stay_with_a_stage_directory_that_is_kept(stage: Stage, checks: Path) -> None:
    run(stage, "a", checks / "table.txt")
    run(stage, "b")
    shutil.rmtree(stage.local / "b")
    stage.close()
    assert sorted(path.name for path in stage.remote.iterdir()) == ["_outside", "a"]
    assert sorted(sent(stage)) == ["table.txt", "tool.sh"]
    kept = [text for level, text in stage.said() if level == logging.INFO and "kept on the system" in text]
    assert kept == [f"1 stage directory kept on the system, below {stage.remote}: a"]


def test_a_mapped_directory_goes_with_the_run(stage: Stage, tmp_path: Path, logs: LogQueue) -> None:
    resources = tmp_path / "resources"
    resources.mkdir()
    (resources / "table.txt").write_text("x")
    stage.mapped = (str(resources),)
    run(stage, "a", resources / "table.txt")
    assert sorted(sent(stage)) == ["table.txt"]
    shutil.rmtree(stage.local / "a")
    stage.close()
    assert not stage.remote.exists()


def test_without_the_setting_a_warning_is_all(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "tool.sh").write_text("x")
    stage.sources = LocalSources(elsewhere=[str(stage.local)])
    stage.session.add_sources([str(tmp_path)], [])
    run(stage, "a", tmp_path / "tool.sh")
    run(stage, "b", tmp_path / "tool.sh")
    assert not sent(stage)
    warnings = [text for level, text in stage.said() if level == logging.WARNING]
    assert len(warnings) == 1
    assert str(tmp_path / "tool.sh") in warnings[0]
    assert PathMap("/a", "/b").sources.roots == ()
