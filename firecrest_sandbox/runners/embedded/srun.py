"""The `srun` of the embedded runner, first in the PATH of its jobs.

The program starts the tasks of a step as local processes with `SLURM_*` variables, waits for them, and writes
a record of the step for the runner. It uses only the standard library.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

SPOOL_VARIABLE = "REFRAME_FIRECREST_SANDBOX_SPOOL"
_IGNORED_WITH_VALUE = """
    -A --account -b --begin --bcast -C --constraint --comment --cpu-bind --cpu-freq
    --cpus-per-gpu -d --dependency -D --deadline --delay-boot --distribution -m --epilog
    --export-file -G --gpus --gpu-bind --gpu-freq --gpus-per-node --gpus-per-socket
    --gpus-per-task --gres --gres-flags --hint --jobid --licenses -L --mail-type
    --mail-user --mem --mem-bind --mem-per-cpu --mem-per-gpu --mincpus --mpi --network
    --nice --ntasks-per-core --ntasks-per-gpu --ntasks-per-socket -p --partition --power
    --priority --profile --prolog -q --qos --relative -r --reservation --signal
    --slurmd-debug --sockets-per-node --cores-per-socket --threads-per-core --switches -S
    --core-spec --task-epilog --task-prolog -T --threads -t --time --time-min --tmp
    --uid --gid -W --wait --wckey -x --exclude
