"""What docs/pipelines.md says of the pipelines."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.conftest import PROJECT

PAGE = (PROJECT / "docs/pipelines.md").read_text()
GITLAB = PROJECT / "ci/.gitlab-ci.yml"


def defaults(path: Path) -> dict[str, str]:
    """Read the variables of a pipeline for GitLab."""
    yaml = YAML()
    content: dict[str, Any] = yaml.load(path)
    return {
        name: str(given["value"] if isinstance(given, dict) else given)
        for name, given in content["variables"].items()
    }


def test_all_variables_are_in_the_table_with_their_defaults() -> None:
    rows = re.findall(r"^\| (`REFRAME_.*?) \| (.*?) \|", PAGE, re.MULTILINE)
    told = {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    # A value stands in backticks; words say what an empty one means.
    values = {name: default.strip("`") if "`" in default else "" for name, default in told.items()}
    assert values == defaults(GITLAB)


def test_the_workflow_for_github_has_the_same_variables() -> None:
    env = set(YAML(typ="safe").load(PROJECT / "ci/github-workflow.yml")["env"]) - {"SYSTEMS"}
    assert env == set(defaults(GITLAB)) - {"REFRAME_SPLIT", "REFRAME_IMAGE"}


def test_the_example_is_a_pipeline(tmp_path: Path) -> None:
    [example] = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    file = tmp_path / "example.yml"
    file.write_text(example)
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert set(defaults(file)) <= set(defaults(GITLAB))
