"""Names in the documentation exist: files of the project, environment variables and settings."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from reframe_firecrest.settings.credentials import METHODS
from reframe_firecrest.settings.deprecated import RENAMED
from reframe_firecrest.settings.model import Settings
from reframe_firecrest.settings.secrets import SECRETS
from tests.conftest import PROJECT
from tests.docs import pages

FILE = re.compile(
    r"`((?:bench|checks|ci|config|docs|firecrest_sandbox|reframe_firecrest|templates|tests)/[\w./-]*[\w/])`"
)
VARIABLE = re.compile(r"\b(?:FIRECREST|SANDBOX)_[A-Z][A-Z_]*[A-Z]\b")
SETTING = re.compile(r"\bsettings? (?:\[)?`(\w+)`")

TEST = re.compile(r"`(?:tests/)?([\w/]+\.py::test_\w+)…?`")
"""A test, or the beginning of its name; its path may begin below tests/."""

# Keys of ReFrame's own configuration that pages call settings.
REFRAME_SETTINGS = {"resolve_module_conflicts", "use_login_shell", "modules_system", "max_jobs"}

ELSEWHERE = {"config/utilities/firecrest_slurm.py"}
"""Files of other projects."""

SETTINGS = {
    *Settings.model_fields,
    *RENAMED,
    *SECRETS,
    *(name for model in METHODS.values() for name in model.model_fields),
    *(name for secret in SECRETS.values() for name in (secret.by_file, secret.by_env)),
    *REFRAME_SETTINGS,
}


def found(pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Yield the page and each match in its text."""
    for page in pages.names():
        text = (PROJECT / page).read_text(encoding="utf-8")
        for match in pattern.finditer(text):
            yield page, match.group(1) if pattern.groups else match.group(0)


@pytest.fixture(scope="module")
def variables() -> set[str]:
    """Variables that the code, the checks of the project and the pipelines use."""
    sources = [
        path
        for folder in ("reframe_firecrest", "firecrest_sandbox", "tests", "ci", "templates", "bench", "docs")
        for pattern in ("**/*.py", "**/*.yml", "**/*.sh", "**/.*.yml")
        for path in (PROJECT / folder).glob(pattern)
    ]
    sources += [PROJECT / "Makefile", *PROJECT.glob("ci/.gitlab-ci.yml")]
    return {name for path in sources for name in VARIABLE.findall(path.read_text(encoding="utf-8"))}


def test_every_file_that_a_page_names_exists() -> None:
    missing = [
        (page, name) for page, name in found(FILE) if name not in ELSEWHERE and not (PROJECT / name).exists()
    ]
    assert missing == []


def test_every_test_that_a_page_names_exists() -> None:
    named = dict.fromkeys(test for _, test in found(TEST))
    assert named
    missing = []
    for test in named:
        path, name = test.split("::")
        file = PROJECT / "tests" / path
        if not file.exists() or f"def {name}" not in file.read_text(encoding="utf-8"):
            missing.append(test)
    assert missing == []


def test_every_variable_that_a_page_names_is_read(variables: set[str]) -> None:
    missing = [(page, name) for page, name in found(VARIABLE) if name not in variables]
    assert missing == []


def test_every_setting_that_a_page_names_exists() -> None:
    missing = [(page, name) for page, name in found(SETTING) if name not in SETTINGS]
    assert missing == []
