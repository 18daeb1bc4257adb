"""The pipeline for GitLab, run by gitlab-ci-local."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from reframe_firecrest.commands.results_database import newest_sessions
from reframe_firecrest.journal.reader import session_logs
from tests.ci import component
from tests.ci.runs import family, kill, left_on, places_of, verdicts, wait_until_it_runs
from tests.ci.sites import NAMESPACE, Pipeline, Site, needs_tools, site
from tests.conftest import PROJECT
from tests.e2e.outside import outside

OURS = PROJECT / "ci/.gitlab-ci.yml"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "site") as made:
        yield made


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[Site]:
    """A site whose systems are out of reach."""
    with site(tmp_path / "site", systems=()) as made:
        yield made


INPUTS = {"package": "reframe-firecrest", "systems": ["alpha", "beta"], "settings": "settings.py"}


def fits_the_schema(file: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", str(file)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_file_to_include_fits_gitlabs_schema() -> None:
    fits_the_schema(OURS)


def test_the_component_fits_gitlabs_schema(tmp_path: Path) -> None:
    file = tmp_path / ".gitlab-ci.yml"
    YAML().dump(component.header(), file)
    fits_the_schema(file)
    file.write_text(component.body(INPUTS))
    fits_the_schema(file)


def test_every_input_is_described_and_used_and_accepts_its_default() -> None:
    text = component.body({name: f"<{name}>" for name in component.inputs()})
    for name, one in component.inputs().items():
        assert one["description"].endswith("."), name
        assert f"<{name}>" in text
        default = one.get("default")
        if "regex" in one and default is not None:
            assert re.search(one["regex"], default), name
        if "options" in one:
            assert default in one["options"]
    assert {name for name, one in component.inputs().items() if "default" not in one} == {
        "package",
        "systems",
    }


def test_the_history_is_cached_for_each_system_and_its_jobs_run_one_at_a_time() -> None:
    run = YAML(typ="safe").load(component.body(INPUTS).replace("!reference", ""))["reframe-run"]
    assert run["cache"] == {
        "key": "reframe-history-$SYSTEM",
        "paths": ["$REFRAME_HISTORY/"],
        "when": "always",
    }
    assert run["resource_group"] == "reframe-$SYSTEM"


def test_nothing_prints_a_secret_or_all_variables() -> None:
    text = component.TEMPLATE.read_text().partition("\n---\n")[2]
    scripts = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for word in ("SECRET", "API_KEY", "set -x", "printenv", "export -p"):
        assert word not in scripts


@needs_tools
@pytest.mark.pipelines
class TestWhichJobsThereAre:
    SETUP, ALPHA, BETA, REPORT = (
        "reframe-setup",
        "reframe-run: [alpha]",
        "reframe-run: [beta]",
        "reframe-report",
    )

    @pytest.mark.parametrize("source", ["schedule", "web"])
    def test_on_a_schedule_and_by_hand_it_runs_everywhere(self, offline: Site, source: str) -> None:
        assert offline.jobs(source) == {self.SETUP, self.ALPHA, self.BETA, self.REPORT}

    def test_by_hand_on_the_chosen_system_only(self, offline: Site) -> None:
        assert offline.jobs("web", REFRAME_SYSTEM="beta") == {self.SETUP, self.BETA, self.REPORT}

    def test_a_child_pipeline_takes_the_place_of_the_run(self, offline: Site) -> None:
        jobs = offline.jobs("web", REFRAME_SYSTEM="beta", REFRAME_SPLIT="true")
        assert jobs == {self.SETUP, "reframe-split", "reframe-children"}

    def test_a_push_runs_nothing(self, offline: Site) -> None:
        assert offline.jobs("push") == set()

    def test_a_merge_request_runs_when_it_changes_checks(self, offline: Site) -> None:
        assert offline.jobs("merge_request_event") == set()
        offline.append("settings.py", "# changed")
        offline.commit("Change the settings")
        assert offline.jobs("merge_request_event") == set()
        offline.append("checks/quick.py", "# changed")
        offline.commit("Change a check")
        assert offline.jobs("merge_request_event") == {self.SETUP, self.ALPHA, self.BETA, self.REPORT}
        assert offline.jobs("merge_request_event", REFRAME_SUITE="elsewhere") == set()


@needs_tools
@pytest.mark.pipelines
class TestComponent:
    def test_it_has_the_jobs_and_stages_of_its_inputs(self, offline: Site) -> None:
        offline.include_component(**INPUTS, job_prefix="nightly", stage_prefix="hpc-")
        jobs = {"nightly-setup", "nightly-run: [alpha]", "nightly-run: [beta]", "nightly-report"}
        assert offline.jobs("web") == jobs
        assert offline.jobs("push") == set()

    def test_its_rules_are_inputs(self, offline: Site) -> None:
        offline.include_component(**INPUTS, sources="push", merge_requests="false")
        assert offline.jobs("web") == set()
        assert "reframe-setup" in offline.jobs("push")
        offline.append("checks/quick.py", "# changed")
        offline.commit("Change a check")
        assert offline.jobs("merge_request_event") == set()

    @pytest.mark.parametrize(
        ("wrong", "reason"),
        [
            ({"package": None}, "`package` input: required value has not been provided"),
            ({"systems": "alpha"}, "`systems` input: provided value is not a array"),
            ({"max_retries": "two"}, "`max_retries` input: provided value is not a number"),
            ({"timeout": "soon"}, "`timeout` input: `soon` does not match required regex"),
            ({"sweep_age": "2"}, "`sweep_age` input: `2` does not match required regex"),
            ({"settings": "/etc/reframe.py"}, "`settings` input: `/etc/reframe.py` does not match"),
            ({"suite": "--upload-pack=x"}, "`suite` input: `--upload-pack=x` does not match"),
            ({"split": "maybe"}, "`maybe` cannot be used because it is not in the list of allowed options"),
            ({"job_prefix": "a b"}, "`job_prefix` input: `a b` does not match required regex"),
        ],
        ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
    )
    def test_a_wrong_input_is_refused(self, offline: Site, wrong: dict[str, object], reason: str) -> None:
        given = {name: value for name, value in {**INPUTS, **wrong}.items() if value is not None}
        offline.include_component(**given)
        done = offline.run("web", "--list")
        assert done.code != 0
        assert reason in done.output


@needs_tools
@pytest.mark.pipelines
class TestPipelines:
    def test_a_scheduled_one_runs_on_all_systems_and_sweeps(self, here: Site) -> None:
        old, young = "20200131-020000-runner-1f3a5c", f"{time.strftime('%Y%m%d-%H%M%S')}-runner-1f3a5c"
        with outside(here.gateway("alpha")) as alpha:
            for run in (old, young):
                alpha.client.mkdir("alpha", f"{alpha.basedir}/{NAMESPACE}/{run}", create_parents=True)

        done = here.run("schedule", REFRAME_MODE="nightly")

        assert done.code == 0, done.output
        for system in here.sandboxes:
            results = here.published(f"results/{system}")
            assert verdicts(results) == {"Quick": "passed"}
            assert "<html" in here.published(f"pages/{system}.html").read_text()
            assert (results / "perflogs" / system / "compute/Quick.log").read_text()
            assert list((results / "journals").iterdir())
            assert "said" in (results / "output" / system / "compute/builtin/Quick/rfm_job.out").read_text()
        assert left_on(here.gateway("alpha"), NAMESPACE) == {young}
        assert left_on(here.gateway("beta"), NAMESPACE) == set()
        assert secrets_shown(here, done) == []

    def test_one_with_a_failing_test_fails_and_has_its_reports(self, here: Site, tmp_path: Path) -> None:
        here.include_component(**INPUTS)
        with site(tmp_path / "suite", systems=()) as suite:
            suite.git("tag", "v1")
            (suite.directory / "checks/sad.py").unlink()
            suite.commit("What comes after the tag is not run")
            done = here.run(
                "web",
                REFRAME_SYSTEM="alpha",
                REFRAME_TAGS="broken",
                REFRAME_SUITE=suite.directory.as_uri(),
                REFRAME_SUITE_REF="v1",
            )

        assert done.code != 0
        results = here.published("results/alpha")
        assert verdicts(results) == {"Broken": "failed"}
        assert len(json.loads((results / "report.json").read_text())["runs"]) == 2, (
            "a failing test is tried again"
        )
        output = results / "stage/alpha/compute/builtin/Broken/rfm_job.out"
        assert output.read_text() == "this is not it\n"
        assert "Broken" in here.published("pages/alpha.html").read_text()
        assert left_on(here.gateway("alpha"), NAMESPACE) == set()
        assert here.sandboxes["beta"].stats().total == 0
        assert secrets_shown(here, done) == []

    def test_what_a_killed_one_leaves_is_swept(self, here: Site) -> None:
        process = here.start("web", REFRAME_SYSTEM="alpha", REFRAME_TAGS="endless")
        session_log = wait_until_it_runs(here.directory / "reframe-run/results/alpha/journals", process)
        with outside(here.gateway("alpha")) as alpha:
            assert alpha.active(session_log.opened.run) != []
            # The outermost shell is gitlab-ci-local's own, which reads the script's exit code.
            kill(family(session_log.opened.pid, process.pid)[:-1])
            done = here.finish(process)
            assert alpha.active(session_log.opened.run) == []

        assert done.code != 0
        assert "137" in done.output
        assert left_on(here.gateway("alpha"), NAMESPACE) == set()
        [kept] = session_logs(here.published("results/alpha") / "journals")
        assert kept.opened.run == session_log.opened.run
        assert session_log.opened.run in here.published("pages/alpha.html").read_text()
        assert secrets_shown(here, done) == []

    def test_a_child_pipeline_has_a_job_for_each_test(self, here: Site) -> None:
        """Four jobs at the same time in one directory, as on a shell runner that isolates nothing."""
        done = here.run(
            "web", concurrency=4, REFRAME_SYSTEM="alpha", REFRAME_SPLIT="true", REFRAME_TAGS="split"
        )
        assert done.code == 0, done.output
        assert "reframe-run/children.yml: 4 jobs" in done.output
        results = [
            here.published(f"results/{name}") for name in ("Apart_0", "Apart_1", "Apart_2", "NeedsAFixture")
        ]
        assert [len(verdicts(one)) for one in results] == [1, 1, 1, 2], "a fixture runs with each test"
        assert {verdict for one in results for verdict in verdicts(one).values()} == {"passed"}
        assert all("<html" in (one / "report.html").read_text() for one in results)
        assert len({log.opened.run for one in results for log in session_logs(one / "journals")}) == 4
        assert left_on(here.gateway("alpha"), NAMESPACE) == set()
        assert secrets_shown(here, done) == []

    def test_three_nights_have_a_history(self, here: Site, tmp_path: Path) -> None:
        """The history is in a common directory: gitlab-ci-local has caches in containers only."""
        here.include_component(**{**INPUTS, "systems": ["alpha"]})
        night = {"REFRAME_TAGS": "quick", "REFRAME_HISTORY": str(tmp_path / "history")}
        night |= {"REFRAME_MAX_RETRIES": "0"}
        assert here.run("schedule", "reframe-setup", **night).code == 0
        for verdict in ("said", "silent", "silent"):
            check = here.directory / "checks/quick.py"
            check.write_text(check.read_text().replace("echo said", f"echo {verdict}") + "# tonight\n")
            here.commit(f"Tonight it is {verdict}")
            done = here.run("schedule", "reframe-run: [alpha]", **night)
            shutil.rmtree(here.directory / "reframe-run/results")
            assert (done.code == 0) == (verdict == "said"), done.output
        page = here.published("results/alpha/report.html").read_text()
        assert "in 2 consecutive runs; it last passed on " in page
        assert len(list(newest_sessions(here.published("results/alpha/results.db"), 10))) == 3
        assert "report: https://" in done.output

    def test_a_merge_request_runs_what_it_changes(self, offline: Site) -> None:
        offline.append("checks/deep/other.py", "# a check")
        offline.append("checks/deep/src/own.sh", "one")
        base = offline.commit("Before")

        def chosen() -> list[str]:
            offline.commit("A change")
            # Packages are not what this is about.
            small = {"REFRAME_PACKAGE": "packaging", "REFRAME_FIRECREST_PACKAGE": "packaging"}
            done = offline.run(
                "merge_request_event", "reframe-setup", CI_MERGE_REQUEST_DIFF_BASE_SHA=base, **small
            )
            assert done.code == 0, done.output
            return (offline.directory / "reframe-run/checks.txt").read_text().split()

        (offline.directory / "checks/sad.py").unlink()
        assert chosen() == []
        offline.append("checks/quick.py", "# changed")
        offline.append("checks/deep/src/own.sh", "two")
        assert chosen() == ["checks/deep", "checks/quick.py"]
        offline.append("checks/src/shared.sh", "new")
        assert chosen() == ["checks", "checks/deep", "checks/quick.py"]

    @pytest.mark.parametrize(
        ("variables", "line"),
        [
            ({"REFRAME_FIRECREST_PACKAGE": ""}, "REFRAME_FIRECREST_PACKAGE is not set"),
            ({"REFRAME_SUITE": "file:///nowhere"}, "REFRAME_SUITE_REF is not set"),
            ({"REFRAME_CHECKS": "cheques"}, "there is no directory cheques"),
            ({"REFRAME_SETTINGS": "sitings.py"}, "there is no file sitings.py"),
        ],
    )
    def test_a_missing_variable_is_named(self, offline: Site, variables: dict[str, str], line: str) -> None:
        done = offline.run("web", "reframe-setup", **variables)
        assert done.code != 0
        assert line in done.output


def secrets_shown(here: Site, done: Pipeline) -> list[str]:
    return places_of(here.secrets(), done.output, here.directory / ".gitlab-ci-local/artifacts")
