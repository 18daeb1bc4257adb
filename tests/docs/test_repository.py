"""The site links to the repository from which it is built, if its address is known."""

from __future__ import annotations

import pytest

from docs import conf

GITLAB = {"CI_PROJECT_URL": "https://git.example.org/hpc/reframe-firecrest"}
GITHUB = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "hpc/reframe-firecrest"}


@pytest.mark.parametrize(
    ("environment", "remote", "url"),
    [
        (GITLAB, "git@other.example.org:hpc/x.git", "https://git.example.org/hpc/reframe-firecrest"),
        (GITHUB, "", "https://github.com/hpc/reframe-firecrest"),
        (
            {},
            "https://git.example.org/hpc/reframe-firecrest.git",
            "https://git.example.org/hpc/reframe-firecrest",
        ),
        ({}, "https://me:secret@git.example.org:8443/hpc/x.git/", "https://git.example.org:8443/hpc/x"),
        ({}, "git@git.example.org:hpc/x.git", ""),
        ({}, "http://git.example.org/hpc/x.git", ""),
        ({}, "/srv/git/x.git", ""),
        ({}, "", ""),
        ({"GITHUB_SERVER_URL": "https://github.com"}, "", ""),
    ],
)
def test_the_address_of_the_repository(environment: dict[str, str], remote: str, url: str) -> None:
    assert conf.repository_url(environment, remote) == url


@pytest.mark.parametrize(
    ("environment", "remote", "view"),
    [
        (GITLAB, "", "https://git.example.org/hpc/reframe-firecrest/-/blob/main/{filename}"),
        (GITHUB, "", "https://github.com/hpc/reframe-firecrest/blob/main/{filename}"),
        ({}, "https://github.com/hpc/x.git", "https://github.com/hpc/x/blob/main/{filename}"),
        ({}, "https://gitlab.example.org/hpc/x", "https://gitlab.example.org/hpc/x/-/blob/main/{filename}"),
        ({}, "https://git.example.org/hpc/x", None),
        ({}, "", None),
    ],
)
def test_links_to_a_pages_source(environment: dict[str, str], remote: str, view: str | None) -> None:
    options = conf.theme_options(environment, remote)
    assert options.get("source_view_link") == view
    assert options.get("source_edit_link") == (view and view.replace("/blob/", "/edit/"))
    assert ("footer_icons" in options) == bool(environment or remote)
