"""Versions in the changelog and in documents."""

from __future__ import annotations

import datetime

import pytest

from tests.release.__main__ import problems, texts
from tests.release.documents import Section, changelog_problems, reference_problems, sections

TODAY = datetime.date(2026, 12, 1)

GOOD = """# Changelog

## [Unreleased]

## [0.2.0] - 2026-12-01

### Added

- One.
- Two,
  of two lines.

## [0.1.0] - 2026-11-26

- The first.
"""


def test_sections_have_dates_and_entries() -> None:
    assert sections(GOOD) == [
        Section("Unreleased", None, 0),
        Section("0.2.0", "2026-12-01", 2),
        Section("0.1.0", "2026-11-26", 1),
    ]
    assert list(changelog_problems(GOOD, "0.2.0", TODAY, final=True)) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("## [Unreleased]\n", "", "the first heading is not [Unreleased]"),
        ("0.2.0] - 2026-12-01", "0.1.0] - 2026-11-25", "a version has two headings"),
        ("0.2.0", "0.0.9", "the versions are not in descending order"),
        (" - 2026-11-26", "", "[0.1.0] has no date such as 2026-12-01"),
        ("2026-11-26", "26.11.2026", "[0.1.0] has no date such as 2026-12-01"),
        ("2026-12-01", "2026-12-02", "[0.2.0] is dated 2026-12-02, which is in the future"),
        ("- The first.\n", "", "[0.1.0] has no changes"),
        ("0.1.0", "zero", "[zero] is no version"),
    ],
)
def test_a_wrong_changelog_is_reported(old: str, new: str, problem: str) -> None:
    [*found] = changelog_problems(GOOD.replace(old, new), "0.2.0", TODAY, final=False)
    assert any(one.startswith(problem) for one in found), found


@pytest.mark.parametrize(
    ("changelog", "version", "problem"),
    [
        (GOOD, "0.3.0", "there is no heading [0.3.0] below [Unreleased]"),
        (GOOD.replace("## [0.2.0]", "- More.\n\n## [0.2.0]"), "0.2.0", "[Unreleased] has changes"),
    ],
)
def test_a_version_that_is_tagged_has_its_own_section(changelog: str, version: str, problem: str) -> None:
    assert list(changelog_problems(changelog, version, TODAY, final=False)) == []
    [found] = changelog_problems(changelog, version, TODAY, final=True)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    "line",
    [
        "pip install 'reframe-firecrest @ git+https://git.example.org/hpc/reframe-firecrest@v9.9.9'",
        "    ref: v9.9.9",
        "pip install reframe-firecrest[sandbox]==9.9.9",
        "pip install dist/reframe_firecrest-9.9.9-py3-none-any.whl",
        "uses: hpc/reframe-firecrest/.github/workflows/reframe.yml@v9.9.9",
        "component: git.example.org/hpc/reframe-firecrest/reframe@9.9.9",
    ],
)
def test_a_version_without_a_tag_is_found(line: str) -> None:
    [problem] = reference_problems({"page.md": f"text\n{line}\n"}, {"0.1.0"})
    assert problem == "page.md:2 names version 9.9.9, which has no tag"
    assert list(reference_problems({"page.md": line}, {"9.9.9"})) == []


def test_versions_of_other_packages_are_none_of_ours() -> None:
    assert list(reference_problems({"page.md": "pip install reframe-hpc==4.10.4\nFirecREST 2.5.5"}, ())) == []


def test_our_own_documents_are_right() -> None:
    assert {"README.md", "docs/pipelines.md", "ci/.gitlab-ci.yml", "templates/reframe.yml"} <= set(texts())
    assert list(problems(final=False)) == []
