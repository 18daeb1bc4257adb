"""A hierarchical tree of modules for jobs: Debian's Lmod over a real Slurm, otherwise a few lines of bash.

Both have the compilers gcc/12.2, gcc/13.1 and clang/15.0, which conflict with each other, and each compiler
makes another fftw visible. `ci/modules.sh` makes the real one.
"""

from __future__ import annotations

import os
from pathlib import Path

REAL = os.environ.get("SLURM_LAB_MODULES")

MODULE = """\
export MODULEPATH={root}/Core LOADEDMODULES= LMOD_VERSION=8.7.1
conflict() {{ :; }}

find_module() {{
    local dir
    for dir in ${{MODULEPATH//:/ }}; do
        if [[ -f $dir/$1 ]]; then echo "$dir/$1"; return; fi
    done
    echo "unknown module $1" >&2
    return 1
}}

module() {{
    [[ $1 == -t ]] && shift
    local dir file
    case $1 in
        --version) echo "Modules based on Lua: Version $LMOD_VERSION" >&2 ;;
        avail)
            for dir in ${{MODULEPATH//:/ }}; do
                echo "$dir:"
                (cd "$dir" && find * -type f | sort)
            done >&2
            ;;
        show) file=$(find_module "$2") && cat "$file" >&2 ;;
        load)
            file=$(find_module "$2") || return 1
            export LOADEDMODULES=${{LOADEDMODULES:+$LOADEDMODULES:}}$2
            . "$file"
            ;;
        unload) export LOADEDMODULES=$(tr : '\\n' <<< "$LOADEDMODULES" | grep -v "^$2" | paste -sd :) ;;
    esac
}}
"""

FILES = {
    **{
        f"Core/{compiler}": f"conflict {other}\nCOMPILER={compiler}\n"
        f"MODULEPATH={{root}}/{compiler}:$MODULEPATH"
        for compiler, other in {"gcc/12.2": "clang", "gcc/13.1": "clang", "clang/15.0": "gcc"}.items()
    },
    "Core/cmake/3.25": "CMAKE=3.25",
    "gcc/12.2/fftw/3.3": "FFTW=gcc-12.2",
    "gcc/13.1/fftw/3.4": "FFTW=gcc-13.1",
    "gcc/13.1/openblas/0.3": "OPENBLAS=gcc-13.1",
    "clang/15.0/fftw/3.3": "FFTW=clang-15.0",
}


def modules_init(directory: Path) -> Path:
    """Return the script that gives a job modules; it is below a directory unless the modules are real."""
    if REAL:
        return Path(REAL, "init.sh")
    root = directory / "modules"
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(root=root) + "\n")
    init = root / "init.sh"
    init.write_text(MODULE.format(root=root))
    return init
