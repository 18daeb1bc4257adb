"""Script of the detection job, which prints facts about a node.

A compute node may have no internet access and no Python, so the script needs only bash, files of the kernel
and, if it exists, lscpu. The command parses the output.
"""

from __future__ import annotations

from collections.abc import Sequence

SCRIPT = "detect.sh"
FACTS = "facts.txt"
OUTPUTS = ("detect.out", "detect.err")

TIME_LIMIT = "00:05:00"
"""Enough to read a few thousand files of one line, and short enough for backfilling."""

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
    # The first processor represents all; an empty line ends its entries.
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
"""Commands of the script. Tests pass a root directory and a machine name as arguments."""


def job_script(name: str, options: Sequence[str]) -> str:
    """Return the script of the detection job.

    Args:
        name: name of the job.
        options: options of sbatch that the partition needs, or entire directives that begin with ``#``.
    """
    return batch_script(name, options, COLLECT)


def batch_script(name: str, options: Sequence[str], commands: str, *, login: bool = False) -> str:
    """Return the script of a job with one task.

    Args:
        name: name of the job.
        options: as for `job_script`.
        commands: its commands.
        login: run them in a login shell.
    """
    own = (
        f"--job-name={name}",
        f"--output={OUTPUTS[0]}",
        f"--error={OUTPUTS[1]}",
        "--nodes=1",
        "--ntasks=1",
        f"--time={TIME_LIMIT}",
    )
    # sbatch uses the last of several directives for an option.
    directives = [option if option.startswith("#") else f"#SBATCH {option}" for option in (*options, *own)]
    return "\n".join(["#!/bin/bash -l" if login else "#!/bin/bash", *directives, "", commands])
