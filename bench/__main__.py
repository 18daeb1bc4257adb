"""Measure the product, print tables and write files; see docs/performance.md.

The runs use the sandbox with given latencies, or the gateway of FIRECREST_URL if it is set.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.cases import Case, Options
from bench.figure import Figure
from bench.figures import figures
from bench.running import measure, why_no_slurm
from bench.runs import Run
from bench.surroundings import Surroundings
from bench.tables import Sheet, figure_sheet, markdown, rich_table, scale_sheet, time_sheet, traffic_sheet
from bench.targets import targets

WIDTH = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return exit code 0 if all tests passed."""
    given = _parser().parse_args(arguments)
    no_slurm = why_no_slurm()
    if no_slurm:
        print(f"no comparison with ReFrame's slurm: {no_slurm}", file=sys.stderr)
    outside = bool(os.environ.get("FIRECREST_URL"))
    options = Options(
        tests=tuple(given.tests),
        latencies=(None,) if outside else tuple(given.latency),
        large_mib=given.large,
        slurm=not no_slurm,
        scales=tuple(sorted(set(given.scale))),
        sleep=given.sleep if given.history is not None else 0,
        # The jobs of another gateway's accounts are as they are.
        history=0 if outside else given.history or 0,
        more=given.more,
    )
    surroundings = Surroundings.now(given.label, api=None if outside else given.api, repeat=given.repeat)
    found: dict[Case, list[Run]] = {case: [] for case in options.cases()}
    # Round by round, so that other load on the machine does not affect only one case.
    for number in range(given.repeat):
        for case, runs in found.items():
            runs.append(measure(case, "v1" if given.api == 1 else "v2"))
            _print_progress(case, runs[-1], number)
    reached = targets(options, found)
    further = figures(options, found) if options.more else []
    sheets = [figure_sheet("Targets", reached)]
    sheets += [figure_sheet("Further figures", further)] if further else []
    sheets += [time_sheet(found), traffic_sheet(found)]
    sheets += [scale_sheet(options, found)] if options.scales else []
    _show(surroundings, sheets)
    if given.json:
        given.json.write_text(
            json.dumps(_everything(surroundings, [*reached, *further], found), indent=2) + "\n"
        )
    if given.markdown:
        text = "\n".join([f"{surroundings.text}\n", *(markdown(sheet) for sheet in sheets)])
        given.markdown.write_text(text, encoding="utf-8")
    return 0 if all(run.passed for runs in found.values() for run in runs) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--tests", type=_positive, nargs="+", default=[1, 4, 20, 100], help="sizes of the suite"
    )
    parser.add_argument(
        "--latency",
        type=_seconds,
        nargs="+",
        default=[0.0, 0.2],
        help="latencies in seconds per request, sandbox only; without --more only the highest is used",
    )
    parser.add_argument(
        "--repeat", type=_positive, default=1, metavar="N", help="number of runs of each case"
    )
    parser.add_argument(
        "--large", type=_positive, default=0, metavar="MIB", help="also run a test with large files"
    )
    parser.add_argument(
        "--scale",
        type=_positive,
        nargs="+",
        default=[],
        metavar="N",
        help="also run suites of these sizes without latency, and compare their costs per test; takes long",
    )
    parser.add_argument(
        "--history",
        type=_number,
        metavar="N",
        help="also run sleeping tests, in an idle account and in one with N other jobs (sandbox); takes long",
    )
    parser.add_argument(
        "--sleep", type=_positive, default=180, metavar="S", help="seconds that the sleeping tests sleep"
    )
    parser.add_argument(
        "--more", action="store_true", help="also measure each latency, shared inputs, and memory"
    )
    parser.add_argument(
        "--api", type=int, choices=[1, 2], default=2, help="version of FirecREST's API, sandbox only"
    )
    parser.add_argument("--label", default="", help="name of the gateway in the tables")
    parser.add_argument("--json", type=_writable, metavar="FILE", help="write all figures and runs to FILE")
    parser.add_argument("--markdown", type=_writable, metavar="FILE", help="write the tables to FILE")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


def _number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def _writable(text: str) -> Path:
    """Check that a file can be written, before the benchmark starts."""
    path = Path(text)
    try:
        path.open("a").close()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} can't be written: {error.strerror}") from None
    return path


def _print_progress(case: Case, run: Run, number: int) -> None:
    state = "passed" if run.passed else "FAILED"
    print(f"round {number + 1}: {case.title}: {state} in {run.wall_s:.1f} s", file=sys.stderr)
    for remark in run.remarks:
        print(f"    {remark}", file=sys.stderr)


def _show(surroundings: Surroundings, sheets: Sequence[Sheet]) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    console.print(surroundings.text, soft_wrap=True, markup=False)
    for sheet in sheets:
        console.print(rich_table(sheet))


def _everything(
    surroundings: Surroundings, reached: Sequence[Figure], found: dict[Case, list[Run]]
) -> dict[str, Any]:
    return {
        "surroundings": asdict(surroundings),
        "figures": [{**asdict(figure), "reached": figure.reached} for figure in reached],
        "runs": [
            {"case": asdict(case), "runs": [_as_json(run) for run in runs]} for case, runs in found.items()
        ],
    }


def _as_json(run: Run) -> dict[str, Any]:
    """Return a run without the gateway's addresses; `traffic` has its requests by shape."""
    found: dict[str, Any] = run.model_dump(exclude={"process": {"requests"}})
    return found


if __name__ == "__main__":
    started = time.monotonic()
    code = main()
    print(f"measured for {time.monotonic() - started:.0f} s", file=sys.stderr)
    sys.exit(code)
