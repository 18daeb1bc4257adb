"""Verify a release: python -m tests.release. RELEASING.md describes its use."""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from reframe_firecrest._version import __version__
from tests.conftest import PROJECT
from tests.release import documents
from tests.release.packages import ReleaseError, build, demo, installations, run, try_all, untracked

DOCUMENTS = ("*.md", "*.yml", "docs/*.md", "docs/**/*.md", "ci/*", "templates/*", ".github/workflows/*")


def tracked() -> set[str] | None:
    """Return the tracked files; None without a git repository."""
    done = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False)
    return set(done.stdout.splitlines()) if done.returncode == 0 else None


def texts() -> dict[str, str]:
    """Return the documents that users read or copy; the changelog names versions of the past."""
    paths = {path for pattern in DOCUMENTS for path in PROJECT.glob(pattern) if path.is_file()}
    paths.discard(PROJECT / "CHANGELOG.md")
    return {str(path.relative_to(PROJECT)): path.read_text(encoding="utf-8") for path in sorted(paths)}


def tags() -> set[str]:
    """Return the versions that have a tag."""
    return {tag.removeprefix("v") for tag in run("git", "tag", "--list", "v*").split()}


def problems(*, final: bool) -> Iterator[str]:
    """Yield what is wrong with documents and the state of the repository."""
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    today = datetime.datetime.now(tz=datetime.timezone.utc).date()
    for problem in documents.changelog_problems(changelog, __version__, today, final=final):
        yield f"CHANGELOG.md: {problem}"
    if tracked() is None:
        return
    known = tags()
    yield from documents.reference_problems(texts(), {*known, __version__} if final else known)
    if final and __version__ in known:
        yield f"there is a tag v{__version__}; choose another version in reframe_firecrest/_version.py"
    if final and (changed := run("git", "status", "--porcelain").split("\n")[0]):
        yield f"there are changes that are not committed: {changed}"


def packages(*, published: bool) -> None:
    """Build, inspect and install the packages.

    Raises:
        ReleaseError: one of them can't be used.
    """
    files = tracked()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        wheel, source = build(directory)
        if files is not None and (surplus := untracked(source, files)):
            raise ReleaseError(f"in {source.name}, but not tracked: {', '.join(surplus)}")
        clone = None
        if files is not None:
            clone = directory / "clone.git"
            run("git", "clone", "--quiet", "--bare", PROJECT, clone)
        try_all(installations(wheel, source, clone, published=published), directory, print)


def main() -> int:
    """Verify; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.release", description=__doc__)
    parser.add_argument("--final", action="store_true", help="the version is about to be tagged")
    parser.add_argument("--published", action="store_true", help="install it by name from the package index")
    parser.add_argument("--no-docs", action="store_true", help="the site has been built already")
    parser.add_argument("--demo", type=Path, metavar="BIN", help="only run the demo of this directory")
    options = parser.parse_args()
    try:
        if options.demo:
            print(demo(options.demo.absolute()))
            return 0
        found = list(problems(final=options.final))
        for problem in found:
            print(problem, file=sys.stderr)
        if not options.no_docs:
            print(run("make", "docs").strip())
        packages(published=options.published)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
