"""Write the reference pages from the code: settings, environment variables, commands, exit codes.

python docs/_reference.py           writes docs/reference/*.md
python docs/_reference.py --check   says which of them are not what would be written, and fails
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import annotated_types
import docstring_parser
import typer
from pydantic import BaseModel, ByteSize
from pydantic.fields import FieldInfo

from reframe_firecrest.cli.exit_codes import EXITS, Exit
from reframe_firecrest.cli.main import app
from reframe_firecrest.settings import OPTIONS
from reframe_firecrest.settings.credentials import METHODS
from reframe_firecrest.settings.deprecated import RENAMED, RENAMED_VARIABLES
from reframe_firecrest.settings.model import ENVIRONMENT, Settings
from reframe_firecrest.settings.secrets import SECRETS, Secret

DIRECTORY = Path(__file__).resolve().parent / "reference"

NOTE = "<!-- Written by docs/_reference.py from the code: change it there, then `make docs`. -->\n"

NOT_SAID = "-"

KEY_COLUMNS = ("key", "environment variable", "values", "default", "meaning")

LOOKED_FOR = f"""\
Each setting is read from `sched_options['{OPTIONS}']` of the partition, then of the system, then from the
environment; the first value found is used. Partitions of one run may use different systems and gateways.
Relative paths of local files start at the directory in which you started ReFrame.
"""

FOR_FORMER_NAMES = """\
These keep working; a warning names the current name once per run.
"""

FOR_THE_ENVIRONMENT = """\
A setting of a partition or a system takes precedence over its variable. An empty variable counts as not set.
"""

FOR_THE_SANDBOX = """\
If `FIRECREST_CLIENT_ID`, `FIRECREST_CLIENT_SECRET` or `FIRECREST_API_KEY` is set, the sandbox accepts it as
its own credential. It sets all variables that a client needs for the command that it runs.
"""

DEFAULTS = {"auth": "by what is given", "journal_dir": "`~/.local/state/reframe-firecrest`"}
"""Defaults that the code works out when it runs."""

OTHERS = {
    "XDG_STATE_HOME": "its directory `reframe-firecrest` holds the journals, instead of `~/.local/state`",
    "COLUMNS": "how wide tables are where there is no terminal that has a width",
}
"""Variables that are not settings."""


@dataclass(frozen=True)
class Command:
    """A subcommand, as its help tells it.

    Attributes:
        name: behind `reframe-firecrest`.
        help: its docstring.
        parameters: of the command line.
        exit_codes: what each means.
    """

    name: str
    help: str
    parameters: Sequence[Parameter]
    exit_codes: Mapping[Exit, str]

    @property
    def usage(self) -> str:
        """The command line, with options left out."""
        words = [parameter.names[0] for parameter in self.parameters if parameter.argument]
        return " ".join(["reframe-firecrest", self.name, "[OPTIONS]", *(f"[{word}]" for word in words)])


@dataclass(frozen=True)
class Parameter:
    """An option or an argument.

    Attributes:
        names: all spellings.
        value: how its value is called, empty for a flag.
        meaning: its help.
        default: empty if there is none worth telling.
        argument: it stands by its place.
    """

    names: Sequence[str]
    value: str
    meaning: str
    default: str
    argument: bool


def commands() -> list[Command]:
    """Read the tree of commands."""
    functions = {_name(info): info.callback for info in app.registered_commands if info.callback}
    # Which class of click's this is depends on the version of typer.
    tree: Any = typer.main.get_command(app)
    return [_command(name, tree.commands[name], functions[name]) for name in sorted(tree.commands)]


def _name(info: Any) -> str:
    return info.name or str(info.callback.__name__).replace("_", "-")


def _command(name: str, command: Any, function: Callable[..., Any]) -> Command:
    types = get_type_hints(function)
    parameters = [
        _parameter(each, types[each.name]) for each in command.params if not getattr(each, "hidden", False)
    ]
    return Command(name, inspect.cleandoc(command.help or ""), parameters, EXITS[name])


def _parameter(each: Any, kind: Any) -> Parameter:
    argument = not each.opts[0].startswith("-")
    value = "" if argument or each.is_flag else each.metavar or _kind(kind)
    default = "" if each.default is None or isinstance(each.default, bool) else f"`{each.default}`"
    names = [each.metavar or each.name.upper()] if argument else [*each.opts, *each.secondary_opts]
    return Parameter(names, value, each.help or "", default, argument)


def _kind(kind: Any) -> str:
    text = str(kind)
    return "PATH" if "Path" in text else "NUMBER" if "float" in text or "int" in text else "TEXT"


def fields_of(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo, str]]:
    """Give each field of a model with what the model's docstring says of it."""
    said = {
        each.arg_name: " ".join((each.description or "").split())
        for each in docstring_parser.parse(model.__doc__ or "").params
    }
    for name, field in model.model_fields.items():
        yield name, field, said[name]


def settings_page() -> str:
    """Tell every key of the settings."""
    general = [_setting(*each) for each in fields_of(Settings) if each[0] != "credentials"]
    ways = [[f"`{name}`", _first_line(model), _needs(model)] for name, model in METHODS.items()]
    return "\n".join(
        [
            "# Settings\n",
            NOTE,
            LOOKED_FOR,
            *_table(KEY_COLUMNS, general),
            "## Authentication\n",
            *_table(["`auth`", "what it is", "what it needs"], ways),
            *_table(KEY_COLUMNS, _authentication()),
            "## Former names\n",
            FOR_FORMER_NAMES,
            *_table(["former name", "current name"], _former(RENAMED)),
        ]
    )


