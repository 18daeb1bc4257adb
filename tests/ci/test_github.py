"""The workflow for GitHub Actions: its steps are executed, by an executor of our own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.ci.runs import family, kill, left_on, places_of, verdicts, wait_until_it_runs
from tests.ci.sites import Site, environment, needs_tools, site
from tests.ci.workflow import Runner, read_workflow
from tests.conftest import PROJECT
from tests.e2e.outside import outside

OURS = PROJECT / "ci/github-workflow.yml"
NAMESPACE = "reframe-ci-77"
SWEEPING = ["Sweep what the run left", "Make the page", "actions/upload-artifact"]

INPUTS = {
    "inputs.system || 'all'": "all",
    "inputs.suite": "",
    "inputs.suite_ref": "",
    "inputs.tags": "",
    "inputs.mode": "",
    "inputs.options": "",
    "env.REFRAME_SUITE != ''": "false",
    "github.event_name == 'schedule'": "false",
    "github.repository_id": "77",
    "matrix.system": "alpha",
}


def workflow() -> dict[str, Any]:
    """Read ours, and change what users are told to change."""
    changed = read_workflow(OURS)
    changed["env"] |= {
        "SYSTEMS": '["alpha"]',
        "REFRAME_SETTINGS": "settings.py",
        "REFRAME_FIRECREST_PACKAGE": "reframe-firecrest",
    }
    return changed


def runner(made: Site, **expressions: str) -> Runner:
    """Make a runner with the variables and the secret that the environment of the system has."""
    given = made.gateway("alpha").variables if made.sandboxes else {}
    scoped = {
        f"secrets.{name}" if name.endswith("SECRET") else f"vars.{name}": given.get(name, "")
        for name in read_workflow(OURS)["jobs"]["run"]["env"]
        if name not in ("SYSTEM", "FIRECREST_NAMESPACE", "FIRECREST_JOURNAL_DIR")
    }
    place = made.directory.parent / "github"
    place.mkdir()
    return Runner(
        workflow(), made.directory, place, environment(made.directory.parent), INPUTS | scoped | expressions
    )


def test_it_fits_githubs_schema() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(OURS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_command_is_made_of_what_somebody_else_wrote() -> None:
    for job in read_workflow(OURS)["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "site", ["alpha"]) as made:
        yield made


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifacts of the first job, which are the same for all runs."""
    with site(tmp_path_factory.mktemp("setup") / "site", systems=()) as made:
        setup = runner(made)
        outcome = setup.run("setup")
        assert outcome.failed is None, outcome.log
        assert outcome.outputs == {"systems": '["alpha"]'}
        return setup.place / "artifacts"


@needs_tools
@pytest.mark.pipelines
class TestRuns:
    @pytest.fixture
    def ready(self, here: Site, collected: Path) -> Runner:
        made = runner(here)
        shutil.copytree(collected, made.place / "artifacts")
        return made

    def test_a_scheduled_one_passes_and_sweeps(self, here: Site, ready: Runner) -> None:
        with outside(here.gateway("alpha")) as alpha:
            old = f"{alpha.basedir}/{NAMESPACE}/20200131-020000-runner-1f3a5c"
            alpha.client.mkdir("alpha", old, create_parents=True)
        expressions = {**ready.expressions, "inputs.tags": "quick", "github.event_name == 'schedule'": "true"}
        outcome = replace(ready, expressions=expressions).run("run")

        assert outcome.failed is None, outcome.log
        published = ready.place / "artifacts/reframe-alpha"
        assert verdicts(published) == {"Quick": "passed"}
        assert (published / "perflogs/alpha/compute/Quick.log").read_text()
        assert "<html" in (published / "report.html").read_text()
        assert left_on(here.gateway("alpha"), NAMESPACE) == set()
        assert places_of(here.secrets(), outcome.log, published) == []

    def test_what_a_killed_one_leaves_is_swept(self, here: Site, ready: Runner) -> None:
        killed: list[str] = []

        def intervene(step: str, process: subprocess.Popen[str]) -> None:
            if step == "Run":
                session_log = wait_until_it_runs(
                    ready.place / "workspace-run/reframe-run/results/journals", process
                )
                killed.append(session_log.opened.run)
                assert killed[0] in left_on_before(here)
                kill([*family(session_log.opened.pid, process.pid), process.pid])

        expressions = {**ready.expressions, "inputs.tags": "endless"}
        outcome = replace(ready, expressions=expressions, meanwhile=intervene).run("run")

        assert outcome.failed == "Run"
        assert outcome.ran[-3:] == SWEEPING
        assert left_on(here.gateway("alpha"), NAMESPACE) == set()
        page = ready.place / "artifacts/reframe-alpha/report.html"
        assert killed[0] in page.read_text()


def left_on_before(here: Site) -> set[str]:
    with outside(here.gateway("alpha")) as alpha:
        assert alpha.active(NAMESPACE) != []
        return alpha.runs(NAMESPACE)


@needs_tools
@pytest.mark.pipelines
def test_a_pull_request_runs_what_it_changes(tmp_path: Path) -> None:
    with site(tmp_path / "site", systems=()) as made:
        made.append("checks/deep/other.py", "# a check")
        made.commit("Before")
        made.append("checks/quick.py", "# changed")
        made.append("checks/deep/src/own.sh", "new")
        made.commit("What the merge brings")
        setup = runner(made)
        setup.workflow["env"].update(REFRAME_PACKAGE="packaging", REFRAME_FIRECREST_PACKAGE="packaging")
        outcome = replace(setup, environment={**setup.environment, "GITHUB_EVENT_NAME": "pull_request"}).run(
            "setup"
        )
        assert outcome.failed is None, outcome.log
        chosen = (setup.place / "artifacts/reframe-setup/checks.txt").read_text().split()
        assert chosen == ["checks/deep", "checks/quick.py"]
