"""Checks shell commands that are not run: their syntax, and whether what they call has such options."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import PurePath
from typing import Any

import typer

from reframe_firecrest.cli.main import app
from tests.conftest import PROJECT

_SEPARATORS = re.compile(r"^[();<>|&]+$")


def problems(text: str) -> list[str]:
    """Return what is wrong with a block of shell commands."""
    syntax = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    if syntax.returncode:
        return syntax.stderr.splitlines()
    return [problem for command in simple_commands(text) for problem in _problems_of(command)]


def simple_commands(text: str) -> list[list[str]]:
    """Cut a text in its simple commands, without assignments before them."""
    commands: list[list[str]] = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if not _SEPARATORS.match(word):
                words.append(word)
                continue
            if words:
                commands.append(words)
            words = []
    return [trimmed for words in commands if (trimmed := _without_assignments(words))]


def _without_assignments(words: list[str]) -> list[str]:
    rest = list(words)
    while rest and re.match(r"^(\w+=.*|export|if|then|else|do|until|while|!|\{|\})$", rest[0]):
        rest.pop(0)
    return rest


def _problems_of(command: list[str]) -> list[str]:
    program, arguments = PurePath(command[0]).name, command[1:]
    checks = {
        "reframe-firecrest": _problems_of_ours,
        "reframe": _problems_of_reframe,
        "make": _problems_of_make,
        "pip": _problems_of_pip,
    }
    check = checks.get(program)
    return [f"{shlex.join(command)}: {problem}" for problem in check(arguments)] if check else []


def _options(arguments: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in arguments if re.match(r"^--?[a-zA-Z]", word)]


def _problems_of_ours(arguments: list[str]) -> list[str]:
    tree: Any = typer.main.get_command(app)
    if not arguments or arguments[0].startswith("-"):
        known = {name for each in tree.params for name in each.opts} | {"--help"}
        return [f"no option {name}" for name in _options(arguments) if name not in known]
    command = tree.commands.get(arguments[0])
    if command is None:
        return [f"no command {arguments[0]}"]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    mine, inner = arguments[1:end], arguments[end + 1 :]
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}
    wrong = [f"no option {name}" for name in _options(mine) if name not in known]
    return wrong + (_problems_of(inner) if inner else [])


@cache
def _reframes_options() -> frozenset[str]:
    shown = subprocess.run(
        [sys.executable, "-c", "from reframe.frontend.cli import main; main()", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    return frozenset(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", shown.stdout))


def _problems_of_reframe(arguments: list[str]) -> list[str]:
    known = _reframes_options()
    return [f"ReFrame has no option {name}" for name in _options(arguments) if name not in known]


def _problems_of_make(arguments: list[str]) -> list[str]:
    targets = set(re.findall(r"^([\w-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    wanted = [word for word in arguments if "=" not in word and not word.startswith("-")]
    return [f"no target {word}" for word in wanted if word not in targets]


def _problems_of_pip(arguments: list[str]) -> list[str]:
    extras = set(re.findall(r"^(\w+) = \[$", (PROJECT / "pyproject.toml").read_text(), re.MULTILINE))
    wanted = re.findall(r"\w+", " ".join(re.findall(r"\[([\w,]+)\]", " ".join(arguments))))
    return [f"no extra {name}" for name in wanted if name not in extras]
