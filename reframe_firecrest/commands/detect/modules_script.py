"""Script of the job that records the modules of a partition and an environment.

The job loads the modules as the job of a test does, and prints what the modules system answers before and
after. The script needs only bash and the modules system: Lmod, Environment Modules or Spack.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FACTS = "modules.txt"

INSPECTION_TIME = 120
"""Seconds for ``module show`` of all available modules, each of which takes 0.05 s to 0.3 s."""

FUNCTIONS = f"""\
exec {{rfm_facts}}> {FACTS}

# rfm_note KEY VALUE
rfm_note() {{ printf '%s:%s\\n' "$1" "$2" >&"$rfm_facts"; }}

# rfm_note_lines KEY: each line of standard input
rfm_note_lines() {{ local line; while IFS= read -r line; do rfm_note "$1" "$line"; done; }}

# rfm_is_spack: the settings name Spack, or there is nothing else
rfm_is_spack() {{ [[ $rfm_wanted == spack ]] || {{ ! type module && command -v spack; }} &> /dev/null; }}

rfm_find_kind() {{
    rfm_kind=none
    if rfm_is_spack; then
        rfm_kind=spack
    elif type module &> /dev/null; then
        rfm_kind=envmod
        [[ ${{LMOD_CMD-}}${{LMOD_VERSION-}} ]] && rfm_kind=lmod
    elif bash -lc 'type module' &> /dev/null; then
        rfm_note login needed
    fi
    rfm_note kind "$rfm_kind"
    case $rfm_kind in
        lmod) module --version 2>&1 | rfm_note_lines version ;;
        envmod) module -V 2>&1 | rfm_note_lines version ;;
        spack) spack -V 2> /dev/null | rfm_note_lines version ;;
    esac
}}

# rfm_available, rfm_loaded: one name a line; the modules systems print lists to standard error
rfm_available() {{
    case $rfm_kind in
        lmod) LMOD_PAGER=none module -t avail 2>&1 ;;
        envmod) module avail -t 2>&1 ;;
        spack) spack find --format '{{name}}/{{version}}-{{hash}}' ;;
    esac
}}

rfm_loaded() {{
    case $rfm_kind in
        lmod | envmod) tr : '\\n' <<< "${{LOADEDMODULES-}}" ;;
        spack) spack find --loaded --format '{{name}}/{{version}}-{{hash}}' ;;
    esac
}}

# rfm_note_state STATE
rfm_note_state() {{
    rfm_available | rfm_note_lines "$1.available"
    rfm_loaded | rfm_note_lines "$1.loaded"
    rfm_note "$1.modulepath" "${{MODULEPATH-}}"
}}

# rfm_conflicts_of MODULE: the names in its conflict commands, in the syntax of Tcl or Lua
rfm_conflicts_of() {{
    [[ $rfm_kind == spack ]] && return
    module show "$1" 2>&1 | sed -n -E 's/^[[:space:]]*conflict([[:space:](].*)/\\1/p'
}}

# rfm_inspect MODULE
rfm_inspect() {{ rfm_note inspected "$1"; rfm_conflicts_of "$1" | rfm_note_lines conflict; }}

# rfm_is_same A B: a name without a version means every version
rfm_is_same() {{ [[ $1 == "$2" || ${{1%%/*}} == "$2" || $1 == "${{2%%/*}}" ]]; }}

# rfm_unload_conflicts MODULE: those that are loaded
rfm_unload_conflicts() {{
    local name other
    rfm_inspect "$1"
    for name in $(rfm_conflicts_of "$1" | tr -c 'A-Za-z0-9_.,+@%=~:/\\n-' ' '); do
        for other in $(rfm_loaded); do
            if rfm_is_same "$name" "$other"; then module unload "$other"; fi
        done
    done
}}

# rfm_inspect_all: all available modules, as far as the time allows
rfm_inspect_all() {{
    local name deadline=$((SECONDS + {INSPECTION_TIME}))
    while IFS= read -r name; do
        name=${{name%%(*}}
        if [[ ! $name || $name == *: || $name == */ || $name == *[[:space:]]* ]]; then
            continue
        elif ((SECONDS < deadline)); then
            rfm_inspect "$name"
        else
            rfm_note uninspected "$name"
        fi
    done < <([[ $rfm_kind == spack ]] || rfm_available)
}}
"""


@dataclass(frozen=True)
class ModuleStep:
    """A module that the job loads.

    Attributes:
        name: name of the module or collection.
        commands: the commands that ReFrame emits to load it.
        collection: it is a collection.
    """

    name: str
    commands: tuple[str, ...]
    collection: bool = False


def modules_script(
    wanted: str, setup: Sequence[str], steps: Iterable[ModuleStep | str], *, resolve: bool
) -> str:
    """Return the commands of the job.

    Args:
        wanted: ReFrame's name of the modules system; empty if it is unknown.
        setup: commands of the partition, before everything else.
        steps: modules, and other commands of the environment, in order.
        resolve: unload conflicting modules first, and inspect all modules for conflicts.
    """
    lines = [FUNCTIONS, f"rfm_wanted={shlex.quote(wanted)}", *setup, "rfm_find_kind", "rfm_note_state before"]
    for step in steps:
        lines += [step] if isinstance(step, str) else _load(step, resolve=resolve)
    lines.append("rfm_note_state after")
    if resolve:
        lines.append("rfm_inspect_all")
    return "\n".join([*lines, "rfm_note end ''", ""])


def _load(step: ModuleStep, *, resolve: bool) -> Iterable[str]:
    name = shlex.quote(step.name)
    if resolve and not step.collection:
        yield f"rfm_unload_conflicts {name}"
    yield f"rfm_note load {name}"
    yield f"{' && '.join(step.commands)} || rfm_note failed {name}"
    yield "rfm_loaded | rfm_note_lines load.loaded"
