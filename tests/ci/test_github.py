"""The workflow for GitHub Actions: its steps are executed, by an executor of our own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reframe_firecrest.commands.results_database import newest_sessions
from tests.ci.runs import family, kill, left_on, places_of, verdicts, wait_until_it_runs
from tests.ci.sites import Site, environment, needs_tools, site
from tests.ci.workflow import Outcome, Runner, inputs_of, read_workflow
from tests.conftest import PROJECT
from tests.e2e.outside import outside

OURS = PROJECT / ".github/workflows/reframe.yml"
CALLER = PROJECT / "ci/github-workflow.yml"
NAMESPACE = "reframe-ci-77"
SWEEPING = ["Sweep what the run left", "Show the results", "Publish the page", "Link the page"]

CALLED = {
    "inputs.system || 'all'": "all",
    "inputs.suite": "",
    "inputs.suite_ref": "",
    "inputs.tags": "",
    "inputs.mode": "",
    "inputs.options": "",
}
"""Meaning of the inputs of manual runs."""

EXPRESSIONS = {
    "inputs.suite != ''": "false",
    "inputs.refresh_modules && github.event_name == 'schedule'": "false",
    "github.event_name == 'schedule'": "false",
    "github.event_name != 'pull_request'": "true",
    "github.repository": "hpc/site",
    "github.repository_id": "77",
    "github.token": "",
    "matrix.system": "alpha",
    "steps.page.outputs.artifact-url": "https://github.example.org/artifacts/1",
}

GH = """#!/bin/bash
# Stands in for GitHub's command line: artifacts of earlier runs are directories.
case "$1 $2" in
    "run list") ls "$RUNS" ;;
    "run download") mkdir -p "$7" && cp -r "$RUNS/$3/$5/." "$7" ;;
    *) exit 1 ;;
esac
"""


def called(**inputs: str) -> dict[str, str]:
    """Return the inputs that the caller passes, with the values that users must change."""
    given = read_workflow(CALLER)["jobs"]["reframe"]["with"]
    given |= {"systems": '["alpha"]', "settings": "settings.py", "package": "reframe-firecrest"}
    known = {f"${{{{ {name} }}}}": value for name, value in CALLED.items()}
    given = {name: known.get(value, value) for name, value in given.items()}
    return inputs_of(read_workflow(OURS), given | inputs)


def runner(made: Site, **inputs: str) -> Runner:
    """Make a runner with the variables and the secret that the environment of the system has."""
    given = dict(made.gateway("alpha").variables) if made.sandboxes else {}
    variables = read_workflow(OURS)["jobs"]["run"]["env"].values()
    # A sandbox accepts a key, too, but a site has one or the other.
    given.pop("FIRECREST_API_KEY", None)
    names = [found for value in variables for found in re.findall(r"(?:secrets|vars)\.(\w+)", value)]
    scoped = {
        f"{'secrets' if name.endswith(('SECRET', 'KEY')) else 'vars'}.{name}": given.get(name, "")
        for name in names
    }
    place = made.directory.parent / "github"
    (place / "runs").mkdir(parents=True)
    (place / "bin").mkdir()
    (place / "bin/gh").write_text(GH)
    (place / "bin/gh").chmod(0o755)
    own = environment(made.directory.parent)
    own |= {"RUNS": str(place / "runs"), "PATH": f"{place}/bin:{own['PATH']}"}
    own |= {"GITHUB_WORKFLOW_REF": "hpc/site/.github/workflows/reframe.yml@refs/heads/main"}
    return Runner(read_workflow(OURS), made.directory, place, own, EXPRESSIONS | scoped | called(**inputs))


@pytest.mark.parametrize("file", [OURS, CALLER], ids=["reusable", "caller"])
def test_it_fits_githubs_schema(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"sytem": "alpha"}, "unknown inputs: sytem"),
        ({"max_retries": "two"}, "the input max_retries is no number"),
        ({"refresh_modules": "true"}, "the input refresh_modules is no boolean"),
    ],
)
def test_a_wrong_input_is_refused(given: dict[str, Any], reason: str) -> None:
    """GitHub refuses it by the types; this checks that each input declares one."""
    with pytest.raises((TypeError, ValueError), match=reason):
        called(**given)
    with pytest.raises(ValueError, match="the input package is missing"):
        inputs_of(read_workflow(OURS), {})


def test_the_caller_passes_on_all_that_a_person_can_set() -> None:
    caller = read_workflow(CALLER)
    passed = caller["jobs"]["reframe"]["with"]
    assert set(caller["on"]["workflow_dispatch"]["inputs"]) <= set(passed)
    assert caller["jobs"]["reframe"]["secrets"] == "inherit"
    assert caller["permissions"] == read_workflow(OURS)["permissions"]
    assert caller["jobs"]["reframe"]["uses"].partition("@")[0].endswith(str(OURS.relative_to(PROJECT)))


def test_every_input_is_described_and_used() -> None:
    text = OURS.read_text()
    for name, one in read_workflow(OURS)["on"]["workflow_call"]["inputs"].items():
        assert one["description"].endswith("."), name
        assert re.search(rf"\$\{{\{{ inputs\.{name} \}}\}}", text), name


def test_no_command_is_made_of_what_others_wrote() -> None:
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
        assert "### All 1 test passed" in outcome.summary
        assert "::error" not in outcome.log

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
        assert outcome.ran[-6:-2] == SWEEPING
        assert left_on(here.gateway("alpha"), NAMESPACE) == set()
        page = ready.place / "artifacts/reframe-alpha/report.html"
        assert killed[0] in page.read_text()

    def test_runs_at_the_same_time_and_failures_are_in_the_history(self, here: Site, ready: Runner) -> None:
        """Two runs that know nothing of each other, and one after both."""

        def run(number: int, tags: str) -> Outcome:
            outcome = replace(ready, expressions={**ready.expressions, "inputs.tags": tags}).run("run")
            shutil.rmtree(ready.place / "workspace-run")
            (ready.place / f"done/{number}").mkdir(parents=True)
            (ready.place / "artifacts/reframe-history-alpha").rename(
                ready.place / f"done/{number}/reframe-history-alpha"
            )
            return outcome

        run(1, "quick|broken")
        run(2, "broken")
        (ready.place / "done/3").mkdir()
        (ready.place / "runs").rmdir()
        (ready.place / "done").rename(ready.place / "runs")
        outcome = run(4, "broken")

        assert outcome.failed == "Run"
        assert "run 3 has no history" in outcome.log
        history = ready.place / "done/4/reframe-history-alpha/results.db"
        assert len(list(newest_sessions(history, 10))) == 3
        [error] = re.findall(r"^::error.*", outcome.log, re.MULTILINE)
        assert error.startswith("::error title=Broken @alpha%3Acompute+builtin::sanity: ")
        assert "### 1 of 1 test failed" in outcome.summary
        assert "in 3 consecutive runs" in outcome.summary
        assert "[Report with timeline, outputs and history](https://github.example.org/" in outcome.summary
        assert left_on(here.gateway("alpha"), NAMESPACE) == set()


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
        setup = runner(made, reframe_package="packaging", package="packaging")
        outcome = replace(setup, environment={**setup.environment, "GITHUB_EVENT_NAME": "pull_request"}).run(
            "setup"
        )
        assert outcome.failed is None, outcome.log
        chosen = (setup.place / "artifacts/reframe-setup/checks.txt").read_text().split()
        assert chosen == ["checks/deep", "checks/quick.py"]
