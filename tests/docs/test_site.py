"""The site is built without a warning, a link that leads nowhere, or anything that has to be fetched."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt

from tests.conftest import PROJECT

FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=["']?(?:https?:)?//"""
    r"""|<link\b[^>]*\brel=["'](?:stylesheet|preload|preconnect|icon)["'][^>]*\bhref=["']?(?:https?:)?//"""
    r"""|url\(["']?(?:https?:)?//|@import\s+["'](?:https?:)?//"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    command = ["-q", "-W", "--keep-going", "-d", str(directory / "doctrees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *command, str(PROJECT / "docs"), str(directory / "html")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return directory / "html"


def test_the_site_is_built_and_nothing_in_it_is_fetched(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.suffix in {".html", ".css", ".svg"}]
    assert site / "index.html" in files
    fetching = [path.name for path in files if FETCHED.search(path.read_text(encoding="utf-8"))]
    assert fetching == []


def test_what_fetches_is_recognised() -> None:
    for text in (
        '<script src="https://cdn.example.org/x.js">',
        '<link rel="stylesheet" href="//cdn.example.org/x.css">',
        "@font-face { src: url(https://fonts.example.org/x) }",
    ):
        assert FETCHED.search(text)
    assert not FETCHED.search('<a href="https://example.org">')


def links(text: str) -> Iterator[str]:
    for token in MarkdownIt("commonmark").parse(text):
        for child in token.children or []:
            target = child.attrs.get("href") or child.attrs.get("src")
            if isinstance(target, str):
                yield unquote(target)


def anchors(page: Path) -> set[str]:
    """Return the names by which hosts of repositories let one link to headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_of_the_pages_at_the_root_lead_somewhere(name: str) -> None:
    for link in links((PROJECT / name).read_text(encoding="utf-8")):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        page = PROJECT / (path or name)
        assert page.exists(), link
        assert not anchor or anchor in anchors(page), link
