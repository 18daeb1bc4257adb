"""Statements of docs/pipelines.md about the pipelines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ci import component
from tests.ci.workflow import read_workflow
from tests.conftest import PROJECT

PAGE = (PROJECT / "docs/pipelines.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
ONLY_GITLAB = {"job_timeout", "history", "split", "image", "child_tags", "stage_prefix", "job_prefix"}
ONLY_GITLAB |= {"sources", "merge_requests"}
ONLY_GITHUB = {"system", "runner"}


def rows() -> dict[str, tuple[str, str]]:
    """Return variable and default of each input that the table names."""
    found = re.findall(r"^\| `(\w+)` \| (?:`(\w+)`)? ?\| (.*?) \| .* \|$", PAGE, re.MULTILINE)
    return {name: (variable, default.replace("\\|", "|").strip("`")) for name, variable, default in found}


def test_all_inputs_are_in_the_table_with_their_variables_and_defaults() -> None:
    variables = {name: variable for variable, name in component.variables().items()}
    assert set(rows()) == set(component.inputs())
    for name, (variable, default) in rows().items():
        assert variable == variables.get(name, ""), name
        given = component.inputs()[name].get("default", "must be set")
        # Words describe an empty default.
        assert default == (given if isinstance(given, str) else json.dumps(given)) or given == "", name


def test_the_workflow_for_github_has_the_same_inputs() -> None:
    ours = read_workflow(PROJECT / ".github/workflows/reframe.yml")["on"]["workflow_call"]["inputs"]
    assert set(ours) - ONLY_GITHUB == set(component.inputs()) - ONLY_GITLAB
    for name in set(ours) - ONLY_GITHUB - {"timeout", "systems", "refresh_modules"}:
        assert ours[name].get("default") == component.inputs()[name].get("default"), name


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_is_a_pipeline(example: str, tmp_path: Path) -> None:
    file = tmp_path / "example.yml"
    file.write_text(example)
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_examples_use_inputs_and_variables_that_exist() -> None:
    text = "".join(EXAMPLES)
    assert set(re.findall(r"^      (\w+): ", text, re.MULTILINE)) <= set(component.inputs())
    assert set(re.findall(r"REFRAME_\w+", text)) <= set(component.variables())
