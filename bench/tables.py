"""Tables of measurements for the terminal and the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from bench.cases import FIRECREST, Case, Options
from bench.figure import Figure, Found
from bench.runs import Run
from bench.spread import Spread

WORDS = frozenset({"figure", "suite", "met", "remark"})
"""Columns of text; the others are numbers."""

VERDICTS = {True: "met", False: "MISSED", None: ""}


@dataclass(frozen=True)
class Sheet:
    """Content of a table."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def rich_table(sheet: Sheet) -> Table:
    """Return a sheet as a table for the terminal."""
    table = Table(title=sheet.title)
    for column in sheet.columns:
        table.add_column(column, justify="left" if column in WORDS else "right")
    for row in sheet.rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def markdown(sheet: Sheet) -> str:
    """Return a sheet as Markdown."""
    rules = ["---" if column in WORDS else "---:" for column in sheet.columns]
    lines = [
        " | ".join(cell.replace("|", "\\|") for cell in row) for row in (sheet.columns, rules, *sheet.rows)
    ]
    return f"{sheet.title}:\n\n" + "".join(f"| {line} |\n" for line in lines)


def figure_sheet(title: str, figures: Iterable[Figure]) -> Sheet:
    """Return a table of figures with their targets."""
    return Sheet(
        title,
        ("figure", "suite", "measured", "target", "met", "remark"),
        [
            (
                figure.name,
                figure.suite,
                figure.measured.text(figure.digits) if figure.measured else "",
                "" if figure.target is None else f"{figure.limit} {figure.target:.{figure.digits}f}",
                VERDICTS[figure.reached],
                figure.remark,
            )
            for figure in figures
        ],
    )


Cost = tuple[str, int, Callable[[Run], float | None]]
"""A column's title, digits after the decimal point, and value for a run."""

TIMES: tuple[Cost, ...] = (
    ("wall s", 1, lambda run: run.wall_s),
    ("session s", 1, lambda run: run.session_s),
    ("CPU s", 1, lambda run: run.process.cpu_s),
    ("its commands' CPU s", 1, lambda run: run.process.children_cpu_s),
    ("submit() ms, median", 2, lambda run: run.submit_median_ms if run.process.submits_ms else None),
    ("slowest", 1, lambda run: run.submit_most_ms if run.process.submits_ms else None),
    ("peak MB", 0, lambda run: run.process.peak_bytes / 1e6),
)

TRAFFIC: tuple[Cost, ...] = (
    ("requests", 0, lambda run: run.requests),
    ("lists of jobs", 0, lambda run: run.lists),
    ("single jobs", 0, lambda run: run.singles),
    ("in flight", 0, lambda run: run.process.most_in_flight),
    ("sent kB", 1, lambda run: run.sent / 1000),
    ("of it files", 1, lambda run: run.uploaded / 1000),
    ("received kB", 1, lambda run: run.received / 1000),
    ("of it files", 1, lambda run: run.fetched / 1000),
)


def time_sheet(found: Found) -> Sheet:
    """Return a table of the time and memory of ReFrame's process."""
    return _sheet("Time and memory", TIMES, found.items())


def traffic_sheet(found: Found) -> Sheet:
    """Return a table of the network traffic of the runs through a gateway."""
    return _sheet(
        "Traffic",
        TRAFFIC,
        [(case, runs) for case, runs in found.items() if case.partition == FIRECREST and not case.listing],
    )


def _sheet(title: str, costs: Sequence[Cost], found: Iterable[tuple[Case, Sequence[Run]]]) -> Sheet:
    return Sheet(
        title,
        ("suite", *(column for column, _digits, _value in costs)),
        [(_suite(case, runs), *(_cell(cost, runs) for cost in costs)) for case, runs in found],
    )


def _suite(case: Case, runs: Sequence[Run]) -> str:
    failed = sum(not run.passed for run in runs)
    return case.title + (f", {failed} of {len(runs)} FAILED" if failed else "")


def _cell(cost: Cost, runs: Sequence[Run]) -> str:
    _column, digits, value = cost
    spread = Spread.of(known for run in runs if run.passed and (known := value(run)) is not None)
    return spread.text(digits) if spread else ""


SCALED: tuple[tuple[str, int, str, float, Callable[[Run], float]], ...] = (
    ("wall s", 1, "a test, ms", 1000.0, lambda run: run.wall_s),
    ("CPU s", 1, "a test, ms", 1000.0, lambda run: run.process.cpu_s),
    ("requests", 0, "a test", 1.0, lambda run: run.requests),
    ("sent and received MB", 1, "a test, kB", 1000.0, lambda run: (run.sent + run.received) / 1e6),
    ("peak MB", 0, "a test, kB", 1000.0, lambda run: run.process.peak_bytes / 1e6),
)
"""Title and digits of the total, title and factor of the value per test, and the value for a run."""


def scale_sheet(options: Options, found: Found) -> Sheet:
    """Return a table of the costs by size of the suite, in total and per test."""
    rows = []
    for size in options.scales:
        runs = [run for run in found.get(options.scaled(size), ()) if run.passed]
        row = [f"{size} tests"]
        for _column, digits, _share, factor, value in SCALED:
            total = Spread.of(value(run) for run in runs)
            row += [total.text(digits), f"{factor * total.median / size:.2f}"] if total else ["", ""]
        rows.append(row)
    columns = [title for column, _digits, share, *_rest in SCALED for title in (column, share)]
    return Sheet("Scale", ("suite", *columns), rows)