def _former(renamed: Mapping[str, str]) -> list[list[str]]:
    return [[f"`{old}`", f"`{new}`"] for old, new in sorted(renamed.items())]


def _setting(name: str, field: FieldInfo, said: str) -> list[str]:
    variable = f"`{ENVIRONMENT[name]}`" if name in ENVIRONMENT else NOT_SAID
    return [f"`{name}`", variable, _values(field), _default(name, field), said]


def _values(field: FieldInfo) -> str:
    bounds = [str(bound) for rule in field.metadata for bound in _bounds(rule)]
    return " ".join(bounds) or NOT_SAID


def _bounds(rule: object) -> Iterator[str]:
    if isinstance(rule, annotated_types.Ge):
        yield f"≥ {rule.ge}"
    if isinstance(rule, annotated_types.Le):
        yield f"≤ {rule.le}"


def _default(name: str, field: FieldInfo) -> str:
    if name in DEFAULTS:
        return DEFAULTS[name]
    if field.is_required():
        return "must be set"
    if field.default is None or field.default in ({}, ()):
        return "none"
    if isinstance(field.default, ByteSize):
        return f"`{field.default.human_readable(decimal=True)}`"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{value}`"


def _first_line(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or "").splitlines()[0]


def _needs(model: type[BaseModel]) -> str:
    needed = [name for name, field in model.model_fields.items() if field.is_required()]
    return ", ".join(SECRETS[name].what if name in SECRETS else f"`{name}`" for name in needed)


def _authentication() -> Iterator[list[str]]:
    yield [
        "`auth`",
        f"`{ENVIRONMENT['auth']}`",
        ", ".join(f"`{name}`" for name in METHODS),
        DEFAULTS["auth"],
        "how to authenticate",
    ]
    seen = {"auth"}
    for model in METHODS.values():
        for name, field, said in fields_of(model):
            if name in seen:
                continue
            seen.add(name)
            if name not in SECRETS:
                yield _setting(name, field, said)
                continue
            yield from _secret(SECRETS[name])


def _secret(secret: Secret) -> Iterator[list[str]]:
    by_file = f"`{ENVIRONMENT[secret.by_file]}`"
    yield [NOT_SAID, f"`{secret.variable}`", NOT_SAID, "none", f"{secret.what}; never in a settings file"]
    yield [f"`{secret.by_file}`", by_file, NOT_SAID, "none", "or a file that holds it"]
    yield [f"`{secret.by_env}`", NOT_SAID, NOT_SAID, "none", "or another variable that holds it"]


def environment_page() -> str:
    """Tell every environment variable that is read."""
    keys = {variable: f"the setting [`{key}`](settings.md)" for key, variable in ENVIRONMENT.items()}
    secrets = {each.variable: f"{each.what}; never in a settings file" for each in SECRETS.values()}
    rows = [[f"`{name}`", meaning] for name, meaning in sorted({**keys, **secrets, **OTHERS}.items())]
    return "\n".join(
        [
            "# Environment variables\n",
            NOTE,
            FOR_THE_ENVIRONMENT,
            *_table(["variable", "meaning"], rows),
            FOR_FORMER_NAMES,
            *_table(["former name", "current name"], _former(RENAMED_VARIABLES)),
            FOR_THE_SANDBOX,
        ]
    )


def commands_page() -> str:
    """Tell every subcommand, its options and its exit codes."""
    parts = ["# Commands\n", NOTE, "`reframe-firecrest COMMAND --help` says the same in a terminal.\n"]
    for command in commands():
        parts += [f"## {command.name}\n", f"`{command.usage}`\n", *_prose(command.help)]
        rows = [_option(each) for each in command.parameters if "--help" not in each.names]
        parts += _table(["option", "meaning", "default"], rows) if rows else []
        codes = [[str(code.value), meaning] for code, meaning in command.exit_codes.items()]
        parts += _table(["exit code", "meaning"], codes)
    return "\n".join(parts)


def _option(each: Parameter) -> list[str]:
    spelt = ", ".join(f"`{name}`" for name in each.names)
    return [f"{spelt} `{each.value}`" if each.value else spelt, each.meaning, each.default]


def exit_codes_page() -> str:
    """Tell all exit codes in one table."""
    rows = [
        [
            f"[{command.name}](commands.md#{command.name})",
            *(command.exit_codes.get(code, "") for code in Exit),
        ]
        for command in commands()
    ]
    return "\n".join(
        [
            "# Exit codes\n",
            NOTE,
            "ReFrame's own: 0 when all tests have passed, 1 otherwise. Wrong options are always 2.\n",
            *_table(["command", *(str(code.value) for code in Exit)], rows),
        ]
    )


def _prose(text: str) -> Iterator[str]:
    """Turn a help text into Markdown; what is indented are commands."""
    for paragraph in re.split(r"\n\s*\n", text):
        if paragraph.startswith("    "):
            yield f"```bash\n{textwrap.dedent(paragraph)}\n```\n"
        else:
            yield paragraph + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    return [line(head), f"|{'---|' * len(head)}", *map(line, rows), ""]


PAGES = {
    "settings.md": settings_page,
    "environment.md": environment_page,
    "commands.md": commands_page,
    "exit-codes.md": exit_codes_page,
}


def main(*, check: bool) -> list[str]:
    """Write the pages, or only tell which of them are not what would be written."""
    stale = []
    for name, page in PAGES.items():
        path, text = DIRECTORY / name, page()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, encoding="utf-8")
    return stale


if __name__ == "__main__":
    checking = "--check" in sys.argv[1:]
    for stale_page in main(check=checking):
        print("not up to date:" if checking else "written:", f"docs/reference/{stale_page}")
    sys.exit(checking and bool(main(check=True)))