"""


class _StepError(Exception):
    """A step cannot be started."""


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="srun", add_help=False, allow_abbrev=False)
    parser.add_argument("-n", "--ntasks", type=int)
    parser.add_argument("-N", "--nodes")
    parser.add_argument("--ntasks-per-node", type=int)
    parser.add_argument("-c", "--cpus-per-task", type=int)
    parser.add_argument("-l", "--label", action="store_true")
    parser.add_argument("-O", "--overcommit", action="store_true")
    parser.add_argument("-K", "--kill-on-bad-exit", nargs="?", const="1", default="0")
    parser.add_argument("-w", "--nodelist")
    parser.add_argument("-J", "--job-name")
    parser.add_argument("--chdir")
    parser.add_argument("-o", "--output")
    parser.add_argument("-e", "--error")
    parser.add_argument("-i", "--input")
    parser.add_argument("--export", default="ALL")
    parser.add_argument("-V", "--version", action="store_true")
    for option in _IGNORED_WITH_VALUE.split():
        parser.add_argument(option, dest="ignored")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options, _ = parser.parse_known_args(arguments)
    if options.command[:1] == ["--"]:
        del options.command[0]
    return options


def _layout(options: argparse.Namespace, shares: list[dict[str, Any]]) -> list[int]:
    """Return the number of tasks on each node of the step, the job's first nodes."""
    requested = options.nodes or os.environ.get("SLURM_NNODES_STEP")
    nodes = int(str(requested).partition("-")[0]) if requested else None
    per_node = options.ntasks_per_node
    tasks = options.ntasks
    if tasks is None:
        count = nodes or len(shares)
        allocated = sum(share["tasks"] for share in shares[:count])
        tasks = count * per_node if per_node else max(count if requested else 1, allocated)
    if nodes is None:
        nodes = -(-tasks // per_node) if per_node else min(len(shares), tasks)
    if nodes > len(shares):
        raise _StepError(f"Only allocated {len(shares)} nodes asked for {nodes}")
    nodes = min(nodes, tasks)
    shares = shares[:nodes]
    per_task = options.cpus_per_task or int(os.environ.get("SRUN_CPUS_PER_TASK", "1"))
    room = [share["cpus"] // per_task for share in shares]
    if not options.overcommit and sum(room) < tasks:
        raise _StepError("Unable to create step: More processors requested than permitted")
    counts = [0] * nodes
    turn = 0
    for _ in range(tasks):
        while not options.overcommit and counts[turn % nodes] >= room[turn % nodes]:
            turn += 1
        counts[turn % nodes] += 1
        turn += 1
    return counts


def _environment(export: str) -> dict[str, str]:
    items = export.split(",")
    if "NONE" in items:
        kept: tuple[str, ...] = ("SLURM", "PATH", "HOME", "USER", SPOOL_VARIABLE)
        base = {k: v for k, v in os.environ.items() if k.startswith(kept)}
    elif "ALL" in items:
        base = dict(os.environ)
    else:
        kept = ("SLURM", SPOOL_VARIABLE, *(item.partition("=")[0] for item in items))
        base = {k: v for k, v in os.environ.items() if k.startswith(kept)}
    for item in items:
        name, equals, value = item.partition("=")
        if equals:
            base[name] = value
    return base


class _Step:
    """One step: its tasks and its record."""

    def __init__(self, options: argparse.Namespace, spool: Path) -> None:
        self._options = options
        self._spool = spool
        self._shares = json.loads((spool / "allocation.json").read_text())
        self._tasks: list[tuple[int, str, subprocess.Popen[bytes]]] = []
        self._printing = threading.Lock()
        self._forwarders: list[threading.Thread] = []

    def run(self) -> int:
        counts = _layout(self._options, self._shares)
        self._number = self._claim_number()
        self._started = time.time()
        self._record("RUNNING", 0, 0, None)
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda received, _frame: self._forward(received))
        try:
            self._start(counts)
            code, killed_by = self._wait()
        except OSError as error:
            self._forward(signal.SIGKILL)
            node = self._shares[0]["node"]
            name = self._options.command[0]
            print(f"slurmstepd: error: execve(): {name}: {error.strerror}", file=sys.stderr)
            print(f"srun: error: {node}: task 0: Exited with exit code 2", file=sys.stderr)
            code, killed_by = 2, 0
        self._record("FAILED" if code or killed_by else "COMPLETED", code, killed_by, time.time())
        return code or (128 + killed_by if killed_by else 0)

    def _claim_number(self) -> int:
        number = 0
        while True:
            try:
                (self._spool / "steps" / f"{number}.lock").touch(exist_ok=False)
            except FileExistsError:
                number += 1
            else:
                return number

    def _record(self, state: str, code: int, signum: int, end: float | None) -> None:
        record = {
            "id": self._number,
            "name": self._options.job_name or Path(self._options.command[0]).name,
            "state": state,
            "exit_code": code,
            "signal": signum,
            "start": self._started,
            "end": end,
        }
        file = self._spool / "steps" / f"{self._number}.json"
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(record))
        partial.rename(file)

    def _start(self, counts: list[int]) -> None:
        options, total = self._options, sum(counts)
        nodes = [share["node"] for share in self._shares[: len(counts)]]
        base = _environment(options.export) | {
            "SLURM_STEP_ID": str(self._number),
            "SLURM_STEPID": str(self._number),
            "SLURM_STEP_NODELIST": ",".join(nodes),
            "SLURM_STEP_NUM_NODES": str(len(nodes)),
            "SLURM_STEP_NUM_TASKS": str(total),
            "SLURM_NNODES": str(len(nodes)),
            "SLURM_NTASKS": str(total),
            "SLURM_NPROCS": str(total),
        }
        if options.cpus_per_task:
            base["SLURM_CPUS_PER_TASK"] = str(options.cpus_per_task)
        rank = 0
        for node_id, (node, count) in enumerate(zip(nodes, counts, strict=True)):
            for local_id in range(count):
                env = base | {
                    "SLURM_PROCID": str(rank),
                    "SLURM_LOCALID": str(local_id),
                    "SLURM_NODEID": str(node_id),
                    "SLURMD_NODENAME": node,
                }
                self._tasks.append((rank, node, self._start_task(rank, node, env)))
                rank += 1

    def _start_task(self, rank: int, node: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
        options = self._options
        output = self._opened(options.output, rank, node)
        error = self._opened(options.error, rank, node)
        labelled = options.label and output is None
        task = subprocess.Popen(  # noqa: S603  the job's own command
            options.command,
            stdin=self._input(rank),
            stdout=subprocess.PIPE if labelled else output,
            stderr=subprocess.PIPE if labelled else (error or output),
            env=env,
            cwd=options.chdir,
        )
        for file in (output, error):
            if file is not None:
                file.close()
        for source, sink in ((task.stdout, sys.stdout), (task.stderr, sys.stderr)):
            if source is not None:
                arguments = (rank, source, sink.buffer)
                thread = threading.Thread(target=self._forward_lines, args=arguments)
                thread.start()
                self._forwarders.append(thread)
        return task

    def _input(self, rank: int) -> int | None:
        if self._options.input and self._options.input.lower() == "none":
            return subprocess.DEVNULL
        if self._options.input and Path(self._options.input).is_file():
            return os.open(self._options.input, os.O_RDONLY)
        return None if rank == 0 else subprocess.DEVNULL

    def _opened(self, pattern: str | None, rank: int, node: str) -> IO[bytes] | None:
        if pattern is None:
            return None
        if pattern.lower() == "none":
            return Path(os.devnull).open("wb")
        fields = {
            "%t": str(rank),
            "%N": node,
            "%s": str(self._number),
            "%j": os.environ.get("SLURM_JOB_ID", ""),
            "%J": f"{os.environ.get('SLURM_JOB_ID', '')}.{self._number}",
            "%x": os.environ.get("SLURM_JOB_NAME", ""),
        }
        for field, value in fields.items():
            pattern = pattern.replace(field, value)
        # The tasks of a step may share a file.
        return Path(pattern).open("ab")

    def _forward_lines(self, rank: int, source: IO[bytes], sink: IO[bytes]) -> None:
        for line in source:
            with self._printing:
                sink.write(b"%d: %s" % (rank, line))
                sink.flush()

    def _forward(self, signum: int) -> None:
        for _, _, task in self._tasks:
            if task.poll() is None:
                task.send_signal(signum)

    def _wait(self) -> tuple[int, int]:
        worst_code = worst_signal = 0
        for rank, node, task in self._tasks:
            code = task.wait()
            if code < 0:
                worst_signal = max(worst_signal, -code)
                name = signal.strsignal(-code)
                print(f"srun: error: {node}: task {rank}: {name}", file=sys.stderr)
            elif code > 0:
                worst_code = max(worst_code, code)
                print(
                    f"srun: error: {node}: task {rank}: Exited with exit code {code}",
                    file=sys.stderr,
                )
            if code and self._options.kill_on_bad_exit != "0":
                self._forward(signal.SIGKILL)
        for thread in self._forwarders:
            thread.join()
        return worst_code, worst_signal


def main() -> int:
    """Run one step and return its highest exit code."""
    options = _options(sys.argv[1:])
    if options.version:
        print("slurm 22.05.8")
        return 0
    spool = os.environ.get(SPOOL_VARIABLE)
    if spool is None:
        print("srun: error: no job allocation found in the environment", file=sys.stderr)
        return 1
    if not options.command:
        print("srun: fatal: No command given to execute.", file=sys.stderr)
        return 1
    try:
        return _Step(options, Path(spool)).run()
    except _StepError as error:
        print(f"srun: error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
