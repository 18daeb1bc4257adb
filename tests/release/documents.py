"""Statements of the changelog and the documents about versions. Pure functions."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

UNRELEASED = "Unreleased"

_HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<date>\S+))?$", re.MULTILINE)
_VERSION = re.compile(r"\d+\.\d+\.\d+")

_REFERENCES = (
    # A git URL or an action at a tag, and the reference of an include.
    re.compile(r"reframe-firecrest[\w./-]*@v?(?P<version>\d+\.\d+\.\d+)"),
    re.compile(r"\bref: v?(?P<version>\d+\.\d+\.\d+)"),
    re.compile(r"reframe-firecrest(?:\[[\w,]+\])?\s*[=~]=\s*(?P<version>\d+\.\d+\.\d+)"),
    re.compile(r"reframe_firecrest-(?P<version>\d+\.\d+\.\d+)"),
)


@dataclass(frozen=True)
class Section:
    """A version in the changelog.

    Attributes:
        name: the version, or "Unreleased".
        date: day of its release; None for none.
        entries: number of changes.
    """

    name: str
    date: str | None
    entries: int


def sections(changelog: str) -> list[Section]:
    """Return the versions of a changelog in their order."""
    found = list(_HEADING.finditer(changelog))
    ends = [match.start() for match in found[1:]] + [len(changelog)]
    return [
        Section(
            match["name"], match["date"], len(re.findall(r"^- ", changelog[match.end() : end], re.MULTILINE))
        )
        for match, end in zip(found, ends, strict=True)
    ]


def changelog_problems(changelog: str, version: str, today: datetime.date, *, final: bool) -> Iterator[str]:
    """Yield what is wrong with a changelog.

    Args:
        changelog: its text.
        version: version of the package.
        today: the current day.
        final: this version is about to be tagged.
    """
    found = sections(changelog)
    names = [section.name for section in found]
    if names[:1] != [UNRELEASED]:
        yield f"the first heading is not [{UNRELEASED}], which collects further changes"
    if len(set(names)) != len(names):
        yield "a version has two headings"
    released = [section for section in found if section.name != UNRELEASED]
    for section in released:
        yield from _date_problems(section, today)
    numbers = [tuple(map(int, section.name.split("."))) for section in released if _is_version(section)]
    if numbers != sorted(numbers, reverse=True):
        yield "the versions are not in descending order"
    if final and (not released or released[0].name != version):
        yield f"there is no heading [{version}] below [{UNRELEASED}]"
    if final and any(section.entries for section in found if section.name == UNRELEASED):
        yield f"[{UNRELEASED}] has changes; move them to [{version}]"


def _is_version(section: Section) -> bool:
    return _VERSION.fullmatch(section.name) is not None


def _date_problems(section: Section, today: datetime.date) -> Iterator[str]:
    if not _is_version(section):
        yield f"[{section.name}] is no version"
    try:
        day = datetime.date.fromisoformat(section.date or "")
    except ValueError:
        yield f"[{section.name}] has no date such as {today.isoformat()}"
        return
    if day > today:
        yield f"[{section.name}] is dated {section.date}, which is in the future"
    if not section.entries:
        yield f"[{section.name}] has no changes"


def reference_problems(documents: Mapping[str, str], tagged: Collection[str]) -> Iterator[str]:
    """Yield references to versions of this package that have no tag.

    Args:
        documents: texts by their paths.
        tagged: versions with a tag, and the one that is about to get one.
    """
    for path, text in documents.items():
        for number, line in enumerate(text.splitlines(), start=1):
            for pattern in _REFERENCES:
                for match in pattern.finditer(line):
                    if match["version"] not in tagged:
                        yield f"{path}:{number} names version {match['version']}, which has no tag"
