"""Write the reference pages from the code: settings, environment variables, commands, exit codes.

python -m docs._reference           writes docs/reference/*.md
python -m docs._reference --check   prints the pages that are not up to date, and fails
"""

from __future__ import annotations

import inspect
import re
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

from docs._generated import run
from reframe_firecrest.cli.exit_codes import EXITS, Exit
from reframe_firecrest.cli.main import app
from reframe_firecrest.settings import OPTIONS
from reframe_firecrest.settings.credentials import METHODS
from reframe_firecrest.settings.deprecated import RENAMED, RENAMED_VARIABLES
from reframe_firecrest.settings.model import ENVIRONMENT, Settings
from reframe_firecrest.settings.secrets import SECRETS, Secret

DIRECTORY = Path(__file__).resolve().parent / "reference"

NOTE = "<!-- Written by docs/_reference.py from the code: change it there, then `make docs`. -->\n"

NONE = "-"

KEY_COLUMNS = ("setting", "default", "meaning")

GROUPS = {
    "Gateway and system": (
        "url api_version system basedir namespace account default_partition ca_bundle appear_as"
    ),
    "Files": (
        "path_map share_inputs direct_upload_max retrieve exclude max_file_size max_total_size max_files"
    ),
    "Requests": "max_in_flight max_response_size min_transfer_rate retry_timeout auth_retry_timeout",
    "Modules": "modules_dir modules_max_age",
    "Jobs and runs": ("poll_interval_min poll_interval_max job_lost_timeout journal_dir heartbeat_timeout"),
}
"""Headings, and the settings below each; a setting that is missing here is in the last group."""

LOOKUP = f"""\
Each setting is read from `sched_options['{OPTIONS}']` of the partition, then of the system, then from the
environment; the first value found is used. Partitions of one run may use different systems and gateways.
The second name in the first column is that of the environment variable. Relative paths of local files start
at the directory in which you started ReFrame.
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

DEFAULTS = {"auth": "depends on the other settings", "journal_dir": "`~/.local/state/reframe-firecrest`"}
"""Defaults that the code determines at run time."""

OTHERS = {
    "XDG_STATE_HOME": "parent of the journals' directory `reframe-firecrest`, instead of `~/.local/state`",
    "COLUMNS": "width of tables if the output does not go to a terminal",
}
"""Variables that are not settings."""


MINUTE = 60.0

UNITS = ((86400.0, "d"), (3600.0, "h"), (MINUTE, "min"), (1.0, "s"))
"""Units of durations in seconds, largest first."""


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes:
        name: its name.
        help: its docstring.
        parameters: its options and arguments.
        exit_codes: meanings of its exit codes.
    """

    name: str
    help: str
    parameters: Sequence[Parameter]
    exit_codes: Mapping[Exit, str]

    @property
    def usage(self) -> str:
        """The command line, without the individual options."""
        words = [parameter.names[0] for parameter in self.parameters if parameter.argument]
        return " ".join(["reframe-firecrest", self.name, "[OPTIONS]", *(f"[{word}]" for word in words)])


@dataclass(frozen=True)
class Parameter:
    """An option or an argument.

    Attributes:
        names: all its names.
        value: name of its value; empty for a flag.
        meaning: its help.
        default: its default; empty if there is none to document.
        argument: it is an argument, not an option.
    """

    names: Sequence[str]
    value: str
    meaning: str
    default: str
    argument: bool


def commands() -> list[Command]:
    """Return all subcommands."""
    functions = {_name(info): info.callback for info in app.registered_commands if info.callback}
    # Its class in click depends on the version of Typer.
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
    default = "" if each.default in (None, "") or isinstance(each.default, bool) else f"`{each.default}`"
    names = [each.metavar or each.name.upper()] if argument else [*each.opts, *each.secondary_opts]
    return Parameter(names, value, each.help or "", default, argument)


def _kind(kind: Any) -> str:
    text = str(kind)
    return "PATH" if "Path" in text else "NUMBER" if "float" in text or "int" in text else "TEXT"


def fields_of(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo, str]]:
    """Yield the fields of a model with their descriptions in the model's docstring."""
    descriptions = {
        each.arg_name: " ".join((each.description or "").split())
        for each in docstring_parser.parse(model.__doc__ or "").params
    }
    for name, field in model.model_fields.items():
        yield name, field, descriptions[name]


def settings_page() -> str:
    """Return the page about the settings."""
    methods = [[f"`{name}`", _first_line(model), _needs(model)] for name, model in METHODS.items()]
    return "\n".join(
        [
            "# Settings\n",
            NOTE,
            LOOKUP,
            *_groups(),
            "## Authentication\n",
            *_table(["`auth`", "method", "required settings"], methods),
            *_table(KEY_COLUMNS, _authentication()),
            "## Former names\n",
            FOR_FORMER_NAMES,
            *_table(["former name", "current name"], _former(RENAMED)),
        ]
    )


