"""The command line of `make faults`."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.cases import KINDS, Case, every_case, pairs, parse_case, sample
from tests.faults.running import Outcome
from tests.faults.soak import Soak, faults_of, run_soak
from tests.faults.sweep import Verdict, judge, judge_all, note, record, survivors

_EXAMPLES = """a sweep in parts:
  --kinds acts-late endless              two kinds of failure, all requests
  --kinds acts-late --shape jobs         one kind, requests about jobs
  --sample 40 --seed 2 --jobs 1          40 cases of all kinds, one run at a time
  --log sweep.jsonl                      continue an interrupted sweep
  --list                                 the cases' names; --case NAME runs one of them

On two idle cores a run takes about 8 s, of which two go at a time. All requests and kinds are about 1300
runs, 1.5 hours; one kind is about 50 runs, 3 to 5 minutes, with acts-late and the kinds without any answer at
the upper end; --sample 40 takes 3 minutes; --soak takes about the given time.

In the environment, SANDBOX_API=1 runs everything over FirecREST v1, FAULTS_TRANSFERS=none over a gateway
without a storage, and FAULTS_DIRECT_UPLOAD_MAX=0 sends large inputs through the storage instead of in parts.
"""

SHOWN = 6
"""Differences that a line shows of one run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; the exit code says whether all of it survived."""
    options = _parser().parse_args(arguments)
    if options.soak:
        return _soak(Soak(options.soak, options.tests, options.seed))
    expected = {False: record()}
    if options.slow or any(case.slow for case in options.case):
        expected[True] = record(slow=True)
    _show_recording(expected)
    if options.case:
        return max(_show_case(case, expected[case.slow]) for case in options.case)
    cases = _chosen(options, expected)
    done = survivors(options.log) if options.log else set()
    cases = [case for case in cases if str(case) not in done]
    if options.list:
        print(*cases, sep="\n")
        return 0
    return _sweep(cases, expected, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--shape", default="", metavar="REGEX", help="only requests whose shape this is found in")
    add(
        *("--kinds", "--kind"),
        dest="kind",
        nargs="+",
        choices=KINDS,
        default=list(KINDS),
        metavar="KIND",
        help=f"of {', '.join(KINDS)}",
    )
    add("--slow", action="store_true", help="on a system where transfer jobs do all work on files")
    add("--sample", type=int, metavar="N", help="so many of them, of all kinds")
    add("--pairs", type=int, metavar="N", help="so many pairs of them instead")
    add("--seed", type=int, default=1, help="of the sample or the pairs (default: 1)")
    add(
        "--case", type=parse_case, action="append", default=[], help="only this one; prints what ReFrame says"
    )
    add("--jobs", type=int, default=2, metavar="N", help="runs at a time (default: 2)")
    add(
        "--log", type=Path, metavar="FILE", help="note results there, and skip what has survived there before"
    )
    add("--soak", type=float, metavar="MINUTES", help="instead: one long run with failures by chance")
    add("--tests", type=int, default=500, metavar="N", help="of the soak (default: 500)")
    add("--list", action="store_true", help="only name the cases")
    return parser


def _chosen(options: argparse.Namespace, expected: dict[bool, Outcome]) -> list[Case]:
    counts = {
        shape: count
        for shape, count in expected[options.slow].requests.items()
        if re.search(options.shape, shape)
    }
    cases = every_case(counts, options.kind, slow=options.slow)
    if options.pairs:
        return pairs(cases, options.pairs, options.seed)
    return sample(cases, options.sample, options.seed) if options.sample else cases


def _show_recording(expected: dict[bool, Outcome]) -> None:
    for slow, outcome in expected.items():
        table = Table(title="undisturbed, on a slow system" if slow else "undisturbed")
        table.add_column("request")
        table.add_column("times", justify="right")
        for shape, count in sorted(outcome.requests.items()):
            table.add_row(shape, str(count))
        table.add_row("all", str(sum(outcome.requests.values())))
        Console(width=110).print(table)
        print(f"{len(outcome.tests)} tests, {sum(outcome.jobs.values())} jobs, {outcome.seconds:.1f} s\n")


def _show_case(case: Case, expected: Outcome) -> int:
    verdict, outcome = judge(case, expected)
    print(outcome.output)
    print(*verdict.differences, sep="\n")
    word = "survived" if verdict.survived else "did not survive"
    notes = [
        *(["it was never met"] if not verdict.met else []),
        *([f"{verdict.idle} jobs executed nothing"] if verdict.idle else []),
    ]
    print("; ".join([f"{case}: {word} in {verdict.seconds:.1f} s", *notes]))
    return 0 if verdict.survived else 1


def _sweep(cases: list[Case], expected: dict[bool, Outcome], options: argparse.Namespace) -> int:
    begun = time.monotonic()
    verdicts = []
    for verdict in judge_all(cases, expected, options.jobs):
        verdicts.append(verdict)
        if options.log:
            note(options.log, verdict)
        if not verdict.survived:
            print(f"{verdict.case}: {_brief(verdict.differences)}")
            print(f"    make faults FAULTS_ARGS=\"--case '{verdict.case}'\"", flush=True)
        elif len(verdicts) % 50 == 0:
            print(f"{len(verdicts)} of {len(cases)} runs", flush=True)
    _show(verdicts)
    survived = sum(verdict.survived for verdict in verdicts)
    print(f"{len(verdicts)} runs in {time.monotonic() - begun:.0f} s, {survived} survived")
    return 0 if survived == len(verdicts) else 1


def _soak(soak: Soak) -> int:
    outcome = run_soak(soak)
    lines = faults_of(soak, outcome)
    table = Table(title=f"soak of {soak.tests} tests, seed {soak.seed}", show_header=False)
    requests = sum(outcome.requests.values())
    results = Counter(test["result"] for test in outcome.tests.values())
    for name, figure in (
        ("minutes", f"{outcome.seconds / 60:.1f}"),
        ("results", ", ".join(f"{count} {result}" for result, count in sorted(results.items()))),
        ("jobs", sum(outcome.jobs.values())),
        ("requests", requests),
        (
            "of them failures",
            f"{(failed := sum(outcome.faults.values()))} ({100 * failed / max(requests, 1):.2f} %)",
        ),
        ("of them over the rate limit", outcome.limited),
        ("tokens", outcome.requests.get("POST token", 0)),
        ("lost, duplicated or false", len(lines)),
    ):
        table.add_row(name, str(figure))
    Console(width=110).print(table)
    print(*(f"{label}: {count}" for label, count in sorted(outcome.faults.items())), sep="\n")
    print(*lines, sep="\n")
    return 1 if lines else 0


def _brief(differences: Sequence[str]) -> str:
    """One fault causes many differences; the first few identify it."""
    more = len(differences) - SHOWN
    return "; ".join(differences[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _show(verdicts: list[Verdict]) -> None:
    table = Table(title="every request, every failure")
    for column in ("failure", "runs", "survived", "not met", "idle jobs", "slowest s"):
        table.add_column(column, justify="left" if column == "failure" else "right")
    for kind in dict.fromkeys(verdict.kind for verdict in verdicts if verdict.kind in KINDS):
        of_kind = [verdict for verdict in verdicts if verdict.kind == kind]
        _add_row(table, f"{kind}: {KINDS[kind].meaning}", of_kind)
    of_pairs = [verdict for verdict in verdicts if verdict.kind not in KINDS]
    if of_pairs:
        _add_row(table, "pairs", of_pairs)
    Console(width=110).print(table)


def _add_row(table: Table, title: str, verdicts: list[Verdict]) -> None:
    table.add_row(
        title,
        str(len(verdicts)),
        str(sum(verdict.survived for verdict in verdicts)),
        str(sum(not verdict.met for verdict in verdicts) or ""),
        str(sum(verdict.idle for verdict in verdicts) or ""),
        f"{max(verdict.seconds for verdict in verdicts):.1f}",
    )


if __name__ == "__main__":
    sys.exit(main())
