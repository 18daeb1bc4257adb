"""A site's repository, with two systems behind a sandbox each, and its pipelines run by gitlab-ci-local."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from firecrest_sandbox import Sandbox, SandboxConfig
from tests.conftest import PROJECT, GatewayUnderTest

TOOLS = PROJECT / ".pipelines"
COMMAND = TOOLS / "node_modules/.bin/gitlab-ci-local"
NAMESPACE = "reframe-ci-1217"
"""gitlab-ci-local says that every project has this number."""
INCLUDES = ".gitlab-ci-local/includes/git.example.org/hpc/reframe-firecrest/main"
"""Files of another project that gitlab-ci-local has fetched; it fetches no file that is there."""
PATIENCE = 300.0
needs_tools = pytest.mark.skipif(
    not COMMAND.exists(),
    reason=f"no {COMMAND.relative_to(PROJECT)}; make test-pipelines installs it",
)
SYSTEMS = ("alpha", "beta")


@dataclass
class Pipeline:
    """Results of a pipeline.

    Attributes:
        code: gitlab-ci-local's exit code.
        output: all that its jobs wrote.
    """

    code: int
    output: str


@dataclass
class Site:
    """A repository with settings, checks and a pipeline that includes ours.

    Attributes:
        directory: of the repository; also where the jobs run, one after the other.
        sandboxes: one for each system.
        started: all processes.
    """

    directory: Path
    sandboxes: Mapping[str, Sandbox] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def git(self, *arguments: str) -> str:
        """Run git in the repository; returns what it printed."""
        identity = ("-c", "user.name=Site", "-c", "user.email=site@example.org")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.directory, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything that is not ignored; returns the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def append(self, path: str, line: str) -> None:
        """Add a line to a file, which is made if need be."""
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as lines:
            lines.write(f"{line}\n")

    def gateway(self, system: str) -> GatewayUnderTest:
        return GatewayUnderTest(system, self.sandboxes[system].environment())

    def secrets(self) -> list[str]:
        """Return what must be found nowhere."""
        return [self.gateway(system).variables["FIRECREST_CLIENT_SECRET"] for system in self.sandboxes]

    def include_component(self, **inputs: object) -> None:
        """Include the component instead of the file, with these inputs."""
        component = "git.example.org/hpc/reframe-firecrest/reframe@main"
        # JSON is YAML, too.
        content = json.dumps({"include": [{"component": component, "inputs": inputs}]})
        (self.directory / ".gitlab-ci.yml").write_text(content)
        self.commit("Include the component")
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")

    def start(self, source: str, *jobs: str, concurrency: int = 1, **variables: str) -> subprocess.Popen[str]:
        """Start the pipeline, or only some jobs of it, for this cause and with these variables.

        Args:
            source: what GitLab calls the cause.
            jobs: names of jobs, or options of gitlab-ci-local.
            concurrency: number of jobs at the same time.
            variables: of the pipeline.
        """
        given = {
            "CI_PIPELINE_SOURCE": source,
            "REFRAME_FIRECREST_PACKAGE": "reframe-firecrest",
            **variables,
        }
        process = subprocess.Popen(
            [
                *(str(COMMAND), "--force-shell-executor", "--concurrency", str(concurrency)),
                *("--ignore-predefined-vars", "CI_PIPELINE_SOURCE"),
                *(word for name, value in given.items() for word in ("--variable", f"{name}={value}")),
                *jobs,
            ],
            cwd=self.directory,
            env=environment(self.directory.parent),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> Pipeline:
        """Wait for a pipeline's end."""
        output, _ = process.communicate(timeout=PATIENCE)
        print(output)
        return Pipeline(process.returncode, output)

    def run(self, source: str, *jobs: str, **more: Any) -> Pipeline:
        """Run a pipeline to its end; the arguments are those of `start`."""
        return self.finish(self.start(source, *jobs, **more))

    def jobs(self, source: str, **variables: str) -> set[str]:
        """Name the jobs that a pipeline would have."""
        output = self.run(source, "--list-json", **variables).output
        # Warnings stand before the list, and what took how long behind it.
        begin = re.search(r"^\[\]?$", output, re.MULTILINE)
        assert begin, output
        listed, _ = json.JSONDecoder().raw_decode(output, begin.start())
        return {job["name"] for job in listed if job["when"] != "never"}

    def published(self, pattern: str) -> Path:
        """Return the only file or directory that an artifact has at this place."""
        [found] = self.directory.glob(f".gitlab-ci-local/artifacts/*/reframe-run/{pattern}")
        return found

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def environment(home: Path) -> dict[str, str]:
    """Return the variables of a runner: none of ours, and packages from a directory, as from a mirror."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FIRECREST_", "AUTH_TOKEN_URL", "RFM_", "CI", "PYTEST", "COV_", "PIP_"))
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    mirror = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(TOOLS / "wheels")}
    return {**kept, **mirror, "HOME": str(home), "PATH": path}


@contextmanager
def site(directory: Path, systems: Sequence[str] = SYSTEMS) -> Iterator[Site]:
    """Make a site's repository, and start a sandbox for each of its systems."""
    shutil.copytree(PROJECT / "tests/ci/site", directory, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("ci", "templates"):
        shutil.copytree(PROJECT / part, directory / INCLUDES / part)
    (directory / ".gitignore").write_text("/reframe-run/\n/.gitlab-ci-local*\n")
    with ExitStack() as stack:
        sandboxes = {name: stack.enter_context(Sandbox(SandboxConfig(system=name))) for name in systems}
        made = Site(directory, sandboxes)
        stack.callback(made.close)
        made.git("init", "--quiet", "--initial-branch", "main")
        made.git("remote", "add", "origin", str(directory))
        made.git("remote", "add", "gcl-origin", "https://git.example.org/hpc/site.git")
        made.commit("The site")
        made.git("update-ref", "refs/remotes/origin/main", "HEAD")
        write_variables(made)
        yield made


def write_variables(made: Site) -> None:
    """Write the project's variables, each scoped to the environment of its system."""
    scoped: dict[str, dict[str, str]] = {}
    for system in made.sandboxes:
        for name, value in made.gateway(system).variables.items():
            scoped.setdefault(name, {})[system] = value
    written = {name: {"type": "variable", "values": values} for name, values in scoped.items()}
    # JSON is YAML, too.
    (made.directory / ".gitlab-ci-local-variables.yml").write_text(json.dumps(written))
