"""Executes the jobs of a GitHub workflow, as far as ours needs it.

Steps run in order, by bash as GitHub calls it, in a fresh clone for each job. Expressions are looked up in a
table that the test gives, so one that it does not know is an error. Of the actions, artifacts are copied, the
others are taken as done: the clone is there, and so is Python.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

PATIENCE = 300.0
TYPES = {"string": str, "number": int, "boolean": bool}
DONE = ("actions/checkout", "actions/setup-python", "actions/cache")


@dataclass
class Outcome:
    """Outcome of a job.

    Attributes:
        failed: the first step that failed; None if none did.
        ran: the names of the steps that ran.
        log: what all wrote.
        outputs: what steps wrote to GITHUB_OUTPUT.
        summary: what steps wrote to GITHUB_STEP_SUMMARY.
    """

    failed: str | None = None
    ran: list[str] = field(default_factory=list)
    log: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""


@dataclass
class Runner:
    """A runner for the jobs of one workflow.

    Attributes:
        workflow: its text as data.
        repository: what is cloned.
        place: where clones and artifacts lie.
        environment: of the runner.
        expressions: what each expression means, without the braces; conditions mean "true" or "false".
        meanwhile: called with the process of each step.
    """

    workflow: Mapping[str, Any]
    repository: Path
    place: Path
    environment: Mapping[str, str]
    expressions: Mapping[str, str]
    meanwhile: Callable[[str, subprocess.Popen[str]], None] = lambda name, process: None

    def run(self, name: str) -> Outcome:
        """Run a job."""
        job = self.workflow["jobs"][name]
        workspace = self.place / f"workspace-{name}"
        clone = ["git", "clone", "--quiet", str(self.repository), str(workspace)]
        subprocess.run(clone, check=True)
        variables = {**self.workflow.get("env", {}), **job.get("env", {})}
        outcome = Outcome()
        for step in job["steps"]:
            title = step.get("name") or step["uses"].partition("@")[0]
            if not self._is_due(step, outcome):
                continue
            outcome.ran.append(title)
            if "uses" in step:
                self._use(step["uses"].partition("@")[0], step.get("with", {}), workspace)
            elif not self._execute(step, {**variables, **step.get("env", {})}, workspace, outcome):
                outcome.failed = outcome.failed or title
        return outcome

    def _resolve(self, text: str) -> str:
        return re.sub(r"\$\{\{\s*(.*?)\s*\}\}", lambda found: self.expressions[found[1]], str(text))

    def _is_due(self, step: Mapping[str, Any], outcome: Outcome) -> bool:
        condition = step.get("if", "")
        rest = condition.replace("always()", "").strip(" &")
        in_order = outcome.failed is None or "always()" in condition
        return in_order and (not rest or self.expressions[rest] == "true")

    def _execute(
        self, step: Mapping[str, Any], variables: Mapping[str, str], workspace: Path, outcome: Outcome
    ) -> bool:
        reported, summary = self.place / "github-output", self.place / "github-summary"
        reported.write_text("")
        summary.write_text("")
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=workspace,
            env={
                **self.environment,
                **{name: self._resolve(value) for name, value in variables.items()},
                "GITHUB_OUTPUT": str(reported),
                "GITHUB_STEP_SUMMARY": str(summary),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            self.meanwhile(step["name"], process)
            output, _ = process.communicate(timeout=PATIENCE)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        outcome.log += output
        outcome.summary += summary.read_text()
        for line in reported.read_text().splitlines():
            name, _, value = line.partition("=")
            outcome.outputs[name] = value
        return process.returncode == 0

    def _use(self, action: str, given: Mapping[str, Any], workspace: Path) -> None:
        if action in DONE:
            return
        stored = self.place / "artifacts" / self._resolve(given["name"])
        if action == "actions/download-artifact":
            shutil.copytree(stored, workspace / given["path"], dirs_exist_ok=True)
        elif action == "actions/upload-artifact":
            patterns = given["path"].split()
            # Their least common ancestor becomes the artifact's root.
            root = os.path.commonpath([pattern.rpartition("/")[0] for pattern in patterns])
            for path in (path for pattern in patterns for path in workspace.glob(pattern.rstrip("/"))):
                target = stored / path.relative_to(workspace / root)
                target.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir():
                    shutil.copytree(path, target, dirs_exist_ok=True)
                else:
                    shutil.copy(path, target)
        else:
            raise AssertionError(f"an unexpected action: {action}")


def inputs_of(workflow: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, str]:
    """Return the meaning of the inputs of a reusable workflow that a job calls.

    Raises:
        ValueError: an input is missing or unknown, which GitHub refuses.
        TypeError: an input has another type.
    """
    declared = workflow["on"]["workflow_call"]["inputs"]
    if unknown := set(given) - set(declared):
        raise ValueError(f"unknown inputs: {', '.join(sorted(unknown))}")
    values = {}
    for name, one in declared.items():
        if name not in given and one.get("required"):
            raise ValueError(f"the input {name} is missing")
        value = given.get(name, one.get("default"))
        if not isinstance(value, TYPES[one["type"]]):
            raise TypeError(f"the input {name} is no {one['type']}")
        values[f"inputs.{name}"] = str(value).lower() if isinstance(value, bool) else str(value)
    return values


def read_workflow(path: Path) -> dict[str, Any]:
    """Read a workflow as data."""
    workflow: dict[str, Any] = YAML(typ="safe").load(path)
    return workflow
