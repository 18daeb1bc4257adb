"""Child pipelines made of what ReFrame generates."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from reframe_firecrest.cli.main import app
from reframe_firecrest.commands.child_pipeline.pipeline import JobTemplate, Runner, child_pipeline
from reframe_firecrest.model.errors import PipelineError

PROJECT = PurePosixPath("/builds/hpc/site")
RUNNER = Runner("python:3.12", ["hpc"])
TEMPLATE = JobTemplate("alpha", runner=RUNNER, options=["--max-retries=1"])


def generated(*names: str, **more: Any) -> dict[str, Any]:
    """Return a pipeline as ReFrame 4.10 writes it."""
    return {
        "cache": {"key": "${CI_COMMIT_REF_SLUG}", "paths": ["rfm-stage/${CI_COMMIT_SHORT_SHA}"]},
        "stages": ["rfm-stage-0"],
        **{name: job_of(name, **more) for name in names},
    }


def job_of(name: str, script: str = "", needs: list[str] | None = None, **extras: Any) -> dict[str, Any]:
    return {
        "stage": "rfm-stage-0",
        "script": [
            script
            or f"reframe --prefix=rfm-stage/${{CI_COMMIT_SHORT_SHA}} -C {PROJECT}/config/my.py"
            f" -c {PROJECT}/checks -R --report-file={name}-report.json  --report-junit={name}-report.xml"
            " -n /2814bc29 -r --mode=daily"
        ],
        "artifacts": {"paths": [f"{name}-report.json"]},
        "needs": needs or [],
        **extras,
    }


def words(pipeline: dict[str, Any], name: str) -> list[str]:
    [command] = pipeline[name]["script"]
    return shlex.split(command)


def test_the_command_line_keeps_the_selection_and_writes_into_the_jobs_own_directory() -> None:
    assert words(child_pipeline(generated("Quick"), TEMPLATE, PROJECT), "Quick") == [
        "reframe-run/venvs/Quick/bin/reframe",
        *("-C", "config/my.py", "-c", "checks", "-R", "-n", "/2814bc29", "-r", "--mode=daily"),
        *("--max-retries=1", "--system=alpha", "--prefix=reframe-run/results/Quick"),
        "--report-file=reframe-run/results/Quick/report.json",
        "--report-junit=reframe-run/results/Quick/junit.xml",
    ]


def places(job: dict[str, Any]) -> set[str]:
    """Return the directories that a job names below ours, but for the wheels that all of them read."""
    text = yaml.safe_dump(job, width=10000)
    found = {part for word in text.split() for part in word.split("=") if "reframe-run/" in part}
    names = {"/".join(part[part.index("reframe-run/") :].split("/")[:3]) for part in found}
    return {name for name in names if not name.startswith("reframe-run/wheels")}


def test_no_two_jobs_share_a_directory() -> None:
    names = ["Quick", "Quick_1", "Quick %n=1", "Quick /n=1", "../../etc", "…"]
    pipeline = child_pipeline(generated(*names), TEMPLATE, PROJECT)
    seen: list[str] = []
    for name in names:
        own = places(pipeline[name])
        assert {PurePosixPath(place).parts[1] for place in own} == {"venvs", "results"}
        assert len(own) == 2
        seen += own
    assert len(seen) == len(set(seen))
    assert not any(".." in PurePosixPath(place).parts for place in seen)


def test_a_test_that_others_need_is_no_job() -> None:
    pipeline = generated("Build")
    pipeline["Run"] = job_of(
        "Run", script="reframe --restore-session=Build-report.json -n /1 -r", needs=["Build"]
    )
    children = child_pipeline(pipeline, TEMPLATE, PROJECT)
    assert [name for name, job in children.items() if "script" in job] == ["Run"]
    assert children["Run"]["needs"] == [{"pipeline": "$REFRAME_PARENT", "job": "reframe-setup"}]
    assert not any("restore" in word for word in words(children, "Run"))


@pytest.mark.parametrize(
    "argument", ["a b", "$HOME", "`id`", "x;reboot", "it's", "--tag=a|b", "/elsewhere/checks", "-Sx=$(id)"]
)
def test_arguments_stay_arguments(argument: str) -> None:
    script = shlex.join(["reframe", "-c", argument, "-n", "/1", "-r"])
    pipeline = child_pipeline(generated("Quick", script=script), TEMPLATE, PROJECT)
    assert words(pipeline, "Quick")[1:6] == ["-c", argument, "-n", "/1", "-r"]
    printed = subprocess.run(
        [
            "bash",
            "-c",
            pipeline["Quick"]["script"][0].replace("reframe-run/venvs/Quick/bin/reframe", "printf '%s\\n'"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.splitlines()[1] == argument


def test_what_a_tests_own_extras_say_is_kept() -> None:
    extras = {
        "tags": ["gpu"],
        "image": "own:1",
        "variables": {"X": "1"},
        "before_script": ["echo before"],
        "after_script": ["echo after"],
        "artifacts": {"paths": ["Quick-report.json", "plots/"], "expire_in": "1 day"},
    }
    job = child_pipeline(generated("Quick", **extras), TEMPLATE, PROJECT)["Quick"]
    assert (job["tags"], job["image"], job["variables"]["X"]) == (["gpu"], "own:1", "1")
    assert job["before_script"][-1] == "echo before"
    assert job["after_script"][0] == "echo after"
    assert job["artifacts"]["expire_in"] == "1 day"
    assert job["artifacts"]["paths"][-1] == "plots/"
    assert "Quick-report.json" not in job["artifacts"]["paths"]
    assert job["artifacts"]["when"] == "always"


def test_nothing_selected_is_a_pipeline_too() -> None:
    assert "no-test" in child_pipeline(generated(), TEMPLATE, PROJECT)


@pytest.mark.parametrize(
    ("pipeline", "reason"),
    [
        (None, "this is not a pipeline of ReFrame"),
        ([], "this is not a pipeline of ReFrame"),
        ({"site_configuration": {}}, "this is not a pipeline of ReFrame"),
        (generated("Quick", script="reframe -c 'open"), "can't be split: No closing quotation"),
        (generated("Quick", script="sudo reframe -r"), "does not start with 'reframe'"),
        ({"stages": [], "Quick": {"script": "reframe -r"}}, "does not have one command line"),
        ({"stages": [], "Quick": {"script": []}}, "does not have one command line"),
    ],
)
def test_another_format_is_refused(pipeline: object, reason: str) -> None:
    with pytest.raises(PipelineError, match=reason):
        child_pipeline(pipeline, TEMPLATE, PROJECT)


CHECK = """
import reframe as rfm

