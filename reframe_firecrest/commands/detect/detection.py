"""All jobs of one detection, submitted together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reframe_firecrest.commands.detect.jobs import DetectionResult, processor_probe, processor_result
from reframe_firecrest.commands.detect.modules_jobs import (
    ModulesResult,
    ModulesTarget,
    modules_probe,
    modules_result,
)
from reframe_firecrest.commands.detect.probes import run_probes
from reframe_firecrest.commands.targets import Target


@dataclass(frozen=True)
class Detection:
    """Results of all jobs.

    Attributes:
        processors: processor information of partitions.
        modules: modules of partitions and environments.
    """

    processors: Sequence[DetectionResult]
    modules: Sequence[ModulesResult]


def run_detection(
    targets: Sequence[Target],
    environs: Sequence[ModulesTarget],
    *,
    timeout: float,
    notify: Callable[[str], None],
) -> Detection:
    """Submit all jobs, wait for them and parse their output.

    Args:
        targets: partitions whose processors are detected.
        environs: partitions and environments whose modules are recorded.
        timeout: seconds after which a job that has not started is cancelled.
        notify: called with one line about each change.
    """
    probes = [*map(processor_probe, targets), *map(modules_probe, environs)]
    results = run_probes(probes, timeout=timeout, notify=notify)
    return Detection(
        [processor_result(*each) for each in zip(targets, results[: len(targets)], strict=True)],
        [modules_result(*each) for each in zip(environs, results[len(targets) :], strict=True)],
    )
