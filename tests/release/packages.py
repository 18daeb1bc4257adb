"""Build what would be published, and use it where there is nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest._version import __version__
from tests.conftest import PROJECT

BIN = Path(sys.executable).parent


class ReleaseError(Exception):
    """A check of the release failed."""


@dataclass(frozen=True)
class Installation:
    """A form in which users install the package.

    Attributes:
        form: its name.
        arguments: of `pip install`.
        demo: the demo is run, too.
    """

    form: str
    arguments: Sequence[str]
    demo: bool


def run(*command: str | Path, cwd: Path = PROJECT, **variables: str) -> str:
    """Run a command; return what it printed.

    Raises:
        ReleaseError: it failed.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def build(target: Path) -> tuple[Path, Path]:
    """Build the wheel and the source distribution; check their descriptions."""
    # The build tool calls uv, which is beside this Python.
    path = f"{BIN}:{os.environ['PATH']}"
    run(sys.executable, "-m", "build", "--installer", "uv", "--outdir", target, ".", PATH=path)
    [wheel], [source] = target.glob("*.whl"), target.glob("*.tar.gz")
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, source)
    return wheel, source


def untracked(source: Path, tracked: set[str]) -> list[str]:
    """Return the files of a source distribution that git does not track."""
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames() if not archive.getmember(name).isdir()}
    return sorted(names - tracked - {"PKG-INFO"})


def demo(binaries: Path) -> str:
    """Run the demo of an installed package, with nothing of this clone at hand; return its summary."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{binaries}:{os.environ['PATH']}"
        printed = run(
            binaries / "reframe-firecrest",
            "demo",
            cwd=Path(directory),
            HOME=directory,
            PATH=path,
            PYTHONPATH="",
        )
    [line] = [line for line in printed.splitlines() if "Ran " in line and "test case" in line]
    return line.strip()


def installations(wheel: Path, source: Path, clone: Path | None, *, published: bool) -> list[Installation]:
    """Return the forms to try: from files, from a git URL, and by name.

    Args:
        wheel: the wheel.
        source: the source distribution.
        clone: a git repository; None without one.
        published: the package index has this version; otherwise the wheel's directory is searched for it.
    """
    index = [] if published else ["--find-links", str(wheel.parent)]
    forms = [
        Installation(wheel.name, [f"{wheel}[sandbox]"], demo=True),
        Installation(source.name, [f"{source}[sandbox]"], demo=True),
        Installation("by name", [*index, f"reframe-firecrest[sandbox]=={__version__}"], demo=False),
    ]
    if clone is not None:
        commit = run("git", "-C", clone, "rev-parse", "HEAD").strip()
        url = f"reframe-firecrest[sandbox] @ git+{clone.as_uri()}@{commit}"
        forms.append(Installation("from a git URL", [url], demo=False))
    return forms


def try_installation(installation: Installation, directory: Path) -> str:
    """Install in an empty environment; return a line about it.

    Raises:
        ReleaseError: it can't be installed, reports another version, or its demo fails.
    """
    venv = directory / f"venv-{installation.form.replace(' ', '-')}"
    run(BIN / "uv", "venv", "-q", "--python", sys.executable, venv)
    run(BIN / "uv", "pip", "install", "-q", "--python", venv / "bin/python", *installation.arguments)
    version = run(venv / "bin/reframe-firecrest", "--version").strip()
    if version != __version__:
        raise ReleaseError(f"{installation.form}: version {version} instead of {__version__}")
    return f"{installation.form}: {version}" + (f"  {demo(venv / 'bin')}" if installation.demo else "")


def try_all(forms: Sequence[Installation], directory: Path, notify: Callable[[str], None]) -> None:
    """Try all installations, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        for line in pool.map(lambda form: try_installation(form, directory), forms):
            notify(line)
