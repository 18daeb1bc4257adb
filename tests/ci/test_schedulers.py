"""The examples for Airflow and Jenkins: their commands are executed as they stand in the documentation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.ci.runs import left_on, verdicts
from tests.ci.sites import Site, environment, site
from tests.conftest import PROJECT

PAGE = PROJECT / "docs/schedulers.md"
VERDICTS = [("quick", {"Quick": "passed"}), ("broken", {"Broken": "failed"})]


def block(language: str) -> str:
    """Return the only code block in a language."""
    [found] = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "site", ["alpha"]) as made:
        yield made


def of_the_site(text: str, made: Site) -> str:
    """Replace what a user replaces, and where the page expects things to be."""
    variables = made.gateway("alpha").variables
    replaced = {
        "/opt/reframe/venv/bin": str(Path(sys.executable).parent),
        "/opt/reframe/site/config/mycluster.py": str(made.directory / "settings.py"),
        "config/mycluster.py": "settings.py",
        "/opt/reframe/site": str(made.directory),
        "/var/lib/reframe": str(made.directory.parent / "kept"),
        "https://firecrest.example.org/v2": variables["FIRECREST_URL"],
        "https://idp.example.org/realms/hpc/protocol/openid-connect/token": variables["AUTH_TOKEN_URL"],
        "my-client": variables["FIRECREST_CLIENT_ID"],
        "mycluster": "alpha",
        "/scratch/me": variables["FIRECREST_BASEDIR"],
    }
    for example, real in replaced.items():
        text = text.replace(example, real)
    return text


def shell(command: list[str], made: Site, directory: Path, variables: Mapping[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=directory,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )
    assert not any(secret in done.stdout for secret in made.secrets())
    return done.returncode, done.stdout


class TestJenkins:
    @pytest.mark.pipelines
    def test_it_is_groovy(self) -> None:
        from groovy_parser.parser import parse_groovy_content  # noqa: PLC0415 - takes seconds

        assert parse_groovy_content(block("groovy"))

    def test_it_has_the_sections_of_a_declarative_pipeline(self) -> None:
        sections = re.findall(r"^    (\w+)", block("groovy"), re.MULTILINE)
        assert sections == ["agent", "triggers", "options", "parameters", "environment", "stages", "post"]

    @pytest.mark.e2e
    @pytest.mark.parametrize(
        ("tags", "verdict"), [("quick", {"Quick": "passed"}), ("broken", {"Broken": "failed"})]
    )
    def test_its_commands_run_and_leave_nothing(
        self, here: Site, tmp_path: Path, tags: str, verdict: Mapping[str, str]
    ) -> None:
        text = of_the_site(block("groovy"), here)
        workspace = tmp_path / "workspace"
        workspace.mkdir()
        parameters = dict(re.findall(r"string\(name: '(\w+)', defaultValue: '(\w+)'", text))
        variables = {
            **environment(tmp_path),
            **parameters,
            **dict(re.findall(r"^ +(\w+) = '(.*)'$", text, re.MULTILINE)),
            "FIRECREST_CLIENT_SECRET": here.secrets()[0],
            "TAGS": tags,
        }
        # As Groovy reads it, a backslash at a line's end joins two lines.
        steps = [step.replace("\\\n", "") for step in re.findall(r"sh '''(.*?)'''", text, re.DOTALL)]
        codes = [shell(["sh", "-xe", "-c", step], here, workspace, variables)[0] for step in steps]

        assert codes == [int("failed" in verdict.values()), 0, 0]
        assert verdicts(workspace / "results") == verdict
        assert "<html" in (workspace / "results/report.html").read_text()
        assert left_on(here.gateway("alpha"), "reframe-jenkins") == set()


@dataclass
class Task:
    """Stand in for Airflow's BashOperator."""

    options: Mapping[str, Any]
    teardown: bool = False

    def as_teardown(self) -> Task:
        self.teardown = True
        return self

    def __rshift__(self, other: Task) -> Task:
        return other


def tasks_of(text: str, monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """Import the DAG, with the two names that it takes from Airflow."""
    tasks: list[Task] = []

    class DAG:
        def __init__(self, name: str, **options: Any) -> None:
            assert options["max_active_runs"] == 1

        def __enter__(self) -> None: ...

        def __exit__(self, *error: object) -> None: ...

    def operator(**options: Any) -> Task:
        tasks.append(Task(options))
        return tasks[-1]

    for name, content in (
        ("airflow.sdk", {"DAG": DAG}),
        (
            "airflow.providers.standard.operators.bash",
            {"BashOperator": operator},
        ),
    ):
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    exec(compile(text, "reframe.py", "exec"), {})
    return tasks


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("tags", "verdict"), [("quick", {"Quick": "passed"}), ("broken", {"Broken": "failed"})]
)
def test_the_commands_of_the_dag_run_and_leave_nothing(
    here: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tags: str, verdict: Mapping[str, str]
) -> None:
    run, *after = tasks_of(of_the_site(block("python"), here), monkeypatch)
    assert [task.options["task_id"] for task in after if task.teardown] == ["page", "sweep"]
    meanings = {
        "conn.firecrest.password": here.secrets()[0],
        "params.system": "alpha",
        "params.tags": tags,
        "ts_nodash": "20260131T020000",
    }
    codes = []
    for task in (run, *after):
        variables = {
            name: re.sub(r"{{ (.*?) }}", lambda found: meanings[found[1]], value)
            for name, value in task.options["env"].items()
        }
        directory = Path(task.options.get("cwd", tmp_path))
        codes.append(shell(["bash", "-c", task.options["bash_command"]], here, directory, variables)[0])

    assert codes == [int("failed" in verdict.values()), 0, 0]
    results = tmp_path / "kept/20260131T020000"
    assert verdicts(results) == verdict
    assert "<html" in (results / "report.html").read_text()
    assert left_on(here.gateway("alpha"), "reframe-airflow") == set()


@pytest.mark.pipelines
@pytest.mark.skipif("AIRFLOW_PYTHON" not in os.environ, reason="AIRFLOW_PYTHON names none with Airflow 3")
@pytest.mark.parametrize(("tags", "state"), [("quick", "success"), ("broken", "failed")])
def test_airflow_itself_runs_the_dag(here: Site, tmp_path: Path, tags: str, state: str) -> None:
    text = of_the_site(block("python"), here)
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/reframe.py").write_text(text)
    variables = {
        **environment(tmp_path),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW_CONN_FIRECREST": json.dumps({"conn_type": "generic", "password": here.secrets()[0]}),
    }
    airflow = [os.environ["AIRFLOW_PYTHON"], "-m", "airflow"]
    for command in ["db", "migrate"], ["dags", "reserialize"]:
        code, output = shell([*airflow, *command], here, tmp_path, variables)
        assert code == 0, output
    test = [*airflow, "dags", "test", "reframe", "--conf", json.dumps({"tags": tags})]
    code, output = shell(test, here, tmp_path, variables)
    print(output)
    assert f"state={state}" in output, output
    assert left_on(here.gateway("alpha"), "reframe-airflow") == set()