def _groups() -> Iterator[str]:
    rows = {each[0]: _setting(*each) for each in fields_of(Settings) if each[0] != "credentials"}
    named = {name for names in GROUPS.values() for name in names.split()}
    for number, (heading, names) in enumerate(GROUPS.items(), 1):
        yield f"## {heading}\n"
        others = [name for name in rows if name not in named] if number == len(GROUPS) else []
        yield from _table(KEY_COLUMNS, [rows[name] for name in [*names.split(), *others]])


def _former(renamed: Mapping[str, str]) -> list[list[str]]:
    return [[f"`{old}`", f"`{new}`"] for old, new in sorted(renamed.items())]


def _setting(name: str, field: FieldInfo, description: str) -> list[str]:
    return [_key(name), _default(name, field), f"{description}{_limits(field)}"]


def _key(name: str) -> str:
    """Return the name of a setting, and that of its environment variable below."""
    return f"`{name}`<br>`{ENVIRONMENT[name]}`" if name in ENVIRONMENT else f"`{name}`"


def _limits(field: FieldInfo) -> str:
    bounds = [bound for rule in field.metadata for bound in _bounds(rule)]
    return f" Values: {', '.join(bounds)}." if bounds else ""


def _bounds(rule: object) -> Iterator[str]:
    if isinstance(rule, annotated_types.Ge) and rule.ge:
        yield f"at least {_number(rule.ge)}"
    if isinstance(rule, annotated_types.Le):
        yield f"at most {_number(rule.le)}"


def _default(name: str, field: FieldInfo) -> str:
    if name in DEFAULTS:
        return DEFAULTS[name]
    if field.is_required():
        return "must be set"
    if field.default is None or field.default in ({}, ()):
        return "none"
    if isinstance(field.default, ByteSize):
        return f"`{field.default.human_readable(decimal=True)}`"
    if isinstance(field.default, float):
        return _seconds(field.default)
    if isinstance(field.default, int) and not isinstance(field.default, bool):
        return f"`{field.default}`"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{value}`"


def _seconds(value: float) -> str:
    """Return a number of seconds, and in parentheses how people write it."""
    return f"`{_number(value)}`" + (f" ({_duration(value)})" if value >= MINUTE else "")


def _duration(value: float) -> str:
    unit, name = next((each for each in UNITS if value % each[0] == 0), UNITS[-1])
    return f"{_number(value / unit)} {name}"


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else f"{value}"


def _first_line(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or "").splitlines()[0]


def _needs(model: type[BaseModel]) -> str:
    needed = [name for name, field in model.model_fields.items() if field.is_required()]
    return ", ".join(SECRETS[name].what if name in SECRETS else f"`{name}`" for name in needed)


def _authentication() -> Iterator[list[str]]:
    methods = ", ".join(f"`{name}`" for name in METHODS)
    yield [_key("auth"), DEFAULTS["auth"], f"authentication method: {methods}."]
    seen = {"auth"}
    for model in METHODS.values():
        for name, field, description in fields_of(model):
            if name in seen:
                continue
            seen.add(name)
            if name not in SECRETS:
                yield _setting(name, field, description)
                continue
            yield from _secret(SECRETS[name])


def _secret(secret: Secret) -> Iterator[list[str]]:
    yield [f"`{secret.variable}`", "none", f"{secret.what}, in the environment only."]
    yield [_key(secret.by_file), "none", f"file that contains {secret.what}."]
    yield [_key(secret.by_env), "none", f"name of an environment variable that contains {secret.what}."]


def environment_page() -> str:
    """Return the page about the environment variables."""
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
    """Return the page about the subcommands, their options and exit codes."""
    parts = ["# Commands\n", NOTE, "`reframe-firecrest COMMAND --help` prints the same text.\n"]
    for command in commands():
        parts += [f"## {command.name}\n", f"`{command.usage}`\n", *_prose(command.help)]
        rows = [_option(each) for each in command.parameters if "--help" not in each.names]
        parts += _table(["option", "meaning", "default"], rows) if rows else []
        codes = [[str(code.value), meaning] for code, meaning in command.exit_codes.items()]
        parts += _table(["exit code", "meaning"], codes)
    return "\n".join(parts)


def _option(each: Parameter) -> list[str]:
    names = ", ".join(f"`{name}`" for name in each.names)
    return [f"{names} `{each.value}`" if each.value else names, each.meaning, each.default]


def exit_codes_page() -> str:
    """Return the page about the exit codes."""
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
            "ReFrame exits with 0 if all tests passed, with 1 otherwise. Wrong options always lead to 2.\n",
            *_table(["command", *(str(code.value) for code in Exit)], rows),
        ]
    )


def _prose(text: str) -> Iterator[str]:
    """Convert a help text to Markdown; indented paragraphs are commands."""
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


if __name__ == "__main__":
    run(DIRECTORY, PAGES)
