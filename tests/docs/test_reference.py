"""The pages that are written from the code are complete and up to date."""

from __future__ import annotations

import ast
import re

import pytest

from docs import _reference as reference
from docs._generated import update
from tests.conftest import PROJECT
from tests.docs.messages import PACKAGE

PARAMETER = "FIRECREST_VERSION"
"""Looks like a variable, and is what a v1 gateway calls one of its parameters."""

VARIABLE = re.compile(r"^(FIRECREST_[A-Z_]+|AUTH_TOKEN_URL|XDG_[A-Z_]+|COLUMNS)$")


def test_the_pages_are_up_to_date() -> None:
    assert update(reference.DIRECTORY, reference.PAGES, check=True) == [], "run: make docs"


def test_every_command_documents_its_exit_codes() -> None:
    assert [command.name for command in reference.commands() if not command.exit_codes] == []


def test_every_option_is_documented() -> None:
    silent = [
        (command.name, *each.names)
        for command in reference.commands()
        for each in command.parameters
        if not each.meaning
    ]
    assert silent == []


def test_every_variable_that_the_code_names_is_on_the_page() -> None:
    page = reference.environment_page()
    named = {
        node.value
        for path in PACKAGE.rglob("*.py")
        # Where the sandbox names some, they are parts of a gateway's answer.
        if "sandbox" not in path.relative_to(PACKAGE).parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.match(node.value)
    }
    assert {name for name in named if f"`{name}`" not in page} == {PARAMETER}


@pytest.mark.parametrize("name", ["sandbox", "report"])
def test_a_page_that_lists_options_lists_all_of_them(name: str) -> None:
    page = (PROJECT / f"docs/{name}.md").read_text(encoding="utf-8")
    (command,) = (command for command in reference.commands() if command.name == name)
    options = {spelt for each in command.parameters if not each.argument for spelt in each.names}
    listed = {
        name
        for row in re.findall(r"^\| (`--.*?) \|", page, re.MULTILINE)
        for name in re.findall(r"--[\w-]+", row)
    }
    assert listed == options
