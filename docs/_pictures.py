"""Write the drawings of the documentation: docs/pictures/*.svg.

python -m docs._pictures           writes the drawings
python -m docs._pictures --check   prints the drawings that are not up to date, and fails

The phases of a job, the packages and their imports are read from the code.
docs/_screenshots.py takes the other pictures.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path

from docs._generated import run
from reframe_firecrest.model.job import FINAL, Phase, may_follow

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = ROOT / "docs" / "pictures"
PACKAGE = "reframe_firecrest"
SERVER = "firecrest_sandbox"

Point = tuple[int, int]

FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="title">
  <title id="title">{title}</title>
  <!-- Written by docs/_pictures.py: change it there, then `make pictures`. -->
  <style>
    .page {{ fill: #ffffff; stroke: #d0d7de; }}
    .place {{ fill: #f3f6fa; stroke: #b6c2cf; }}
    .box {{ fill: #ffffff; stroke: #57606a; }}
    .ours {{ fill: #dbeafe; stroke: #1d4ed8; }}
    text {{ font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 13px; fill: #57606a; }}
    .strong {{ font-size: 15px; font-weight: 600; fill: #1f2328; }}
    .line {{ stroke: #57606a; stroke-width: 1.6; fill: none; }}
    .head {{ fill: #57606a; }}
    @media (prefers-color-scheme: dark) {{
      .page {{ fill: #14181d; stroke: #30363d; }}
      .place {{ fill: #1c2229; stroke: #3d4752; }}
      .box {{ fill: #14181d; stroke: #8b949e; }}
      .ours {{ fill: #172a4d; stroke: #6ea8fe; }}
      text {{ fill: #a3adb8; }}
      .strong {{ fill: #e6edf3; }}
      .line {{ stroke: #a3adb8; }}
      .head {{ fill: #a3adb8; }}
    }}
  </style>
  <defs>
    <marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"
      orient="auto-start-reverse">
      <path class="head" d="M0 0 L10 5 L0 10 z"/>
    </marker>
  </defs>
  <rect class="page" x="1" y="1" width="{inner_width}" height="{inner_height}" rx="10"/>
{elements}
</svg>
"""

LINE = 18
"""Distance between lines of text."""


def drawing(title: str, size: Point, elements: Iterable[str]) -> str:
    """Return an SVG file with the elements on a page of the given size."""
    width, height = size
    return FRAME.format(
        title=escape(title),
        width=width,
        height=height,
        inner_width=width - 2,
        inner_height=height - 2,
        elements="\n".join(f"  {element}" for element in elements),
    )


def text(at: Point, content: str, anchor: str = "middle", *, strong: bool = False) -> str:
    """Return a line of text."""
    style = ' class="strong"' if strong else ""
    return f'<text{style} x="{at[0]}" y="{at[1]}" text-anchor="{anchor}">{escape(content)}</text>'


def rectangle(style: str, corner: Point, size: Point) -> str:
    """Return a rectangle with round corners."""
    (x, y), (width, height) = corner, size
    return f'<rect class="{style}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'


