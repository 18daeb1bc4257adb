"""Turn the pipeline that ReFrame generates into a child pipeline of isolated jobs.

ReFrame's jobs share a stage prefix and expect an installed ReFrame with credentials and settings. Jobs of a
runner may run at the same time in one directory, so each job of ours has its own directories for everything
that it writes.

Source of the format: `_emit_gitlab_pipeline` in ``reframe/frontend/ci.py`` of ReFrame 4.10: one job for each
test, with one command line in ``script`` and the tests that it depends on in ``needs``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from reframe_firecrest.model.errors import PipelineError

ROOT = PurePosixPath("reframe-run")
"""Directory of all that pipelines write, in the project's clone; the wheels of the setup job are there."""

_REPLACED = ("--prefix=", "--report-file=", "--report-junit=", "--restore-session=")
"""Options of ReFrame's command lines that place files, or need the report of another job."""

_RESULTS = ("report.html", "report.json", "junit.xml", "journals/", "perflogs/", "output/", "stage/**/rfm_*")
"""Artifacts of a job, in its own directory. Of stage directories, only scripts and outputs are kept."""

_EMPTY = {"no-test": {"stage": "run", "script": ["echo 'no test was selected'"]}}
"""GitLab refuses a child pipeline without a job."""

Job = Mapping[str, Any]


@dataclass(frozen=True)
class Runner:
    """Runner of the jobs.

    Attributes:
        image: container image; empty for the runner's own.
        tags: tags of the runners.
    """

    image: str = ""
    tags: Sequence[str] = ()


@dataclass(frozen=True)
class JobTemplate:
    """Parameters of all jobs.

    Attributes:
        system: name of the system in the settings file, and of the environment in GitLab.
        setup_job: job of the parent pipeline that has the wheels.
        runner: where the jobs run.
        timeout: time after which ReFrame stops, as for timeout(1); empty for none.
        options: ReFrame's options besides those of its own command line.
    """

    system: str
    setup_job: str = "reframe-setup"
    runner: Runner = Runner()
    timeout: str = ""
    options: Sequence[str] = ()


def child_pipeline(generated: object, template: JobTemplate, project: PurePosixPath) -> dict[str, Any]:
    """Return the child pipeline.

    A test that others depend on becomes no job: ReFrame runs it again with each of them, because a fixture
    can't be selected by its name.

    Args:
        generated: ReFrame's pipeline.
        template: common parts of the jobs.
        project: directory of the project's clone, in which ReFrame wrote the pipeline.

    Raises:
        PipelineError: the pipeline has another format.
    """
    tests = _tests(generated)
    needed = {name for test in tests.values() for name in test.get("needs", ())}
    selected = {name: test for name, test in tests.items() if name not in needed}
    places = _places(selected)
    jobs = {name: _job(name, test, places[name], template, project) for name, test in selected.items()}
    return {
        "stages": ["run"],
        "variables": {"FIRECREST_NAMESPACE": "reframe-ci-$CI_PROJECT_ID"},
        **(jobs or _EMPTY),
    }


def _tests(generated: object) -> dict[str, Job]:
    if not isinstance(generated, Mapping) or "stages" not in generated:
        raise PipelineError("this is not a pipeline of ReFrame; name the file of --ci-generate")
    return {name: job for name, job in generated.items() if isinstance(job, Mapping) and "script" in job}


def _places(names: Iterable[str]) -> dict[str, str]:
    """Return a directory name for each job; no two are the same."""
    places: dict[str, str] = {}
    for name in names:
        place = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or "test"
        places[name] = f"{place}-{len(places)}" if place in places.values() else place
    return places


def _job(name: str, test: Job, place: str, template: JobTemplate, project: PurePosixPath) -> dict[str, Any]:
    script = test["script"]
    if not isinstance(script, Sequence) or isinstance(script, str) or len(script) != 1:
        raise PipelineError(f"the job {name!r} of ReFrame's pipeline does not have one command line")
    results, venv = ROOT / "results" / place, ROOT / "venvs" / place
    return {
        **({"image": template.runner.image} if template.runner.image else {}),
        **({"tags": list(template.runner.tags)} if template.runner.tags else {}),
        "retry": {"max": 1, "when": ["runner_system_failure", "stuck_or_timeout_failure"]},
        # What the test's `ci_extras` say.
        **test,
        "stage": "run",
        "needs": [{"pipeline": "$REFRAME_PARENT", "job": template.setup_job}],
        "environment": {"name": template.system, "action": "access"},
        "variables": {**test.get("variables", {}), "FIRECREST_JOURNAL_DIR": f"{results}/journals"},
        "before_script": [*_install(venv), *test.get("before_script", ())],
        "script": [_command(str(script[0]), venv, results, template, project)],
        "after_script": [*test.get("after_script", ()), *_finish(venv, results)],
        "artifacts": _artifacts(test.get("artifacts", {}), results),
    }


def _install(venv: PurePosixPath) -> list[str]:
    pip = "python3 -m pip --disable-pip-version-check"
    return [
        f"python3 -m venv --clear --without-pip {venv}",
        f"{pip} --python {venv} install --quiet --no-compile --no-index {ROOT}/wheels/*.whl",
    ]


def _command(
    script: str, venv: PurePosixPath, results: PurePosixPath, template: JobTemplate, project: PurePosixPath
) -> str:
    words = [word for word in _split(script)[1:] if not word.startswith(_REPLACED)]
    return shlex.join(
        [
            *_limit(template.timeout),
            f"{venv}/bin/reframe",
            *(_below(word, project) for word in words),
            *template.options,
            f"--system={template.system}",
            f"--prefix={results}",
            f"--report-file={results}/report.json",
            f"--report-junit={results}/junit.xml",
        ]
    )


def _limit(timeout: str) -> list[str]:
    return ["timeout", "--foreground", "--kill-after=10m", timeout] if timeout else []


def _split(script: str) -> list[str]:
    try:
        words = shlex.split(script)
    except ValueError as error:
        raise PipelineError(f"a command line of ReFrame's pipeline can't be split: {error}") from None
    if not words or words[0] != "reframe":
        raise PipelineError("a command line of ReFrame's pipeline does not start with 'reframe'")
    return words


def _below(word: str, project: PurePosixPath) -> str:
    """Make a path below the project's directory relative, because another runner has another directory."""
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    path = PurePosixPath(value)
    if not path.is_absolute() or not path.is_relative_to(project):
        return word
    return f"{option}{equals}{path.relative_to(project)}"


def _finish(venv: PurePosixPath, results: PurePosixPath) -> list[str]:
    command, report = f"{venv}/bin/reframe-firecrest", f"{results}/report"
    page = f"{command} report --report {report}.json --output {report}.html"
    return [f"[ ! -x {command} ] || {command} clean --all", f"[ ! -e {report}.json ] || {page}"]


def _artifacts(extra: Mapping[str, Any], results: PurePosixPath) -> dict[str, Any]:
    # ReFrame's own paths are reports in the current directory, which our command line writes elsewhere.
    paths = [path for path in extra.get("paths", ()) if not str(path).endswith("-report.json")]
    return {
        "expire_in": "4 weeks",
        **extra,
        "when": "always",
        "paths": [f"{results}/{part}" for part in _RESULTS] + paths,
        "reports": {**extra.get("reports", {}), "junit": f"{results}/junit.xml"},
    }
