"""The job that looks at a node: it prints raw facts, and whoever sent it makes sense of them.

A compute node has no internet and may have no Python, so it needs only bash, the kernel's files and, if
there is one, lscpu.
"""

from __future__ import annotations

from collections.abc import Sequence

SCRIPT = "detect.sh"
FACTS = "facts.txt"
OUTPUTS = ("detect.out", "detect.err")

TIME_LIMIT = "00:05:00"
"""Enough for reading some thousand one-line files, and short enough to be let in between other jobs."""

COLLECT = """\
root=${1-}
machine=${2-$(uname -m)}

show() {
    local path line
    for path; do
        [[ -r $path ]] || continue
        line=
        IFS= read -r line < "$path"
        printf '%s:%s\\n' "${path#"$root"}" "$line"
    done
}

collect() {
    local cpu=$root/sys/devices/system/cpu line
    printf 'machine:%s\\n' "$machine"
    printf 'node:%s\\n' "${SLURMD_NODENAME:-$HOSTNAME}"
    # One processor speaks for all; an empty line ends what is said of it.
    while IFS= read -r line && [[ $line ]]; do
        printf '/proc/cpuinfo:%s\\n' "$line"
    done < "$root/proc/cpuinfo"
    if [[ -z $root ]] && command -v lscpu > /dev/null; then
        while read -r line; do
            [[ $line == "Model name:"* ]] && printf 'lscpu:%s\\n' "$line"
        done < <(LC_ALL=C lscpu)
    fi
    show "$cpu/online"
    show "$cpu"/cpu[0-9]*/topology/{core_cpus,thread_siblings,package_cpus,core_siblings}
    show "$cpu"/cpu[0-9]*/cache/index[0-9]*/{level,type,size,coherency_line_size}
    show "$cpu"/cpu[0-9]*/cache/index[0-9]*/{number_of_sets,physical_line_partition,shared_cpu_map}
    show "$root"/sys/devices/system/node/node[0-9]*/cpumap
    printf 'end:\\n'
}

collect > facts.txt
"""
"""Takes a directory that plays the root of a file system, and a machine's name, so that it can be tested."""


def job_script(name: str, options: Sequence[str]) -> str:
    """Return the script that looks at one node.

    Args:
        name: the job's.
        options: options of sbatch that a partition needs, or whole directives that begin with ``#``.
    """
    own = (
        f"--job-name={name}",
        f"--output={OUTPUTS[0]}",
        f"--error={OUTPUTS[1]}",
        "--nodes=1",
        "--ntasks=1",
        f"--time={TIME_LIMIT}",
    )
    # Of two directives for the same thing sbatch takes the later.
    directives = [option if option.startswith("#") else f"#SBATCH {option}" for option in (*options, *own)]
    return "\n".join(["#!/bin/bash", *directives, "", COLLECT])