class Prepared(rfm.RunOnlyRegressionTest):
    valid_systems = valid_prog_environs = ["*"]
    executable = "true"
    @sanity_function
    def passes(self):
        return True

@rfm.simple_test
class Quick(Prepared):
    ci_extras = {"gitlab": {"tags": ["own"]}}
    size = parameter([1, 2])
    prepared = fixture(Prepared, scope="session")
"""


def test_the_command_turns_reframes_own_output_into_a_valid_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "check.py").write_text(CHECK)
    reframe = Path(sys.executable).with_name("reframe")
    subprocess.run(
        [reframe, "-c", "check.py", "--ci-generate=generated.yml"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        app,
        [
            *("child-pipeline", "generated.yml", "--system=alpha", "--output=children.yml"),
            *("--image=python:3.12", '--tags=["a"]', "--max-retries=2", "--timeout=10h"),
        ],
    )
    assert (done.exit_code, done.stdout) == (0, "children.yml: 2 jobs\n"), done.output
    children = yaml.safe_load((tmp_path / "children.yml").read_text())
    jobs = {name: job for name, job in children.items() if "script" in job}
    assert all(name.startswith("Quick_") and job["tags"] == ["own"] for name, job in jobs.items())
    assert all("check.py" in words(children, name) for name in jobs)
    limit = ["timeout", "--foreground", "--kill-after=10m", "10h"]
    assert all(words(children, name)[:4] == limit for name in jobs)
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", "children.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("tags", ["a", "{}", "[1]", "null"])
def test_tags_are_a_list(tmp_path: Path, tags: str) -> None:
    done = CliRunner().invoke(app, ["child-pipeline", "x.yml", "--system=alpha", f"--tags={tags}"])
    assert done.exit_code == 2
    assert "--tags is not a JSON list of texts" in done.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "can't be read: No such file"),
        ("{", "is not YAML"),
        ("[1]", "this is not a pipeline of ReFrame"),
    ],
)
def test_the_command_names_a_file_that_is_none(tmp_path: Path, content: str | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "generated.yml").write_text(content)
    done = CliRunner().invoke(app, ["child-pipeline", str(tmp_path / "generated.yml"), "--system=alpha"])
    assert done.exit_code == 2
    assert reason in done.stderr
