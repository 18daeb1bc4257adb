"""`make lint` and pre-commit run the same tools."""

from __future__ import annotations

import re

from ruamel.yaml import YAML

from tests.conftest import PROJECT


def recipe(target: str) -> str:
    """Return the commands of a target."""
    [found] = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    return str(found)


def tools() -> set[str]:
    """Return the programs that the hooks of pre-commit call."""
    [repository] = YAML(typ="safe").load(PROJECT / ".pre-commit-config.yaml")["repos"]
    entries = " ".join(hook["entry"] for hook in repository["hooks"])
    return set(re.findall(r"ruff check|ruff format|shellcheck|check-[\w-]+|[\w-]+-fixer", entries))


def test_lint_runs_what_pre_commit_runs() -> None:
    assert len(tools()) == 7
    assert {tool for tool in tools() if f"/{tool}" not in recipe("lint")} == set()
