"""Lower bounds of a run's traffic: the sizes of its inputs, its scripts and the output of its jobs."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SCRIPT = "rfm_job.sh"
"""Name of the script that ReFrame generates for a run-only test."""

INPUTS = "data-"
"""Prefix of the names of files that bench/suite.py creates."""

OWN = ".rfm_"
"""Prefix of the names of ReFrame's own files in a stage directory."""


@dataclass(frozen=True)
class Bounds:
    """Sizes in bytes.

    Attributes:
        inputs: size of one test's inputs.
        scripts: size of all tests' scripts.
        packed: size of a compressed archive of all files that the jobs created; None if not measured.
    """

    inputs: int = 0
    scripts: int = 0
    packed: int | None = None


def measure_bounds(stage: Path, source: Path, scratch: Path, *, pack: bool) -> Bounds:
    """Measure the stage directories of a run.

    Args:
        stage: the directory that contains them.
        source: the suite's source directory.
        scratch: directory for the archive.
        pack: measure the compressed archive.
    """
    given = {str(path.relative_to(source)) for path in source.rglob("*")}
    directories = sorted(script.parent for script in stage.rglob(SCRIPT))
    if not directories:
        return Bounds()
    return Bounds(
        inputs=sum(size for name, size in _sizes(directories[0]) if _is_input(name, given)),
        scripts=sum((directory / SCRIPT).stat().st_size for directory in directories),
        packed=_pack(stage, directories, given, scratch / "made.tgz") if pack else None,
    )


def _is_input(name: str, given: set[str]) -> bool:
    return name in given or name.startswith(INPUTS)


def _sizes(directory: Path) -> Iterator[tuple[str, int]]:
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(directory)), path.stat().st_size


def _pack(stage: Path, directories: list[Path], given: set[str], archive: Path) -> int:
    """Pack the files that the jobs created, as by ``tar -z``; return the archive's size."""
    with tarfile.open(archive, "w:gz", compresslevel=6, format=tarfile.GNU_FORMAT) as file:
        for directory in directories:
            for name, _size in _sizes(directory):
                if name != SCRIPT and not name.startswith(OWN) and not _is_input(name, given):
                    path = directory / name
                    file.add(path, str(path.relative_to(stage)))
    size = archive.stat().st_size
    archive.unlink()
    return size