def box(style: str, corner: Point, size: Point, name: str, *notes: str) -> list[str]:
    """Return a rectangle with a name and notes in its middle."""
    (x, y), (width, height) = corner, size
    first = y + height // 2 + 5 - LINE * len(notes) // 2
    return [
        rectangle(style, corner, size),
        text((x + width // 2, first), name, strong=True),
        *(text((x + width // 2, first + LINE * line), note) for line, note in enumerate(notes, 1)),
    ]


def arrow(*points: Point, heads: int = 1) -> str:
    """Return a line through points: without a head, with one at its end, or with two."""
    path = " L".join(f"{x} {y}" for x, y in points)
    end = ' marker-end="url(#head)"' if heads else ""
    start = ' marker-start="url(#head)"' if heads > 1 else ""
    return f'<path class="line" d="M{path}"{end}{start}/>'


def overview() -> str:
    """Draw the way from ReFrame through FirecREST to Slurm, and back."""
    return drawing(
        "From ReFrame through FirecREST to Slurm, and back",
        (900, 300),
        [
            rectangle("place", (20, 20), (260, 260)),
            text((36, 46), "Your laptop, or a CI runner", "start", strong=True),
            *box("box", (40, 64), (220, 52), "tests and settings", "unchanged"),
            *box("box", (40, 130), (220, 44), "ReFrame"),
            *box("ours", (40, 188), (220, 74), "reframe-firecrest", "firecrest-scheduler", "firecrest-srun"),
            rectangle("place", (440, 20), (440, 260)),
            text((456, 46), "The site", "start", strong=True),
            *box("box", (456, 64), (130, 198), "FirecREST", "the gateway"),
            *box("box", (680, 64), (180, 80), "Slurm", "queue and nodes"),
            *box("box", (680, 182), (180, 80), "file system", "FIRECREST_BASEDIR"),
            arrow((262, 210), (452, 210)),
            arrow((452, 240), (264, 240)),
            text((360, 180), "stage directories,"),
            text((360, 198), "jobs"),
            text((360, 262), "states, outputs"),
            arrow((588, 104), (676, 104), heads=2),
            arrow((588, 222), (676, 222), heads=2),
            arrow((770, 146), (770, 180), heads=2),
        ],
    )


PHASE_NOTES: Mapping[Phase, str] = {
    Phase.QUEUED: "waits for staging",
    Phase.STAGING: "files are sent",
    Phase.SUBMITTING: "request is sent",
    Phase.SUBMITTED: "Slurm has the job",
    Phase.RETRIEVING: "outputs are fetched",
    Phase.DONE: "outputs are local",
    Phase.FAILED: "reason is known",
    Phase.CANCELLED: "no outputs",
}


def job_life() -> str:
    """Draw the phases of a job, from the table of their successors."""
    ends = (Phase.FAILED, Phase.CANCELLED)
    places = {
        **{phase: (20 + 156 * n, 60) for n, phase in enumerate(each for each in Phase if each not in ends)},
        **{phase: (320 + 240 * n, 190) for n, phase in enumerate(ends)},
    }
    elements = [
        part
        for phase, corner in places.items()
        for part in box("box" if phase in ends else "ours", corner, (140, 62), phase.name, PHASE_NOTES[phase])
    ]
    for before in Phase:
        for after in Phase:
            if before in FINAL or not may_follow(before, after):
                continue
            (x, y), (to, down) = places[before], places[after]
            if after in ends:
                elements.append(arrow((x + 70, y + 64), (x + 70, 156), (to + 70, 156), (to + 70, down - 4)))
            elif to > x:
                elements.append(arrow((x + 142, y + 31), (to - 4, y + 31)))
            else:
                elements += [
                    arrow((x + 70, y - 2), (x + 70, 34), (to + 70, 34), (to + 70, y - 4)),
                    text(((x + to) // 2 + 70, 28), "another job holds the claim"),
                ]
    elements.append(text((20, 178), "each phase that is not final", "start"))
    elements.append(text((20, 196), "may end in one of these", "start"))
    return drawing("The phases of a job", (960, 272), elements)


PACKAGE_NOTES: Mapping[str, tuple[str, ...]] = {
    "cli": ("options, exit codes",),
    "commands": ("clean, doctor, report ...",),
    "plugin": ("scheduler, job, launcher",),
    "session": ("life of jobs, event loop",),
    "gateway": ("FirecREST v1 and v2",),
    "settings": ("one object per partition",),
    "journal": ("record of a run on disk",),
    "modules": ("snapshots of modules",),
    "staging": ("stage directories, paths",),
    "model": ("shared data, no I/O",),
    SERVER: ("server for one machine",),
}

EXTERNAL: Mapping[str, tuple[Point, tuple[str, ...]]] = {
    "ReFrame": ((2, 5), ("reframe",)),
    "pyfirecrest, httpx": ((3, 3), ("firecrest", "httpx")),
}
"""Column and row of other projects, and the packages by which they are imported."""

COLUMNS: Mapping[int, tuple[int, ...]] = {
    1: (2,),
    2: (1, 3),
    3: (0, 2, 4),
    4: (0, 1, 3, 4),
    5: (0, 1, 2, 3, 4),
}
"""Columns of a row's packages, by their number."""

BOX = (184, 58)
PITCH = (204, 92)


def imported_names(file: Path) -> set[str]:
    """Return the full names of the modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def imports() -> dict[str, set[str]]:
    """Return the packages, and for each the packages and projects that it imports."""
    packages = {path.parent.name: path.parent for path in (ROOT / PACKAGE).glob("*/__init__.py")}
    packages[SERVER] = ROOT / SERVER
    others = {module: project for project, (_, modules) in EXTERNAL.items() for module in modules}
    found: dict[str, set[str]] = {}
    for name, directory in packages.items():
        modules = {each for file in directory.rglob("*.py") for each in imported_names(file)}
        targets = {each.removeprefix(f"{PACKAGE}.").split(".")[0] for each in modules}
        used = {others.get(target, target) for target in targets}
        found[name] = (used & (packages.keys() | EXTERNAL.keys())) - {name}
    return found


def reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """Return all packages that a package imports, directly or through others."""
    direct = graph.get(start, set())
    return direct.union(*(reachable(graph, each) for each in direct))


def essential(graph: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """Return the imports that do not follow from others."""
    return sorted(
        (start, end)
        for start, ends in graph.items()
        for end in ends
        if not any(end in reachable(graph, other) for other in ends - {end})
    )


def rows(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """Return the row of each package: above all packages of ours that it imports."""

    def row(name: str) -> int:
        return max((row(each) + 1 for each in graph[name] if each not in {SERVER, *EXTERNAL}), default=0)

    return {name: row(name) for name in graph}


def places_of_packages(graph: Mapping[str, set[str]]) -> dict[str, Point]:
    """Return the column and the row of each package."""
    height = rows(graph)
    places = {name: place for name, (place, _) in EXTERNAL.items()}
    for row in set(height.values()):
        names = sorted(name for name in graph if height[name] == row and name != SERVER)
        places |= {name: (column, row) for column, name in zip(COLUMNS[len(names)], names, strict=True)}
    places[SERVER] = (0, places["commands"][1])
    return places


def import_arrow(start: Point, end: Point, top: int) -> str:
    """Return an arrow between two boxes, beside those in the rows between them."""
    width, height = BOX

    def corner(place: Point) -> Point:
        return 20 + PITCH[0] * place[0], 20 + PITCH[1] * (top - place[1])

    (x, y), (to, down) = corner(start), corner(end)
    if start[1] == end[1]:
        side = x - 2 if to < x else x + width + 2
        return arrow((side, y + height // 2), (to + (width + 4 if to < x else -4), y + height // 2))
    if start[1] - end[1] == 1 or start[0] == end[0]:
        return arrow((x + width // 2, y + height + 2), (to + width // 2, down - 4))
    side = x - 2 if to < x else x + width + 2
    middle = y + height // 2
    return arrow((side, middle), (to + width // 2, middle), (to + width // 2, down - 4))


def packages() -> str:
    """Draw the packages and their imports."""
    graph = imports()
    places = places_of_packages(graph)
    top = max(row for _, row in places.values())
    elements: list[str] = []
    for name, (column, row) in places.items():
        corner = (20 + PITCH[0] * column, 20 + PITCH[1] * (top - row))
        style = "box" if name in EXTERNAL else "ours"
        shown = name if name in EXTERNAL else f"{name}/"
        elements += box(style, corner, BOX, shown, *PACKAGE_NOTES.get(name, ()))
    elements += [import_arrow(places[start], places[end], top) for start, end in essential(graph)]
    size = (20 + PITCH[0] * 5, 28 + PITCH[1] * (top + 1))
    return drawing("The packages and their imports", size, elements)


PICTURES: Mapping[str, Callable[[], str]] = {
    "overview.svg": overview,
    "job-life.svg": job_life,
    "packages.svg": packages,
}


if __name__ == "__main__":
    run(DIRECTORY, PICTURES)
